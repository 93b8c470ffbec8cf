"""Settings of scoring, prefix SCORING_."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """What every service has, and whose holidays forecasts know."""

    model_config = SettingsConfigDict(env_prefix="SCORING_", extra="ignore")

    country: str = Field(
        "CN",
        pattern=r"^([A-Z]{2})?$",
        description="Country (ISO 3166) whose public holidays forecasts know; empty: none.",
    )
