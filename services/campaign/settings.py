"""Settings of campaign, prefix CAMPAIGN_."""

from typing import Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.campaign.messaging.addresses import sender_of
from services.campaign.messaging.server import mail_server
from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Beside what every service has: how mail is sent, and when marketing is not."""

    model_config = SettingsConfigDict(env_prefix="CAMPAIGN_", extra="ignore")

    smtp_url: str = Field(
        "",
        description="Mail server: smtp://user:password@host:port (STARTTLS; demanded where there is a user, else used"
        " where it is offered; ?starttls=required or optional says otherwise) or smtps://...; empty: no mail is sent.",
    )
    mail_from: str = Field(
        "",
        description="Who sends mail: an address, or a name and `<address>`. Needed with SMTP_URL.",
    )
    mail_at_once: int = Field(
        4, ge=1, le=100, description="Messages that are handed to the mail server at once."
    )
    mail_seconds: float = Field(60, gt=0, description="How long handing over one message may take.")
    quiet_hours: str = Field(
        "21:00-08:00",
        pattern=r"^(([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)?$",
        description="When marketing waits, in TIMEZONE; empty: never.",
    )
    marketing_cap: int = Field(
        3,
        ge=0,
        description="Most marketing messages to one customer within MARKETING_CAP_DAYS; 0: no limit.",
    )
    marketing_cap_days: int = Field(
        7, ge=1, le=90, description="Days that MARKETING_CAP speaks of."
    )
    message_days: int = Field(
        365, ge=90, description="Days that a message is kept after it was sent, or was not."
    )

    @field_validator("smtp_url")
    @classmethod
    def _is_a_server(cls, value: str) -> str:
        mail_server(value)
        return value

    @field_validator("mail_from")
    @classmethod
    def _is_a_sender(cls, value: str) -> str:
        sender_of(value)
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.smtp_url and not self.mail_from:
            raise ValueError("CAMPAIGN_MAIL_FROM is needed with CAMPAIGN_SMTP_URL")
        return self
