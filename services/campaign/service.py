"""Campaign as the kernel sees it."""

from services.campaign.journal import HISTORY
from services.campaign.projection import AUDIENCE
from services.campaign.recalling import recall
from services.campaign.tables import metadata
from shared.service import Service

SERVICE = Service(
    name="campaign",
    metadata=metadata,
    projections=(AUDIENCE,),
    journals=(HISTORY,),
    recall=recall,
    version=2,
)
