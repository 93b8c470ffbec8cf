"""Settings of scoring, prefix SCORING_."""

from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """What every service has."""

    model_config = SettingsConfigDict(env_prefix="SCORING_", extra="ignore")
