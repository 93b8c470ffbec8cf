"""Whose event is it?"""

from itertools import count
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.interaction.resolving import EXCLUSIVE, Known, Resolution, resolve
from shared.language.identifiers import TYPES

ALICE, BOB, CAROL = UUID(int=1), UUID(int=2), UUID(int=3)


def digest(type_: str, value: str) -> bytes:
    return f"{type_}={value}".encode()


def key(type_: str, value: str) -> tuple[str, bytes]:
    return type_, digest(type_, value)


def run(customers, known=None) -> Resolution:
    """`known`: {"member_no:M1": ALICE}. New customers are numbered from 100."""
    numbers = count(100)
    stands = {key(*name.split(":")): customer for name, customer in (known or {}).items()}
    return resolve(customers, stands, digest, lambda _: str(UUID(int=next(numbers))))


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
    return resolve(customers, known, digest, lambda _: str(UUID(int=next(numbers))))


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
    first = resolve(batch[:cut], {}, digest, new_id)
    second = resolve(batch[cut:], first.new, digest, new_id)
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
    first = resolve(batch[:cut], {}, digest, new_id)
    exclusive: dict[UUID, set[tuple[str, bytes]]] = {}
    for name, customer in first.new.items():
        if name[0] in EXCLUSIVE:
            exclusive.setdefault(customer, set()).add(name)
    known = Known(first.new | first.moved, exclusive)
    second = resolve(batch[cut:], known, digest, new_id)
    whole = run(batch)
    assert first.events + second.events == whole.events
    assert first.new | first.moved | second.new | second.moved == whole.new | whole.moved
