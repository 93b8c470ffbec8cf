"""Interaction as the kernel sees it."""

from services.interaction.journal import JOURNAL
from services.interaction.recalling import recall
from services.interaction.tables import metadata
from services.interaction.ticking import ticking
from shared.service import Service
from shared.settings import KernelSettings

SERVICE = Service(
    name="interaction",
    metadata=metadata,
    journals=(JOURNAL,),
    tasks=(ticking(KernelSettings().clock_tick_seconds),),
    recall=recall,
)
