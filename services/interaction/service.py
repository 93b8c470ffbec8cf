"""Interaction as the kernel sees it."""

from services.interaction.erasing import TRIMMING, forgetting
from services.interaction.journal import JOURNAL
from services.interaction.recalling import recall
from services.interaction.tables import metadata
from services.interaction.ticking import ticking
from services.interaction.webhooks.making import deliver
from services.interaction.webhooks.missed import MISSED
from services.interaction.webhooks.sending import SENDING
from services.interaction.webhooks.trimming import TRIMMING as WEBHOOKS_TRIMMING
from shared.service import Service
from shared.settings import KernelSettings

_settings = KernelSettings()

SERVICE = Service(
    name="interaction",
    metadata=metadata,
    journals=(JOURNAL,),
    tasks=(
        ticking(_settings.clock_tick_seconds),
        TRIMMING,
        SENDING,
        MISSED,
        WEBHOOKS_TRIMMING,
    ),
    recall=recall,
    forget=forgetting(_settings.quarantine_days),
    after=deliver,
)
