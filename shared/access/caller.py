"""A caller, as a key names it."""

from dataclasses import dataclass
from uuid import UUID

SCOPES = ("publish", "read", "service", "sales", "marketing", "ops", "admin")
"""What a key may be for; `admin` implies all others."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key it is. `source_prefixes`: empty means any source."""

    id: UUID
    name: str
    scopes: frozenset[str]
    source_prefixes: tuple[str, ...] = ()

    def has(self, *any_of: str) -> bool:
        """Whether the key has one of the scopes."""
        return "admin" in self.scopes or not self.scopes.isdisjoint(any_of)

    def may_publish(self, source: str) -> bool:
        """Whether events may be published under this source."""
        return not self.source_prefixes or source.startswith(self.source_prefixes)
