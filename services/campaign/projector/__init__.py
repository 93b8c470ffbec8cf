"""The audience as a fold: pure, in any order, without I/O and without a clock."""

from services.campaign.projector.announce import EMITS, Told, announce, leave, tell
from services.campaign.projector.derive import derive
from services.campaign.projector.evolve import CONSUMES, decoded, evolve, item_keys
from services.campaign.projector.state import Audience, Item, forget, merge, needs_items, walk
from services.campaign.projector.view import View

__all__ = [
    "CONSUMES",
    "EMITS",
    "Audience",
    "Item",
    "Told",
    "View",
    "announce",
    "decoded",
    "derive",
    "evolve",
    "forget",
    "item_keys",
    "leave",
    "merge",
    "needs_items",
    "tell",
    "walk",
]
