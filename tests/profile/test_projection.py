"""From the view to the row: typed columns, searchable names."""

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.profile.names import sort_name, spellings
from services.profile.projection import COLUMNS, PROFILE, search
from services.profile.tables import profile
from shared.language import CustomerDescribed, CustomerNumbered, IdentifiersAdded
from shared.language.money import MAX_MINOR, major
from tests.profile.folding import Story


def test_the_row_has_every_column() -> None:
    told = Story()(0, CustomerDescribed({"name": "李雷", "region": "上海", "industry": 7}))
    told.buys(1, amount=1250)(2, IdentifiersAdded({"member_no": "M1"}))
    row = dict(zip(COLUMNS, PROFILE.row(told.view(2)), strict=True))
    assert row["lifecycle"] == "new"
    assert row["region"] == "上海"
    assert row["industry"] == "7"
    assert row["spend"] == 12.5
    assert row["orders"] == 1
    assert row["tags"] == '["industry:7","region:上海"]'
    assert row["sort_name"] == "lilei"
    assert row["search"] == "李雷\nlilei\nll\nmember_no:m1"
    assert set(COLUMNS) <= set(profile.columns.keys())


def test_the_row_of_nobody() -> None:
    row = dict(zip(COLUMNS, PROFILE.row(Story().view()), strict=True))
    assert row["lifecycle"] == "prospect"
    assert row["spend"] is None
    assert row["search"] == ""


def test_long_things_fit_the_indexes() -> None:
    told = Story()(
        0, CustomerDescribed({"name": "安" * 1000, "owner": "x" * 4000, "region": "y" * 4000})
    )
    row = dict(zip(COLUMNS, PROFILE.row(told.view()), strict=True))
    assert all(len(row[name]) <= 200 for name in ("owner", "region", "sort_name"))
    assert len(row["search"]) <= 8000
    assert all(len(tag) <= 130 for tag in row["tags"].split(","))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Zoe Li", ("zoe li",)),
        ("重庆银行", ("重庆银行", "chongqingyinhang", "cqyh")),
        ("Acme 上海", ("acme 上海", "acmeshanghai", "ash")),
    ],
)
def test_spellings(name: str, found: tuple[str, ...]) -> None:
    assert spellings(name) == found


def test_names_sort_by_their_sound() -> None:
    names = ["Zoe", "安娜", "Bob", "李雷", "", None]
    assert sorted(filter(None, map(sort_name, names))) == ["anna", "bob", "lilei", "zoe"]


def test_numbers_are_searched() -> None:
    told = Story()(0, CustomerNumbered("C2026000001"), IdentifiersAdded({"email": "A@b.cn"}))
    assert search(told.view()) == "c2026000001\nemail:a@b.cn"


@given(st.integers(-MAX_MINOR, MAX_MINOR), st.sampled_from(("CNY", "JPY", "KWD")))
@example(-5, "CNY")
def test_spend_is_the_number_nearest_to_what_is_written(spend: int, currency: str) -> None:
    view = msgspec.structs.replace(Story().view(), currency=currency, spend={currency: spend})
    row = dict(zip(COLUMNS, PROFILE.row(view), strict=True))
    assert row["spend"] == float(major(spend, currency))
