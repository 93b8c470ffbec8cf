"""Profile as the kernel sees it."""

from services.profile.claims import claims
from services.profile.projection import PROFILE
from services.profile.tables import metadata
from shared.service import Service

SERVICE = Service(name="profile", metadata=metadata, projections=(PROFILE,), claims=claims)
