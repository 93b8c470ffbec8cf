"""Money is exact: strings in, minor units inside, the same strings out."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.language.currencies import DECIMALS
from shared.language.money import (
    LIMIT,
    MAX_MINOR,
    AmountError,
    Money,
    canonical,
    canonical_price,
    decimals,
    is_canonical,
    major,
    minor,
)

currencies = st.sampled_from(sorted(DECIMALS))


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("12.50", "CNY", "12.50"),
        ("12.5", "CNY", "12.50"),
        ("12", "CNY", "12.00"),
        ("12.500", "CNY", "12.50"),
        ("0012.50", "CNY", "12.50"),
        ("0", "CNY", "0.00"),
        ("-0.00", "CNY", "0.00"),
        ("-3", "CNY", "-3.00"),
        ("-0.05", "CNY", "-0.05"),
        (12, "CNY", "12.00"),
        (35.8, "CNY", "35.80"),
        (1e2, "CNY", "100.00"),
        ("1250", "JPY", "1250"),
        ("1250.00", "JPY", "1250"),
        (1250.0, "JPY", "1250"),
        ("1.25", "KWD", "1.250"),
        ("1.2345", "CLF", "1.2345"),
        ("999999999999999.99", "CNY", "999999999999999.99"),
    ],
)
def test_amounts_get_their_canonical_form(amount, currency, expected):
    assert canonical(amount, currency) == expected


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        ("12.345", "CNY", "too_many_decimals"),
        (0.1 + 0.2, "CNY", "too_many_decimals"),
        (1e-7, "CNY", "too_many_decimals"),
        ("12.5", "JPY", "too_many_decimals"),
        ("1000000000000000", "CNY", "not_below"),
        (10**15, "CNY", "not_below"),
        (2**70, "CNY", "not_below"),
        (1e300, "CNY", "not_below"),
        (float("inf"), "CNY", "not_below"),
        ("922337203685477.5808", "CLF", "not_below"),
        ("9" * 40, "CNY", "not_below"),
        ("9" * 41, "CNY", "invalid_amount"),
        (float("nan"), "CNY", "invalid_amount"),
        ("NaN", "CNY", "invalid_amount"),
        ("Infinity", "CNY", "invalid_amount"),
        ("1e3", "CNY", "invalid_amount"),
        ("1,234.50", "CNY", "invalid_amount"),
        (" 1", "CNY", "invalid_amount"),
        ("1\n", "CNY", "invalid_amount"),
        ("+1", "CNY", "invalid_amount"),
        (".5", "CNY", "invalid_amount"),
        ("", "CNY", "invalid_amount"),
        ("１２", "CNY", "invalid_amount"),
        (True, "CNY", "invalid_amount"),
        (None, "CNY", "invalid_amount"),
        ([], "CNY", "invalid_amount"),
        ("1", "XXX", "unknown_currency"),
        ("1", "cny", "unknown_currency"),
        ("1", "XAU", "unknown_currency"),
    ],
)
def test_what_is_no_money_is_refused(amount, currency, code):
    with pytest.raises(AmountError) as caught:
        canonical(amount, currency)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("price", "expected"),
    [("1.5", "1.50"), ("1.66660", "1.6666"), ("0.000001", "0.000001"), (0.00001, "0.00001")],
)
def test_unit_prices_may_be_finer_than_the_currency(price, expected):
    assert canonical_price(price, "CNY") == expected


@pytest.mark.parametrize(
    ("price", "code"),
    [
        ("1.6666667", "too_many_decimals"),
        ("1000000000000000.5", "not_below"),
        ("x", "invalid_amount"),
    ],
)
def test_unit_prices_have_bounds_too(price, code):
    with pytest.raises(AmountError) as caught:
        canonical_price(price, "CNY")
    assert caught.value.code == code


def test_a_fine_unit_price_is_below_the_limit():
    with pytest.raises(AmountError) as caught:
        canonical_price("1000000000000000.123", "CNY")
    assert caught.value.code == "not_below"


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1250, "CNY", "12.50"),
        (1250, "JPY", "1250"),
        (1250, "KWD", "1.250"),
        (5, "CNY", "0.05"),
        (0, "CNY", "0.00"),
        (-5, "CNY", "-0.05"),
        (-1250, "JPY", "-1250"),
        (MAX_MINOR * 3, "CNY", "276701161105643274.21"),
    ],
)
def test_sums_of_minor_units_are_written_in_major_units(amount, currency, text):
    assert major(amount, currency) == text


@settings(deadline=None)
@given(st.integers(-MAX_MINOR, MAX_MINOR), currencies)
def test_there_and_back_is_the_same(amount, currency):
    text = major(amount, currency)
    if abs(Decimal(text)) < LIMIT:
        assert minor(Money(text, currency)) == amount
        assert canonical(text, currency) == text


@settings(deadline=None)
@given(st.integers(0, LIMIT - 1), st.integers(0, 9_999), st.sampled_from(["", "-"]), currencies)
def test_no_value_is_changed(whole, fraction, sign, currency):
    places = decimals(currency)
    text = f"{sign}{whole}.{fraction % 10**places:0{places}d}" if places else f"{sign}{whole}"
    value = Decimal(text)
    if abs(value).scaleb(places) > MAX_MINOR:
        with pytest.raises(AmountError, match="not_below"):
            canonical(text, currency)
        return
    written = canonical(text, currency)
    assert Decimal(written) == value
    assert minor(Money(written, currency)) == value.scaleb(places)


def test_currencies():
    assert {decimals("CNY"), decimals("USD"), decimals("EUR")} == {2}
    assert (decimals("JPY"), decimals("KWD"), decimals("CLF")) == (0, 3, 4)
    assert all(len(code) == 3 and code.isupper() for code in DECIMALS)
    with pytest.raises(KeyError):
        decimals("XXX")


_amounts = st.one_of(
    st.from_regex(r"-?[0-9]{1,16}(\.[0-9]{0,4})?", fullmatch=True),
    st.sampled_from(["", "0", "0.00", "00.10", "1e3", "1.5", "-0.00", " 1.00", "1.00\n", "１.00"]),
    st.integers(-(10**16), 10**16),
    st.floats(),
    st.none(),
    st.booleans(),
)


@given(_amounts, st.one_of(currencies, st.sampled_from(["", "XXL", "cny"])))
def test_what_is_canonical_already_is_what_stays_as_it_is(amount, currency):
    """The short way takes no amount that the long one would change, refuse or find below zero."""
    try:
        made = canonical(amount, currency)
    except AmountError:
        assert not is_canonical(amount, currency)
        return
    if is_canonical(amount, currency):
        assert made is amount
        assert not made.startswith("-")
    else:
        assert made != amount or minor(Money(made, currency)) >= 10**14 or made.startswith("-")
