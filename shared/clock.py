"""The one wall clock, at the edge. Everything below it is handed its time."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from shared.settings import KernelSettings

Clock = Callable[[], datetime]


def edge_clock(settings: KernelSettings) -> Clock:
    """The wall clock in UTC, moved by `CLOCK_OFFSET` or fixed by `CLOCK_NOW`."""
    fixed = settings.clock_now
    if fixed is not None:
        at = fixed if fixed.tzinfo else fixed.replace(tzinfo=UTC)
        return lambda: at.astimezone(UTC)
    offset = timedelta(seconds=settings.clock_offset)
    return lambda: datetime.now(UTC) + offset
