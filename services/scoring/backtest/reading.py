"""A CSV of purchases, whoever wrote it, as columns."""

import csv
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from services.scoring.backtest.data import Codes, Floats, Mask, Purchases, Times
from services.scoring.backtest.errors import BacktestError
from services.scoring.backtest.headings import resolve
from services.scoring.backtest.money import read_amounts
from services.scoring.backtest.times import Order, read_times, zone

if TYPE_CHECKING:
    import pandas as pd

MISSING = frozenset({"", "na", "n/a", "nan", "nat", "null", "none", "nil", "-", "--", "?", "\\n"})
ENCODINGS = ("utf-8-sig", "gb18030", "cp1252", "latin-1")
DELIMITERS = ",;\t|"
READABLE = 0.9
"""A file whose times are read less often than this is not understood at all."""
MAX_BYTES = 4 << 30


@dataclass(frozen=True, slots=True)
class Columns:
    """Names given by hand, and how dates are to be read."""

    names: Mapping[str, str] = field(default_factory=dict)
    timezone: str = "UTC"
    order: Order | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a source gave, and what has to be said about it."""

    purchases: Purchases
    notes: tuple[str, ...] = ()


def read_csv(path: Path, columns: Columns | None = None) -> Loaded:
    """The purchases of a file. Raises BacktestError, in one sentence, where it cannot be read."""
    columns = columns or Columns()
    local = zone(columns.timezone)
    table = _table(path)
    named = resolve([str(name) for name in table.columns], columns.names)
    notes: list[str] = []

    customers, customer_names = _texts(table, named["customer"], missing=frozenset({""}))
    times, kept = _times(table, named["time"], local, columns.order, notes)
    nameless = customers < 0
    if nameless.any():
        notes.append(_count(nameless, "line", "without a customer", "left out"))
    kept &= ~nameless
    if not kept.any():
        raise BacktestError(f"No line of {path} has both a customer and a time.")

    amounts, quantities = _amounts(table, named, kept, notes)
    category, categories = _texts(table, named.get("category"))
    product, products = _texts(table, named.get("product"))
    currency, currencies = _texts(table, named.get("currency"), _code)
    purchases = Purchases(
        customer=customers,
        time=times,
        amount=amounts,
        category=category,
        product=product,
        quantity=quantities,
        currency=currency,
        customers=customer_names,
        categories=categories,
        products=products,
        currencies=currencies,
    )
    order = np.flatnonzero(kept)[np.argsort(times[kept], kind="stable")]
    return Loaded(purchases.take(order), tuple(notes))


def _table(path: Path) -> "pd.DataFrame":
    """All columns as categories of texts: each distinct text is read once."""
    import pandas as pd

    raw = _bytes(path)
    encoding = _encoding(raw)
    head = raw[: 1 << 16].decode(encoding, errors="replace")
    delimiter = _delimiter(head)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", pd.errors.ParserWarning)
            table = pd.read_csv(
                BytesIO(raw),
                sep=delimiter,
                dtype="category",
                keep_default_na=False,
                na_values=[],
                encoding=encoding,
                skipinitialspace=True,
                index_col=False,
                engine="c",
            )
        if caught:
            _check_width(path, raw.decode(encoding), delimiter)
    except pd.errors.EmptyDataError:
        raise BacktestError(f"{path} is empty.") from None
    except (pd.errors.ParserError, ValueError) as error:
        why = str(error).removeprefix("Error tokenizing data. C error: ").strip()
        raise BacktestError(f"{path} is not a CSV: {why}.") from None
    if table.empty:
        raise BacktestError(f"{path} has a heading but no line below it.")
    return table


def _check_width(path: Path, text: str, delimiter: str) -> None:
    """Raise BacktestError for the first line with more than the heading; a trailing sign is none."""
    lines = csv.reader(StringIO(text), delimiter=delimiter, skipinitialspace=True)
    width = len(next(lines))
    for line in lines:
        if any(field.strip() for field in line[width:]):
            raise BacktestError(
                f"Line {lines.line_num} of {path} has {len(line)} fields, the heading has {width}."
            )


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BacktestError(f"{path} is larger than {MAX_BYTES >> 30} GiB.")
        raw = path.read_bytes()
        if path.suffix == ".gz":
            import gzip

            raw = gzip.decompress(raw)
    except OSError as error:
        raise BacktestError(f"{path} cannot be read: {error.strerror or error}.") from None
    if not raw.strip():
        raise BacktestError(f"{path} is empty.")
    return raw


def _encoding(raw: bytes) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    for encoding in ENCODINGS:
        try:
            raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    return ENCODINGS[-1]


def _delimiter(head: str) -> str:
    line = next((line for line in head.splitlines() if line.strip()), "")
    counts = Counter({sign: line.count(sign) for sign in DELIMITERS})
    sign, count = counts.most_common(1)[0]
    return sign if count else ","


def _texts(
    table: "pd.DataFrame",
    heading: str | None,
    form: Callable[[str], str] = str.strip,
    missing: frozenset[str] = MISSING,
) -> tuple[Codes, list[str]]:
    """Codes and stripped names in alphabetical order; -1 where there is no text.

    Customers may be called `NA` or `None`: for them only an empty text is `missing`.
    """
    if heading is None:
        return np.full(len(table), -1, dtype=np.int32), []
    column = table[heading].cat
    texts = [form(str(text)) for text in column.categories]
    names = sorted({text for text in texts if text.lower() not in missing})
    index = {name: code for code, name in enumerate(names)}
    new = np.array([*(index.get(text, -1) for text in texts), -1], dtype=np.int32)
    return new[column.codes.to_numpy()], names


def _code(text: str) -> str:
    """`eur` and `EUR` are one currency."""
    return text.strip().upper()


def _times(
    table: "pd.DataFrame",
    heading: str,
    local: ZoneInfo,
    order: Order | None,
    notes: list[str],
) -> tuple[Times, Mask]:
    column = table[heading].cat
    texts = [str(text).strip() for text in column.categories]
    distinct = read_times(texts, local, order)
    codes = column.codes.to_numpy()
    times = np.append(distinct, np.datetime64("NaT", "us"))[codes]
    unread = np.isnat(times)
    if unread.any():
        example = next((texts[code] for code in codes[unread] if code >= 0), "")
        share = 1 - unread.mean()
        if share < READABLE:
            raise BacktestError(
                f"Only {share:.0%} of the column {heading!r} can be read as times; "
                f"{example!r} cannot: name another with --time-column."
            )
        notes.append(_count(unread, "line", f"whose time cannot be read ({example!r})", "left out"))
    return times, ~unread


def _amounts(
    table: "pd.DataFrame", named: Mapping[str, str], kept: Mask, notes: list[str]
) -> tuple[Floats, Floats]:
    """Amounts and quantities of all lines."""
    quantity = _numbers(table, named.get("quantity"))
    if "amount" in named:
        amount = _numbers(table, named["amount"])
    else:
        amount = quantity * _numbers(table, named["price"])
        notes.append("There is no amount: quantity times price is taken.")
    missing = np.isnan(amount) & kept
    if missing[kept].all():
        raise BacktestError(
            f"The column {named.get('amount', named.get('price'))!r} has no number; "
            "name another with --amount-column."
        )
    if missing.any():
        notes.append(_count(missing, "line", "without an amount", "counts as a purchase of 0"))
    refunds = kept & (amount < 0)
    if refunds.any():
        notes.append(_count(refunds, "line", "with a negative amount", "taken as a refund"))
    quantity = np.where(np.isnan(quantity), np.where(amount < 0, -1.0, 1.0), quantity)
    return amount, quantity


def _numbers(table: "pd.DataFrame", heading: str | None) -> Floats:
    if heading is None:
        return np.full(len(table), np.nan)
    column = table[heading].cat
    distinct = read_amounts([str(text).strip() for text in column.categories])
    return np.append(distinct, np.nan)[column.codes.to_numpy()]


def _count(chosen: Mask, one: str, what: str, then: str) -> str:
    count = int(chosen.sum())
    return f"{count:,} {one}{'s' if count > 1 else ''} {what} ({chosen.mean():.1%}): {then}."
