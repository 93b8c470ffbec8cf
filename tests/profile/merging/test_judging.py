"""What evidence means: at once, only proposed, or nothing."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.profile.merging.groups import MOST_PARTS, Group, alone
from services.profile.merging.judging import Link, Verdict, judge, supported
from services.profile.merging.rules import BUILT_IN, MergingRules, body, rules_of
from shared.language.identifiers import LINK_LIMITS, TYPES

ANN, BOB, COOKIE, TABLET = (UUID(int=n) for n in range(1, 5))
MEMBER, PHONE, CARD = ("member_no", b"m"), ("phone", b"p"), ("member_no", b"n")
BROWSER, DEVICE = ("anonymous_id", b"b"), ("device_id", b"d")


def told(link, rules=BUILT_IN, *, groups=None, known=(ANN, BOB), silent=(), apart=()) -> Verdict:
    alones = {part: alone(part) for part in link.parts}
    return judge(
        link, rules, groups=alones | (groups or {}), known=known, silent=silent, apart=apart
    )


BROWSES = Link((ANN, COOKIE), {MEMBER: ANN, BROWSER: COOKIE}, frozenset({COOKIE}))
TWO = Link((ANN, BOB), {MEMBER: ANN, PHONE: BOB})


def test_an_anonymous_customer_becomes_one_with_a_known_one_at_once():
    assert told(BROWSES) == Verdict(merge=(ANN, COOKIE))


def test_two_known_ones_are_only_proposed():
    assert told(TWO) == Verdict(propose=(ANN, BOB))


def test_types_that_the_policy_trusts_make_two_known_ones_one():
    trusting = MergingRules(at_once=("member_no", "phone"))
    assert told(TWO, trusting) == Verdict(merge=(ANN, BOB))
    assert told(TWO, MergingRules(at_once=("member_no",))) == Verdict(propose=(ANN, BOB))


def test_one_event_may_do_both():
    link = Link((ANN, BOB, COOKIE), {MEMBER: ANN, PHONE: BOB, BROWSER: COOKIE}, frozenset({COOKIE}))
    assert told(link) == Verdict(merge=(ANN, COOKIE), propose=(ANN, BOB))


def test_an_anonymous_one_that_is_one_with_somebody_known_counts_as_known():
    group = Group(BOB, (BOB, COOKIE))
    assert told(BROWSES, groups={COOKIE: group}) == Verdict(propose=(ANN, COOKIE))
    nobody = Group(COOKIE, (COOKIE, TABLET))
    assert told(BROWSES, groups={COOKIE: nobody}) == Verdict(merge=(ANN, COOKIE))


def test_two_anonymous_ones_are_only_proposed():
    link = Link((COOKIE, TABLET), {DEVICE: COOKIE, BROWSER: TABLET}, frozenset({COOKIE, TABLET}))
    assert told(link, known=()) == Verdict(propose=(COOKIE, TABLET))


def test_who_is_one_already_is_nothing_new():
    group = Group(ANN, (ANN, BOB))
    assert told(TWO, groups={ANN: group, BOB: group}) == Verdict()


@pytest.mark.parametrize("silent", [PHONE, MEMBER])
def test_an_identifier_that_speaks_for_nobody_leaves_its_customer_out(silent):
    assert told(TWO, silent={silent}) == Verdict()
    if silent == MEMBER:
        assert told(BROWSES, silent={silent}) == Verdict()


def test_a_shared_tablet_links_nobody():
    assert told(BROWSES, silent={BROWSER}) == Verdict()


def test_a_second_identifier_still_speaks():
    link = Link((ANN, BOB), {MEMBER: ANN, PHONE: BOB, CARD: BOB})
    assert told(link, silent={PHONE}) == Verdict(propose=(ANN, BOB))


def test_who_is_named_by_our_own_number_needs_no_identifier():
    link = Link((ANN, BOB), {PHONE: BOB})
    assert supported(link, set()) == (ANN, BOB)
    assert told(link) == Verdict(propose=(ANN, BOB))


def test_whom_a_person_has_parted_stays_apart():
    assert told(TWO, apart=[(ANN, BOB)]) == Verdict()
    assert told(BROWSES, apart=[(COOKIE, ANN, BOB)]) == Verdict()
    assert told(BROWSES, apart=[(COOKIE, BOB)]) == Verdict(merge=(ANN, COOKIE))


def test_what_would_be_too_many_parts_is_left_alone():
    many = tuple(UUID(int=n) for n in range(100, 100 + MOST_PARTS - 1))
    full = Group(ANN, tuple(sorted((ANN, *many))))
    assert told(BROWSES, groups={ANN: full}) == Verdict()


def test_a_policy_comes_back_as_it_was_published():
    assert rules_of(1, body(BUILT_IN)) == BUILT_IN
    some = MergingRules(version=4, at_once=("phone",), limits={"phone": 1}, blocked=("phone:1",))
    assert rules_of(4, body(some)).limit("phone") == 1
    assert rules_of(4, body(some)).limit("email") == LINK_LIMITS["email"]
    assert set(LINK_LIMITS) == set(TYPES)


people = st.sampled_from([ANN, BOB, COOKIE, TABLET])
keys = st.tuples(st.sampled_from(TYPES), st.binary(min_size=1, max_size=1))


@given(
    st.lists(people, min_size=2, unique=True),
    st.dictionaries(keys, people, max_size=6),
    st.sets(people),
    st.sets(keys, max_size=3),
    st.lists(st.sets(people, min_size=2), max_size=2),
    st.sets(st.sampled_from(TYPES)),
)
def test_a_verdict_is_about_different_supported_customers_only(
    parts, named, anonymous, silent, apart, at_once
):
    named = {key: part for key, part in named.items() if part in parts}
    link = Link(tuple(parts), named, frozenset(anonymous))
    verdict = told(link, MergingRules(at_once=tuple(at_once)), silent=silent, apart=apart)
    for found in (verdict.merge, verdict.propose):
        assert len(found) != 1
        assert len(set(found)) == len(found)
        assert set(found) <= set(supported(link, silent))
        for other in found[1:]:
            assert not any({found[0], other} <= one for one in apart)
    assert not set(verdict.merge[1:]) & set(verdict.propose[1:])
