"""Profile as the kernel sees it."""

from services.profile.claims import claims
from services.profile.erasing import journal as erasures
from services.profile.erasing import keys
from services.profile.erasing.forgetting import forget
from services.profile.merging import automation, journal
from services.profile.projection import PROFILE
from services.profile.recalling import recall
from services.profile.tables import metadata
from shared.service import Service

SERVICE = Service(
    name="profile",
    metadata=metadata,
    projections=(PROFILE,),
    journals=(journal.JOURNAL, erasures.JOURNAL),
    claims=claims,
    recall=recall,
    forget=forget,
    tasks=(automation.TASK, *keys.TASKS),
    opens=frozenset(
        {
            *("customer.described", "customer.edited", "customer.regrouped"),
            *("identifiers.linked", "tag.added", "tag.removed"),
        }
    ),
    version=3,
)
