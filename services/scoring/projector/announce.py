"""What the world is told: changes of class, never numbers."""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from services.scoring.projector.view import View
from shared.language import ChurnBandChanged, MatrixChanged, RfmClassChanged
from shared.projection import Announcement

BAND_CHANGED = "score.churn_band_changed"
CLASS_CHANGED = "score.rfm_class_changed"
CELL_CHANGED = "score.matrix_changed"
EMITS = frozenset({BAND_CHANGED, CLASS_CHANGED, CELL_CHANGED})


class Told(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What was said last."""

    band: str | None = None
    rfm_class: str | None = None
    matrix: str | None = None


def announce(told: Told, view: View, at: datetime | None = None) -> list[Announcement]:
    """The difference between what was said and what is so; nothing before the first event. `at`: when what was said
    of who has no event (any more) is taken back."""
    said: list[Announcement] = []
    at = view.at or at
    if at is None:
        return said
    band = view.churn.band if view.churn else None
    if band != told.band:
        data = ChurnBandChanged(band=band, previous=told.band, model=view.model)
        said.append(Announcement(BAND_CHANGED, data, at))
    rfm_class = view.rfm.rfm_class if view.rfm else None
    if rfm_class != told.rfm_class:
        named = RfmClassChanged(rfm_class=rfm_class, previous=told.rfm_class, policy=view.policy)
        said.append(Announcement(CLASS_CHANGED, named, at))
    cell = view.matrix.cell if view.matrix else None
    if cell != told.matrix:
        moved = MatrixChanged(matrix=cell, previous=told.matrix, policy=view.rules)
        said.append(Announcement(CELL_CHANGED, moved, at))
    return said


def tell(told: Told, announcement: Announcement) -> Told:
    """What has been said after an announcement of our own."""
    match announcement.data:
        case ChurnBandChanged(band=band):
            return replace(told, band=band)
        case RfmClassChanged(rfm_class=rfm_class):
            return replace(told, rfm_class=rfm_class)
        case MatrixChanged(matrix=matrix):
            return replace(told, matrix=matrix)
        case other:
            raise TypeError(f"not said by scoring: {type(other).__name__}")
