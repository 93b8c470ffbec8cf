"""Profile as the kernel sees it."""

from services.profile.claims import claims
from services.profile.merging import automation, journal
from services.profile.projection import PROFILE
from services.profile.recalling import recall
from services.profile.tables import metadata
from shared.service import Service

SERVICE = Service(
    name="profile",
    metadata=metadata,
    projections=(PROFILE,),
    journals=(journal.JOURNAL,),
    claims=claims,
    recall=recall,
    tasks=(automation.TASK,),
    version=2,
)
