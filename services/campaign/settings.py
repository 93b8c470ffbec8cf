"""Settings of campaign, prefix CAMPAIGN_."""

from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """What every service has."""

    model_config = SettingsConfigDict(env_prefix="CAMPAIGN_", extra="ignore")
