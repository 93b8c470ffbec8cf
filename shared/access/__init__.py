"""Who calls: API keys, what they may do, and the dependency that asks."""

from shared.access.access import Access
from shared.access.caller import SCOPES, Caller
from shared.access.require import require

__all__ = ["SCOPES", "Access", "Caller", "require"]
