"""Settings of profile, prefix PROFILE_."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Beside what every service has. Times in seconds."""

    model_config = SettingsConfigDict(env_prefix="PROFILE_", extra="ignore")

    scoring_seconds: float = Field(
        1.0, gt=0, description="How long `?include=scores` waits for scoring's answer."
    )
    identities_seconds: float = Field(
        5.0, gt=0, description="How long creating a customer waits for interaction's answer."
    )
