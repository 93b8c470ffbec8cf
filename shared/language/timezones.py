"""Names of time zones, as publishers write them (IANA)."""

from functools import cache
from zoneinfo import available_timezones


@cache
def _names() -> frozenset[str]:
    return frozenset(available_timezones())


def is_timezone(name: str) -> bool:
    """Say whether this is the name of an IANA time zone."""
    return name in _names()
