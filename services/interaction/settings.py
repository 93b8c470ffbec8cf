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
