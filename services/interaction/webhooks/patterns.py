"""Which events an endpoint wants: `purchase.completed`, `lifecycle.*`, `*`."""

from collections.abc import Collection
from functools import lru_cache

from shared.language import EVENT_TYPES
from shared.language.stream import EVENTS as OF_THE_STREAM

ALL = "*"
TEST = "webhook.test"
"""What is sent to try an endpoint; no event."""

TYPES = frozenset(EVENT_TYPES) - {kind.name for kind in OF_THE_STREAM}
"""Of events that are about a customer."""
PATTERNS = [ALL, *sorted(TYPES | {f"{one.partition('.')[0]}.*" for one in TYPES})]
"""Whatever may be wanted."""


def is_pattern(text: str) -> bool:
    """Whether it names at least one type."""
    return bool(types_of((text,)))


@lru_cache(maxsize=256)
def types_of(patterns: tuple[str, ...]) -> frozenset[str]:
    """The types that any of them names."""
    return frozenset(one for one in TYPES if _is_named(one, patterns))


def _is_named(type_: str, patterns: Collection[str]) -> bool:
    family, _, _ = type_.partition(".")
    return ALL in patterns or type_ in patterns or f"{family}.*" in patterns
