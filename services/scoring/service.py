"""Scoring as the kernel sees it."""

from services.scoring.projection import SCORES
from services.scoring.publishing import FIT
from services.scoring.reviewing import REVIEW
from services.scoring.tables import metadata
from shared.service import Service

SERVICE = Service(
    name="scoring", metadata=metadata, projections=(SCORES,), tasks=(FIT, REVIEW), version=2
)
