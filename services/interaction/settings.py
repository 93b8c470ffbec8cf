"""Settings of interaction, prefix INTERACTION_."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Beside what every service has."""

    model_config = SettingsConfigDict(env_prefix="INTERACTION_", extra="ignore")

    in_flight_bytes: int = Field(
        64 << 20, ge=1 << 20, description="Bytes of events being written to the log; above it 503."
    )
    segment_currency: str = Field(
        "",
        pattern=r"^([A-Z]{3})?$",
        description="Currency of orders that come by Segment's API without one; empty: they are rejected.",
    )
    webhooks_private: bool = Field(
        False,
        description="Whether webhooks may go to loopback and private addresses, and there over http.",
    )
    webhooks_seconds: float = Field(
        15, gt=0, le=60, description="How long sending one webhook may take."
    )
    webhooks_days: int = Field(
        30, ge=1, description="Days that deliveries of webhooks are kept once they are done."
    )
