"""The profile of a customer as a fold: pure, in any order, without I/O and without a clock."""

from services.profile.projector.announce import Told, announce, tell
from services.profile.projector.derive import ERASED, derive, needs_items, path, turns_at, walk
from services.profile.projector.evolve import evolve
from services.profile.projector.items import Item
from services.profile.projector.state import Profile, edited_last, merge
from services.profile.projector.view import View
from services.profile.projector.walked import item_keys

__all__ = [
    "ERASED",
    "Item",
    "Profile",
    "Told",
    "View",
    "announce",
    "derive",
    "edited_last",
    "evolve",
    "item_keys",
    "merge",
    "needs_items",
    "path",
    "tell",
    "turns_at",
    "walk",
]
