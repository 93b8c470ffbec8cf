"""The rows that are written: what holds for any table of purchases."""

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.backtest.data import Purchases
from services.scoring.recommend import Row, recommend_rows
from tests.scoring.recommend.shops import CUT, Line, purchases, shop


def check(lines: list[Line], rows: list[Row], level: str) -> None:
    """Everything that must hold of rows, whatever was bought."""
    bought = defaultdict(set)
    known = set()
    for customer, day, product, category in lines:
        if day > 0:
            item = product if level == "product" else category
            bought[customer] |= {item} - {None}
            known |= {item} - {None}
    lists: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        lists[row.customer, row.list].append(row)
    assert {name for _, name in lists} <= {"again", "new"}
    for (customer, name), told in lists.items():
        items = [row.item for row in told]
        assert [row.rank for row in told] == list(range(1, len(told) + 1))
        assert len(told) <= 10
        assert len(set(items)) == len(items)
        assert set(items) <= (bought[customer] if name == "again" else known - bought[customer])
    for customer, had in bought.items():
        assert len(lists[customer, "new"]) == min(10, len(known - had))


@pytest.mark.parametrize("level", ["category", "product"])
def test_lists_are_dense_distinct_and_apart(level: str) -> None:
    lines = shop()
    rows = recommend_rows(purchases(lines), CUT, level)
    check(lines, rows, level)
    assert {row.list for row in rows} == {"again", "new"}


NAMES = st.one_of(st.none(), st.sampled_from(["a", "b", "c", "d"]))
LINES = st.lists(
    st.tuples(st.sampled_from(["u", "v", "w"]), st.integers(-40, 120), NAMES, NAMES), max_size=40
)


@given(LINES, st.sampled_from(["category", "product"]))
@settings(max_examples=40)
def test_any_table_gives_proper_lists(lines: list[Line], level: str) -> None:
    check(lines, recommend_rows(purchases(lines), CUT, level), level)


def test_what_comes_after_the_cut_changes_nothing() -> None:
    lines = shop(customers=60)
    past = [line for line in lines if line[1] > 0]
    whole = recommend_rows(purchases(lines), CUT, "product")
    assert whole == recommend_rows(purchases(past), CUT, "product")


def shuffled(table: Purchases, seed: int) -> Purchases:
    order = np.random.default_rng(seed).permutation(len(table))
    columns = ("customer", "time", "amount", "category", "product", "quantity", "currency")
    return replace(table, **{name: getattr(table, name)[order] for name in columns})


def test_the_order_of_lines_changes_nothing() -> None:
    table = purchases(shop())
    assert recommend_rows(table, CUT, "product") == recommend_rows(
        shuffled(table, 1), CUT, "product"
    )


def test_the_ids_of_customers_change_nothing() -> None:
    lines = shop()
    names = sorted({line[0] for line in lines})
    drawn = np.random.default_rng(5).permutation(len(names))
    other = {name: f"x{drawn[n]}" for n, name in enumerate(names)}
    rows = recommend_rows(purchases(lines), CUT, "product")
    renamed = recommend_rows(purchases([(other[c], *rest) for c, *rest in lines]), CUT, "product")
    assert sorted(row._replace(customer=other[row.customer]) for row in rows) == sorted(renamed)


def test_the_same_seed_gives_the_same_rows() -> None:
    table = purchases(shop(customers=60))
    assert recommend_rows(table, CUT, "product") == recommend_rows(table, CUT, "product")


def test_nothing_before_the_cut_gives_no_rows() -> None:
    assert recommend_rows(purchases([]), CUT, "product") == []
    assert recommend_rows(purchases([("a", -3, "p", "k")]), CUT, "product") == []


def test_one_customer_with_one_item() -> None:
    rows = recommend_rows(purchases([("a", 40, "p", "k")]), CUT, "category")
    assert rows == [Row("a", "again", 1, "k")]


def test_one_category_has_nothing_new() -> None:
    lines = [(f"c{n}", 20 + n % 60, None, "k") for n in range(200)]
    assert {row.list for row in recommend_rows(purchases(lines), CUT, "category")} == {"again"}


def test_who_bought_nothing_with_a_name_is_told_what_is_popular() -> None:
    lines: list[Line] = [
        ("a", 9, "p", None),
        ("b", 9, "p", None),
        ("b", 8, "q", None),
        ("c", 5, None, None),
    ]
    rows = recommend_rows(purchases(lines), CUT, "product")
    assert [row for row in rows if row.customer == "c"] == [
        Row("c", "new", 1, "p"),
        Row("c", "new", 2, "q"),
    ]


def test_a_shop_where_nobody_ever_repeats() -> None:
    random = np.random.default_rng(0)
    lines = [
        (f"c{n}", int(day), f"p{item}", None)
        for n in range(150)
        for day, item in zip(
            random.integers(1, 200, 5), random.choice(30, 5, replace=False), strict=True
        )
    ]
    check(lines, recommend_rows(purchases(lines), CUT, "product"), "product")


def test_more_items_than_ease_can_take(monkeypatch: pytest.MonkeyPatch) -> None:
    from services.scoring.recommend import fitting

    few = fitting.fit_ease
    monkeypatch.setattr(fitting, "fit_ease", lambda histories, shelf: few(histories, shelf, 15))
    lines = shop()
    rows = recommend_rows(purchases(lines), CUT, "product")
    assert {row.list for row in rows} == {"again", "new"}
    assert len({row.item for row in rows if row.list == "again"}) > 15


def test_refunds_are_no_purchases() -> None:
    table = purchases([("a", 40, "p", None), ("a", 40, "q", None)], quantity=[1.0, -1.0])
    assert {row.item for row in recommend_rows(table, CUT, "product")} == {"p"}


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="category, product"):
        recommend_rows(purchases([]), CUT, "brand")
