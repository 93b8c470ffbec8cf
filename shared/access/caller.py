"""A caller, as a key or a token names it."""

from dataclasses import dataclass
from uuid import UUID

SCOPES = ("publish", "read", "service", "sales", "marketing", "ops", "admin")
"""What a key may be for; `admin` implies all others."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key or token it is. `source_prefixes`: empty means any source. `rate`: requests a second, 0 as many as
    there are; None: as the settings say."""

    id: UUID
    name: str
    scopes: frozenset[str]
    source_prefixes: tuple[str, ...] = ()
    rate: float | None = None

    def has(self, *any_of: str) -> bool:
        """Whether the key has one of the scopes."""
        return "admin" in self.scopes or not self.scopes.isdisjoint(any_of)

    def may_publish(self, source: str) -> bool:
        """Whether events may be published under this source."""
        return not self.source_prefixes or source.startswith(self.source_prefixes)

    @property
    def own_source(self) -> str:
        """The name, under the first of the prefixes where nothing may be published under the bare name."""
        may = self.may_publish(self.name)
        return self.name if may else f"{self.source_prefixes[0]}{self.name}"
