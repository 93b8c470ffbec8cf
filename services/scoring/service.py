"""Scoring as the kernel sees it."""

from services.scoring.journal import BASKETS, GRIEVANCES
from services.scoring.offering.task import OFFER
from services.scoring.projection import SCORES
from services.scoring.publishing import FIT
from services.scoring.reviewing import REVIEW
from services.scoring.screening.task import SCREEN
from services.scoring.tables import metadata
from services.scoring.train.running import TRAIN
from services.scoring.train.schedule import SCHEDULE
from shared.service import Service

SERVICE = Service(
    name="scoring",
    metadata=metadata,
    projections=(SCORES,),
    journals=(BASKETS, GRIEVANCES),
    tasks=(FIT, REVIEW, OFFER, SCHEDULE, TRAIN, SCREEN),
    opens=frozenset({"customer.edited", "score.matrix_reviewed"}),
    version=5,
)
