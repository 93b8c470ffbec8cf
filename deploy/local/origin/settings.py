"""Settings of the origin, with the prefix ORIGIN_; services' addresses are <SERVICE>_URL."""

from pathlib import Path

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _address(service: str) -> str:
    name = f"{service}_url"
    field: str = Field("", validation_alias=AliasChoices(name.upper(), name))
    return field


class OriginSettings(BaseSettings):
    """Where the origin listens and what it fronts."""

    model_config = SettingsConfigDict(env_prefix="ORIGIN_", extra="ignore")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    interaction_url: str = _address("interaction")
    profile_url: str = _address("profile")
    scoring_url: str = _address("scoring")
    campaign_url: str = _address("campaign")
    requests_at_once: int = Field(
        500, ge=1, description="Requests handed to one service at once; above it 503."
    )
    body_seconds: float = Field(
        20, gt=0, description="How long a client may take to send a body; then 408."
    )
    answer_seconds: float = Field(
        30, gt=0, description="How long a service may be silent; then 503."
    )
    key_file: Path | None = Field(None, description="Holds the key for the page's own questions.")
    processes_file: Path | None = Field(None, description="Names every process and its address.")

    @property
    def services(self) -> dict[str, str]:
        """Base address of each service's API process, without a trailing slash."""
        named = {
            "interaction": self.interaction_url,
            "profile": self.profile_url,
            "scoring": self.scoring_url,
            "campaign": self.campaign_url,
        }
        return {name: url.rstrip("/") for name, url in named.items() if url}
