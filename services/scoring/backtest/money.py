"""Amounts as people write them in files."""

import re
from collections.abc import Sequence
from math import isfinite, nan

import numpy as np

from services.scoring.backtest.data import Floats

_KEPT = re.compile(r"[^0-9.,eE+\-]")
_EXPONENT = re.compile(r"^[+-]?[0-9.,]+[eE][+-]?\d+$")


def read_amounts(texts: Sequence[str]) -> Floats:
    """Each text as a number; nan where it is none.

    Signs of currencies, blanks and thousands separators are dropped; (12.00) and 12.00- are
    negative. A comma is decimal where it comes last of both signs, or where no text of the column
    could have it as a thousands separator.
    """
    comma = _is_comma_decimal(texts)
    return np.array([_number(text, comma) for text in texts], dtype=np.float64)


def _is_comma_decimal(texts: Sequence[str]) -> bool:
    """Whether the column writes 1.234,50."""
    votes = 0
    for text in texts:
        comma, point = text.rfind(","), text.rfind(".")
        if comma >= 0 and point >= 0:
            votes += 1 if comma > point else -1
        elif comma >= 0:  # 12,50 is decimal, 1,234 is probably thousands
            digits = len(re.sub(r"\D", "", text[comma + 1 :]))
            votes += 1 if digits != 3 else -1 if text.count(",") > 1 else 0
        elif point >= 0 and text.count(".") > 1:
            votes += 1
    return votes > 0


def _number(text: str, comma: bool) -> float:
    try:
        value = float(text)  # the usual case
    except ValueError:
        value = _cleaned(text, comma)
    return value if isfinite(value) else nan


def _cleaned(text: str, comma: bool) -> float:
    stripped = text.replace("−", "-").strip()
    negative = stripped.startswith("(") and stripped.endswith(")")
    if not _EXPONENT.match(stripped):
        stripped = stripped.replace("e", "").replace("E", "")
    digits = _KEPT.sub("", stripped)
    if digits.endswith("-"):
        negative, digits = True, digits[:-1]
    digits = digits.replace(".", "").replace(",", ".") if comma else digits.replace(",", "")
    try:
        value = float(digits)
    except ValueError:
        return nan
    return -abs(value) if negative else value
