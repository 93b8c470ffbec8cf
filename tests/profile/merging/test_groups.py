"""Groups are the components of the merges in force: chains, cycles, and any order of undoing."""

from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.profile.merging.groups import (
    Group,
    Standing,
    alone,
    components,
    head_of,
    heads,
    one_of_each,
    regroup,
)

A, B, C, D, E = (UUID(int=n) for n in range(1, 6))
EVERYBODY = [UUID(int=n) for n in range(1, 10)]
NOBODY_NUMBERED: dict[UUID, Standing] = {}


class Book:
    """The merges in force, and the groups as they were told last."""

    def __init__(self, standings: dict[UUID, Standing] | None = None) -> None:
        self.standings = standings or {}
        self.merges: list[tuple[UUID, ...]] = []
        self.groups = {part: alone(part) for part in EVERYBODY}

    def merge(self, *parts: UUID) -> bool:
        """Whether it was one at all: it joins somebody."""
        joined = tuple(one_of_each(parts, self.groups))
        if len(joined) < 2:
            return False
        self.merges.append(joined)
        self.tell()
        return True

    def undo(self, number: int) -> None:
        del self.merges[number]
        self.tell()

    def tell(self) -> None:
        for part, group in regroup(self.groups, self.merges, self.standings):
            assert self.groups[part] != group, "only what changes is told"
            self.groups[part] = group

    def together(self, part: UUID) -> tuple[UUID, ...]:
        return self.groups[part].parts


def test_a_chain_is_one_group_and_undoing_its_middle_leaves_two():
    book = Book()
    for one, other in pairwise((A, B, C, D)):
        book.merge(one, other)
    assert book.groups[D] == Group(A, (A, B, C, D))
    book.undo(1)
    assert (book.together(A), book.together(C)) == ((A, B), (C, D))
    assert book.groups[D].head == C


def test_a_cycle_and_the_opposite_merge_join_nobody_anew():
    book = Book()
    assert book.merge(A, B)
    assert not book.merge(B, A)
    assert book.merge(B, C)
    assert not book.merge(C, A)


def test_a_later_merge_of_a_group_stays():
    book = Book()
    book.merge(A, B)
    book.merge(A, C)
    book.undo(0)
    assert book.together(A) == (A, C)
    assert book.together(B) == (B,)


def test_the_smallest_number_leads_then_who_is_known_then_the_smallest_id():
    assert head_of([C, A, B], NOBODY_NUMBERED) == A
    assert head_of([A, B, C], {B: Standing(known=True), C: Standing(known=True)}) == B
    standings = {A: Standing(known=True), B: Standing(7, True), C: Standing(3)}
    assert head_of([A, B, C], standings) == C


def test_a_group_that_stays_keeps_its_head_though_another_would_lead_it_now():
    groups = {A: Group(A, (A, B)), B: Group(A, (A, B)), C: alone(C)}
    standings = {B: Standing(1, True)}
    assert regroup(groups, [(A, B)], standings) == []
    merged = Group(B, (A, B, C))
    assert regroup(groups, [(A, B), (A, C)], standings) == [(A, merged), (B, merged), (C, merged)]


def test_a_merge_names_customers_not_parts():
    groups = {A: Group(A, (A, B)), B: Group(A, (A, B)), C: alone(C)}
    assert heads([B, C, A], groups) == [A, C]
    assert one_of_each([B, C, A], groups) == [B, C]


def test_components_of_nothing():
    assert components([], []) == []
    assert components([B, A], []) == [(A,), (B,)]


wanted = st.lists(
    st.lists(st.sampled_from(EVERYBODY), min_size=2, max_size=4, unique=True), max_size=12
)
standing = st.builds(Standing, st.none() | st.integers(1, 9), st.booleans())
standings = st.dictionaries(st.sampled_from(EVERYBODY), standing)


def by_hand(merges: list[tuple[UUID, ...]]) -> set[frozenset[UUID]]:
    """The same, as simply as it can be said: as long as two sets share somebody they are one."""
    found = [{part} for part in EVERYBODY]
    for merge in merges:
        touched = [one for one in found if one & set(merge)]
        found = [one for one in found if not one & set(merge)] + [set().union(*touched)]
    return {frozenset(one) for one in found}


@given(wanted, standings, st.randoms(use_true_random=False))
def test_any_order_of_undoing_restores_every_group(merges, known, random):
    book = Book(known)
    for parts in merges:
        book.merge(*parts)
    while True:
        told = {frozenset(group.parts) for group in book.groups.values()}
        assert told == by_hand(book.merges)
        for group in book.groups.values():
            assert group.head == head_of(group.parts, known)
            assert all(book.groups[part] == group for part in group.parts)
        if not book.merges:
            break
        book.undo(random.randrange(len(book.merges)))
    assert book.groups == {part: alone(part) for part in EVERYBODY}


@given(wanted, standings)
def test_undoing_the_last_one_restores_what_was_before_it(merges, known):
    book = Book(known)
    past = [dict(book.groups)]
    for parts in merges:
        past += [dict(book.groups)] if book.merge(*parts) else []
    for before in reversed(past[:-1]):
        book.undo(len(book.merges) - 1)
        assert book.groups == before


@given(wanted, standings, st.randoms(use_true_random=False))
def test_the_order_of_merges_makes_no_difference_to_who_is_one(merges, known, random):
    shuffled = random.sample(merges, len(merges))
    one, other = Book(known), Book(known)
    for parts in merges:
        one.merge(*parts)
    for parts in shuffled:
        other.merge(*parts)
    assert one.groups == other.groups


def test_an_erased_part_leads_only_where_all_are_erased():
    """What is said of a customer is sealed with the key of the one who leads."""
    book = Book({A: Standing(1), B: Standing(2), C: Standing(3)})
    book.merge(A, B)
    book.merge(B, C)
    assert book.groups[C].head == A
    book.standings[A] = Standing(1, erased=True)
    book.tell()
    assert {book.groups[part] for part in (A, B, C)} == {Group(B, (A, B, C))}
    book.standings |= {part: Standing(2, erased=True) for part in (B, C)}
    book.tell()
    assert book.groups[A].head == B, "nobody else is there: it stays as it was"
    book.undo(1)
    assert (book.groups[A].head, book.groups[C].head) == (A, C)
