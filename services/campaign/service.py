"""Campaign as the kernel sees it."""

from services.campaign.journal import HISTORY
from services.campaign.messaging.forgetting import forget
from services.campaign.messaging.sending import SEND
from services.campaign.messaging.trimming import TRIM
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
    forget=forget,
    tasks=(SEND, TRIM),
    opens=frozenset({"customer.described", "customer.edited"}),
    version=3,
)
