"""Whose event is it?"""

from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.interaction.resolving import (
    EXCLUSIVE,
    Known,
    Resolution,
    Resolved,
    Tombstone,
    resolve,
)
from shared.language.identifiers import TYPES

ALICE, BOB, CAROL = UUID(int=1), UUID(int=2), UUID(int=3)
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def digest(type_: str, value: str) -> bytes:
    return f"{type_}={value}".encode()


def key(type_: str, value: str) -> tuple[str, bytes]:
    return type_, digest(type_, value)


def resolved(customers, known, new_id) -> Resolution:
    return resolve(customers, known, digest, new_id, [NOW] * len(customers))


def run(customers, known=None) -> Resolution:
    """`known`: {"member_no:M1": ALICE}. New customers are numbered from 100."""
    numbers = count(100)
    stands = {key(*name.split(":")): customer for name, customer in (known or {}).items()}
    return resolved(customers, stands, lambda _: str(UUID(int=next(numbers))))


def test_nobody_known_makes_one_new_customer_with_all_identifiers():
    result = run([{"phone": "+86138", "member_no": "M1"}])
    [event] = result.events
    assert event.customer == UUID(int=100)
    assert event.added == {"member_no": "M1", "phone": "+86138"}
    assert event.parts == ()
    assert result.new == {
        key("member_no", "M1"): UUID(int=100),
        key("phone", "+86138"): UUID(int=100),
    }


def test_a_known_identifier_names_its_customer_and_nothing_is_new():
    result = run([{"member_no": "M1"}], {"member_no:M1": ALICE})
    assert (result.events[0].customer, result.events[0].added) == (ALICE, {})
    assert result.new == {}


def test_an_identifier_never_seen_joins_whoever_is_named():
    for identifiers in ({"member_no": "M9", "email": "a@b"}, {"email": "a@b", "member_no": "M9"}):
        result = run([identifiers], {"email:a@b": ALICE})
        assert result.events[0].customer == ALICE, "also where the new one is the stronger"
        assert result.events[0].added == {"member_no": "M9"}
        assert result.new == {key("member_no", "M9"): ALICE}


def test_the_strongest_of_two_known_has_the_event_and_both_are_named():
    result = run(
        [{"cookie": "c", "phone": "+1", "user_id": "u"}],
        {"cookie:c": CAROL, "user_id:u": BOB, "phone:+1": ALICE},
    )
    [event] = result.events
    assert event.customer == BOB
    assert event.parts == (BOB, ALICE, CAROL), "strongest first"
    assert event.added == {}


def test_two_identifiers_of_one_customer_are_no_link():
    result = run([{"member_no": "M1", "cookie": "c"}], {"member_no:M1": ALICE, "cookie:c": ALICE})
    assert result.events[0].parts == ()


def test_our_own_id_is_stronger_than_anything():
    result = run([{"member_no": "M1", "id": str(BOB), "cookie": "new"}], {"member_no:M1": ALICE})
    [event] = result.events
    assert (event.customer, event.parts) == (BOB, (BOB, ALICE))
    assert event.added == {"cookie": "new"}


def test_events_of_a_batch_see_what_those_before_them_added():
    result = run([{"cookie": "c"}, {"cookie": "c", "member_no": "M1"}, {"member_no": "M1"}])
    assert {event.customer for event in result.events} == {UUID(int=100)}
    assert [event.added for event in result.events] == [{"cookie": "c"}, {"member_no": "M1"}, {}]


def test_two_new_customers_of_a_batch_that_meet_are_linked():
    result = run([{"cookie": "c"}, {"member_no": "M1"}, {"cookie": "c", "member_no": "M1"}])
    first, second, third = result.events
    assert first.customer != second.customer
    assert (third.customer, third.parts) == (second.customer, (second.customer, first.customer))


def test_the_same_value_of_another_type_is_another_identifier():
    result = run([{"user_id": "7"}, {"external_id": "7"}])
    assert result.events[0].customer != result.events[1].customer


def told(customers, owners=None, exclusive=None, shared=None) -> Resolution:
    """As `run`, with the exclusive identifiers of customers and the shared identifiers."""
    numbers = count(100)
    known = Known(
        {key(*name.split(":")): customer for name, customer in (owners or {}).items()},
        {
            customer: {key(*name.split(":")) for name in names}
            for customer, names in (exclusive or {}).items()
        },
        {key(*name.split(":")): part for name, part in (shared or {}).items()},
    )
    return resolved(customers, known, lambda _: str(UUID(int=next(numbers))))


NEW = UUID(int=100)


def test_a_second_member_number_on_a_phone_is_somebody_else_who_may_be_one():
    result = told(
        [{"member_no": "M2", "phone": "+1"}], {"phone:+1": ALICE}, {ALICE: ["member_no:M1"]}
    )
    [event] = result.events
    assert (event.customer, event.added, event.parts) == (NEW, {"member_no": "M2"}, (NEW, ALICE))
    assert event.named == {"phone": ALICE, "member_no": NEW}


def test_a_first_member_number_on_a_phone_is_its_customers():
    result = told([{"member_no": "M2", "phone": "+1"}], {"phone:+1": ALICE}, {ALICE: ["user_id:u"]})
    assert (result.events[0].customer, result.events[0].parts) == (ALICE, ())


def test_a_second_user_id_closes_the_old_mapping_of_an_anonymous_id():
    browser = {"anonymous_id:a": ALICE}
    for owners in (browser, browser | {"user_id:u2": BOB}):
        events = [{"user_id": "u2", "anonymous_id": "a"}, {"anonymous_id": "a"}]
        result = told(events, owners, {ALICE: ["user_id:u1"], BOB: ["user_id:u2"]})
        second = owners.get("user_id:u2", NEW)
        assert [event.customer for event in result.events] == [second, second]
        assert [event.parts for event in result.events] == [(), ()], "no evidence of anything"
        assert result.moved == {key("anonymous_id", "a"): second}


def test_the_same_user_id_again_moves_nothing():
    owners = {"anonymous_id:a": CAROL, "user_id:u1": ALICE}
    result = told(
        [{"user_id": "u1", "anonymous_id": "a"}],
        owners,
        {ALICE: ["user_id:u1"], CAROL: ["user_id:u1"]},
    )
    assert result.moved == {}
    assert result.events[0].parts == (ALICE, CAROL), "they are one already, and stay so"


def test_two_people_at_one_browser_in_one_batch():
    result = told(
        [
            {"user_id": "u1", "anonymous_id": "a"},
            {"user_id": "u2", "anonymous_id": "a"},
            {"anonymous_id": "a"},
        ]
    )
    first, second, third = result.events
    assert first.customer != second.customer
    assert third.customer == second.customer


def test_a_shared_identifier_names_nobody_and_alone_stands_for_a_part_of_its_own():
    shared = {"phone:+1": None}
    events = [{"phone": "+1"}, {"phone": "+1", "email": "a@b"}, {"phone": "+1"}]
    result = told(events, {"phone:+1": ALICE}, shared=shared)
    first, second, third = result.events
    assert (first.customer, first.added) == (NEW, {})
    assert third.customer == first.customer
    assert (second.customer, second.added) == (UUID(int=101), {"email": "a@b"})
    assert result.own == {key("phone", "+1"): NEW}
    again = told(events[:1], {"phone:+1": ALICE}, shared={"phone:+1": BOB})
    assert (again.events[0].customer, again.own) == (BOB, {})


identifiers = st.dictionaries(
    st.sampled_from(("external_id", "phone", "cookie", "email")),
    st.sampled_from(("1", "2", "3")),
    min_size=1,
)
batches = st.lists(identifiers, max_size=12)


@given(batches)
def test_an_identifier_is_one_customers_for_ever(batch):
    result = run(batch)
    owners: dict[tuple[str, bytes], UUID] = {}
    for sent, event in zip(batch, result.events, strict=True):
        for type_, value in event.added.items():
            assert key(type_, value) not in owners, "added once"
            owners[key(type_, value)] = event.customer
        named = [owners[key(type_, sent[type_])] for type_ in TYPES if type_ in sent]
        assert event.customer in named
        strongest_known = next(
            owner
            for type_, owner in zip([t for t in TYPES if t in sent], named, strict=True)
            if type_ not in event.added or len(event.added) == len(sent)
        )
        assert event.customer == strongest_known
        assert set(event.parts) == (set(named) if len(set(named)) > 1 else set())
    assert owners == result.new


@given(batches, st.integers(0, 12))
def test_one_batch_or_two_is_all_the_same(batch, cut):
    numbers = count(100)
    new_id = lambda _: str(UUID(int=next(numbers)))
    first = resolved(batch[:cut], {}, new_id)
    second = resolved(batch[cut:], first.new, new_id)
    whole = run(batch)
    assert first.events + second.events == whole.events
    assert first.new | second.new == whole.new


with_members = st.dictionaries(
    st.sampled_from(("member_no", "user_id", "phone", "cookie")),
    st.sampled_from(("1", "2", "3")),
    min_size=1,
)


@given(st.lists(with_members, max_size=12), st.integers(0, 12))
def test_one_batch_or_two_also_where_people_have_one_number_each(batch, cut):
    numbers = count(100)
    new_id = lambda _: str(UUID(int=next(numbers)))
    first = resolved(batch[:cut], {}, new_id)
    exclusive: dict[UUID, set[tuple[str, bytes]]] = {}
    for name, customer in first.new.items():
        if name[0] in EXCLUSIVE:
            exclusive.setdefault(customer, set()).add(name)
    known = Known(first.new | first.moved, exclusive)
    second = resolved(batch[cut:], known, new_id)
    whole = run(batch)
    assert first.events + second.events == whole.events
    assert first.new | first.moved | second.new | second.moved == whole.new | whole.moved


ERASED_AT = NOW
BEFORE, AFTER = NOW - timedelta(minutes=1), NOW + timedelta(minutes=1)


def late(customers, buried, owners=None, received=BEFORE, exclusive=None, **known) -> Resolution:
    """`buried`: {"phone:+1": [(customer, erased at)]}; all events came at `received`."""
    numbers = count(100)
    tombstones = {
        key(*name.split(":")): [Tombstone(at, customer) for customer, at in stones]
        for name, stones in buried.items()
    }
    known = Known(
        {key(*name.split(":")): customer for name, customer in (owners or {}).items()},
        {
            customer: {key(*name.split(":")) for name in names}
            for customer, names in (exclusive or {}).items()
        },
        tombstones=tombstones,
        **known,
    )
    new_id = lambda _: str(UUID(int=next(numbers)))
    return resolve(customers, known, digest, new_id, [received] * len(customers))


OF_ALICE = {"phone:+1": [(ALICE, ERASED_AT)]}


@pytest.mark.parametrize("received", [BEFORE, ERASED_AT])
def test_what_came_before_an_erasure_is_the_erased_customers_and_adds_nothing(received):
    result = late([{"phone": "+1"}], OF_ALICE, received=received)
    assert result.events == [Resolved(ALICE, {})]
    assert (result.erased, result.new, result.tombstones) == ({ALICE}, {}, {})


def test_what_comes_after_an_erasure_is_somebody_new():
    result = late([{"phone": "+1"}], OF_ALICE, received=AFTER)
    assert result.events == [Resolved(NEW, {"phone": "+1"})]
    assert (result.erased, result.new) == (set(), {key("phone", "+1"): NEW})


def test_of_several_who_had_an_identifier_it_is_the_first_to_be_erased_after_the_event():
    hour = timedelta(hours=1)
    stones = [(BOB, NOW + hour), (ALICE, NOW)]
    owners = {"phone:+1": CAROL}
    for at, customer in (
        (NOW - hour, ALICE),
        (NOW, ALICE),
        (NOW + hour / 2, BOB),
        (NOW + 2 * hour, CAROL),
    ):
        result = late([{"phone": "+1"}], {"phone:+1": stones}, owners, received=at)
        assert result.events[0].customer == customer


def test_what_came_with_it_and_is_nobodys_is_erased_with_the_rest():
    events = [{"phone": "+1", "email": "a@b", "member_no": "M1"}, {"email": "a@b"}]
    result = late(events, OF_ALICE)
    assert result.events == [Resolved(ALICE, {})] * 2
    assert result.new == {}
    assert result.tombstones == {
        (key("email", "a@b"), ALICE): ERASED_AT,
        (key("member_no", "M1"), ALICE): ERASED_AT,
    }


def test_what_came_with_it_and_is_somebody_elses_stays_theirs_and_nobody_hears_of_it():
    result = late([{"phone": "+1", "email": "a@b"}], OF_ALICE, {"email:a@b": BOB})
    assert result.events == [Resolved(ALICE, {})], "no link either"
    assert (result.tombstones, result.new) == ({}, {})


def test_a_stronger_identifier_of_somebody_else_gets_the_event_and_no_word_of_the_erased():
    result = late(
        [{"member_no": "M2", "phone": "+1", "cookie": "c"}], OF_ALICE, {"member_no:M2": BOB}
    )
    [event] = result.events
    assert event == Resolved(BOB, {"cookie": "c"}, unsaid=frozenset({"phone"}))
    assert (result.erased, result.new) == (set(), {key("cookie", "c"): BOB})


def test_of_three_the_two_who_live_are_linked():
    result = late(
        [{"member_no": "M2", "phone": "+1", "email": "a@b"}],
        OF_ALICE,
        {"member_no:M2": BOB, "email:a@b": CAROL},
    )
    [event] = result.events
    assert (event.customer, event.parts) == (BOB, (BOB, CAROL))
    assert event.named == {"member_no": BOB, "email": CAROL}
    assert event.unsaid == {"phone"}


def test_another_member_number_on_the_phone_of_who_was_erased_is_somebody_else():
    result = late(
        [{"member_no": "M2", "phone": "+1"}], OF_ALICE, exclusive={ALICE: ["member_no:M1"]}
    )
    [event] = result.events
    assert event == Resolved(NEW, {"member_no": "M2"}, unsaid=frozenset({"phone"}))
    assert result.new == {key("member_no", "M2"): NEW}


def test_a_browser_of_somebody_living_is_not_taken_to_who_was_erased():
    result = late(
        [{"user_id": "u1", "anonymous_id": "a"}],
        {"user_id:u1": [(ALICE, ERASED_AT)]},
        {"anonymous_id:a": BOB},
        exclusive={ALICE: ["user_id:u1"], BOB: ["user_id:u2"]},
    )
    assert result.events == [Resolved(ALICE, {})]
    assert result.moved == {}


@pytest.mark.parametrize(
    ("received", "buried"), [(BEFORE, {(key("phone", "+1"), ALICE): ERASED_AT}), (AFTER, {})]
)
def test_our_own_id_names_who_was_erased_whenever_it_comes(received, buried):
    events = [{"id": str(ALICE), "phone": "+1"}]
    result = late(events, {}, received=received, erased={ALICE: ERASED_AT})
    assert result.events == [Resolved(ALICE, {})]
    assert (result.erased, result.new, result.tombstones) == ({ALICE}, {}, buried)


def test_our_own_id_of_somebody_living_beside_an_erased_identifier():
    result = late([{"id": str(BOB), "phone": "+1", "email": "a@b"}], OF_ALICE)
    assert result.events == [Resolved(BOB, {"email": "a@b"}, unsaid=frozenset({"phone"}))]


def test_a_shared_identifier_names_nobody_who_was_erased_either():
    shared = {key("phone", "+1"): None}
    [event] = late([{"phone": "+1", "email": "a@b"}], OF_ALICE, shared=shared).events
    assert (event.customer, event.added) == (NEW, {"email": "a@b"})
    alone = late([{"phone": "+1"}], OF_ALICE, shared=shared)
    assert (alone.events, alone.erased, alone.own) == ([Resolved(ALICE, {})], {ALICE}, {})
    after = late([{"phone": "+1"}], OF_ALICE, shared=shared, received=AFTER)
    assert after.own == {key("phone", "+1"): NEW}


names = st.sampled_from([f"{t}:{v}" for t in ("member_no", "phone", "cookie") for v in "123"])
moments = st.sampled_from([NOW + timedelta(hours=n) for n in range(4)])
graves = st.dictionaries(names, st.tuples(st.sampled_from((ALICE, BOB)), moments), max_size=5)
arrivals = st.lists(
    st.tuples(
        st.dictionaries(
            st.sampled_from(("member_no", "phone", "cookie")),
            st.sampled_from("123"),
            min_size=1,
        ),
        moments,
    ),
    max_size=10,
)


def resolving(events, tombstones, owners=None, exclusive=None, numbers=None) -> Resolution:
    numbers = numbers or count(100)
    known = Known(owners or {}, exclusive or {}, tombstones=tombstones)
    new_id = lambda _: str(UUID(int=next(numbers)))
    return resolve([e for e, _ in events], known, digest, new_id, [at for _, at in events])


def buried(graves) -> dict[tuple[str, bytes], list[Tombstone]]:
    """Each was erased at one moment: the first that is said."""
    when: dict[UUID, datetime] = {}
    for customer, at in graves.values():
        when.setdefault(customer, at)
    return {key(*name.split(":")): [Tombstone(when[c], c)] for name, (c, _) in graves.items()}


def exclusive_in(stones) -> dict[UUID, set[tuple[str, bytes]]]:
    found: dict[UUID, set[tuple[str, bytes]]] = {}
    for name, customers in stones.items():
        for one in customers if name[0] in EXCLUSIVE else ():
            found.setdefault(one.customer, set()).add(name)
    return found


@given(arrivals, graves)
def test_nothing_of_who_was_erased_becomes_somebody_elses(events, graves):
    stones = buried(graves)
    result = resolving(events, stones, exclusive=exclusive_in(stones))
    stones |= {
        name: [*stones.get(name, ()), Tombstone(at, customer)]
        for (name, customer), at in result.tombstones.items()
    }
    for (identifiers, at), event in zip(events, result.events, strict=True):
        before = {
            t
            for t, value in identifiers.items()
            for stone in stones.get(key(t, value), ())
            if at <= stone.erased_at
        }
        if event.customer in (ALICE, BOB):
            assert event == Resolved(event.customer, {})
            assert event.customer in result.erased
            assert before
        else:
            known = {t for t in before if key(t, identifiers[t]) in buried(graves)}
            assert event.unsaid >= known
            assert event.unsaid.isdisjoint({*event.added, *event.named})
    assert {ALICE, BOB}.isdisjoint(result.new.values())


@given(arrivals, graves)
def test_what_comes_after_all_erasures_is_resolved_as_if_there_had_been_none(events, graves):
    later = [(identifiers, NOW + timedelta(days=1)) for identifiers, _ in events]
    assert resolving(later, buried(graves)) == resolving(later, {})


@given(arrivals, graves, st.integers(0, 10))
def test_one_batch_or_two_also_where_people_were_erased(events, graves, cut):
    stones, numbers = buried(graves), count(100)
    first = resolving(events[:cut], stones, exclusive=exclusive_in(stones), numbers=numbers)
    between = {name: list(of) for name, of in stones.items()}
    for (name, customer), at in first.tombstones.items():
        between.setdefault(name, []).append(Tombstone(at, customer))
    exclusive = exclusive_in(between)
    for name, customer in first.new.items():
        if name[0] in EXCLUSIVE:
            exclusive.setdefault(customer, set()).add(name)
    owners = first.new | first.moved
    second = resolving(events[cut:], between, owners, exclusive, numbers)
    whole = resolving(events, stones, exclusive=exclusive_in(stones))
    assert first.events + second.events == whole.events
    assert first.tombstones | second.tombstones == whole.tombstones
    assert first.erased | second.erased == whole.erased
