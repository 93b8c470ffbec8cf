"""The projection of scoring: pure functions from facts to a judgement."""

from services.scoring.projector.announce import EMITS, Told, announce, tell
from services.scoring.projector.derive import derive
from services.scoring.projector.fold import (
    CONSUMES,
    SHOWS,
    evolve,
    forget,
    is_stale,
    item_keys,
    merge,
    settle,
)
from services.scoring.projector.state import Item, State
from services.scoring.projector.view import View

__all__ = [
    "CONSUMES",
    "EMITS",
    "SHOWS",
    "Item",
    "State",
    "Told",
    "View",
    "announce",
    "derive",
    "evolve",
    "forget",
    "is_stale",
    "item_keys",
    "merge",
    "settle",
    "tell",
]
