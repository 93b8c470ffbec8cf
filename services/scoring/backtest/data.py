"""Purchases as columns: what every back-test reads, whether they came from a file or the log."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]
Days = NDArray[np.int64]
Mask = NDArray[np.bool_]
Times = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class Purchases:
    """Lines of purchases and refunds in the order of time, one array per column.

    A customer, category, product or currency is a code: an index into the names beside it, in
    alphabetical order; -1 where the line has none. Several lines may belong to one basket: count
    purchase *days* (`day`) of lines that are purchases (`is_purchase`), not lines.
    """

    customer: Codes
    time: Times
    """`datetime64[us]`, the wall clock of the shop's time zone, without a zone."""
    amount: Floats
    """Money of the line, in its currency; negative for a refund; nan where it is missing."""
    category: Codes
    product: Codes
    quantity: Floats
    """Units; 1 where the source does not say, -1 then for a refund."""
    currency: Codes
    customers: Sequence[str]
    categories: Sequence[str] = ()
    products: Sequence[str] = ()
    currencies: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.customer)

    @property
    def day(self) -> Days:
        """Local days since 1970-01-01."""
        return self.time.astype("datetime64[D]").astype(np.int64)

    @property
    def is_purchase(self) -> Mask:
        """False for refunds. A free line, or one whose amount is missing, is a purchase."""
        return ~((self.amount < 0) | (self.quantity < 0))

    def take(self, chosen: Mask | NDArray[np.intp]) -> "Purchases":
        """The chosen lines, by mask or by index; names and codes stay as they are."""
        return replace(
            self,
            customer=self.customer[chosen],
            time=self.time[chosen],
            amount=self.amount[chosen],
            category=self.category[chosen],
            product=self.product[chosen],
            quantity=self.quantity[chosen],
            currency=self.currency[chosen],
        )

    def before(self, cut: datetime | np.datetime64) -> "Purchases":
        """What was known at the cut (naive, in the shop's zone): lines earlier than it."""
        return self.take(self.time < _microseconds(cut))

    def since(self, cut: datetime | np.datetime64) -> "Purchases":
        """Lines at the cut or later: the truth that a prediction made at the cut is held to."""
        return self.take(self.time >= _microseconds(cut))

    def main_currency(self) -> str | None:
        """The currency of most lines; the first of the alphabet among equals; None without any."""
        known = self.currency[self.currency >= 0]
        if not known.size:
            return None
        return self.currencies[int(np.bincount(known).argmax())]

    def in_currency(self, main: str | None) -> "Purchases":
        """The same lines, the amounts of other currencies missing: they are never added up.

        A line without a currency counts as of the main one.
        """
        if main is None:
            return self
        other = (self.currency >= 0) & (self.currency != list(self.currencies).index(main))
        return replace(self, amount=np.where(other, np.nan, self.amount))

    def frame(self) -> "pd.DataFrame":
        """As a `pandas.DataFrame` of customer, time, amount, category, product, quantity.

        Names instead of codes (categorical columns; missing where a line has none).
        """
        import pandas as pd

        def named(codes: Codes, names: Sequence[str]) -> Any:
            return pd.Categorical.from_codes(codes.tolist(), categories=pd.Index(list(names)))

        return pd.DataFrame(
            {
                "customer": named(self.customer, self.customers),
                "time": self.time,
                "amount": self.amount,
                "category": named(self.category, self.categories),
                "product": named(self.product, self.products),
                "quantity": self.quantity,
            }
        )


def _microseconds(cut: datetime | np.datetime64) -> np.datetime64:
    moment: np.datetime64 = np.array([cut], dtype="datetime64[us]")[0]
    return moment


def coded(values: Sequence[str | None]) -> tuple[Codes, list[str]]:
    """Codes and names in alphabetical order; -1 for None."""
    names = sorted({value for value in values if value is not None})
    index = {name: code for code, name in enumerate(names)}
    codes = [-1 if value is None else index[value] for value in values]
    return np.array(codes, dtype=np.int32), names
