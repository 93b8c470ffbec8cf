"""Settings of scoring, prefix SCORING_."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """What every service has, when models are trained, and whose holidays forecasts know."""

    model_config = SettingsConfigDict(env_prefix="SCORING_", extra="ignore")

    train_days: int = Field(
        7,
        ge=0,
        le=365,
        description="Every so many days the churn model is trained anew on the log; 0: only when somebody asks.",
    )
    country: str = Field(
        "CN",
        pattern=r"^([A-Z]{2})?$",
        description="Country (ISO 3166) whose public holidays forecasts know; empty: none.",
    )
