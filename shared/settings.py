"""Settings of the kernel, read from the environment; each service adds its own with its name as prefix."""

from datetime import datetime
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Language = Literal["zh", "en"]


class KernelSettings(BaseSettings):
    """What every process shares. Times in seconds unless the name says otherwise."""

    model_config = SettingsConfigDict(extra="ignore")

    event_log_url: str = Field(
        "", description="Where the log is: kafka://host:port,... or postgresql://..."
    )
    access_url: str = Field("", description="Database of the API keys.")
    keyring_url: str = Field(
        "", description="Database of the keys that personal data is encrypted with."
    )
    keyring_seconds: float = Field(
        60,
        gt=0,
        description="How long a process remembers a customer's key, and so how long an erasure takes at most.",
    )
    oidc_issuer: str = Field(
        "", description="Issuer (URL) whose tokens open the APIs beside keys; empty: none."
    )
    oidc_audience: str = Field(
        "", description="Audience that a token must name; several, any of them, by commas."
    )
    oidc_jwks_url: str = Field(
        "", description="Where the issuer's keys are; empty: as its own description says."
    )
    oidc_scope_claim: str = Field(
        "scope", description="Claim with the scopes; `a.b` leads into an object."
    )
    oidc_scopes: str = Field(
        "", description="What the issuer's names open: name=scope,...; empty: our own names do."
    )
    oidc_source_prefixes: str = Field(
        "",
        description="Tokens publish only under sources that begin with one of these; empty: any.",
    )
    rate_limit_per_second: float = Field(
        0, ge=0, description="Requests a second of one caller to one process; 0: no limit."
    )
    rate_limit_burst: int = Field(
        0, ge=0, description="Requests of one caller at once; at least one second's worth."
    )
    auth_failures_per_minute: int = Field(
        120, ge=0, description="Wrong keys and tokens of one address, a minute; 0: no limit."
    )
    trusted_proxies: str = Field(
        "127.0.0.1,::1",
        description="Addresses of proxies whose X-Forwarded-For is believed, by commas.",
    )
    requests_at_once: int = Field(
        500, ge=1, description="Requests that an API process answers at once; above it 503."
    )
    body_bytes_at_once: int = Field(
        32 << 20,
        ge=1 << 20,
        description="Bytes of bodies that an API process holds at once, unpacked; above it 503.",
    )
    body_seconds: float = Field(
        20, gt=0, description="How long a client may take to send a body; then 408."
    )
    answer_seconds: float = Field(
        20,
        gt=0,
        description="How long until an answer begins, counted from the end of the body; then 503.",
    )
    audit_days: int = Field(365, ge=1, description="Days that the audit trail is kept.")
    quarantine_days: int = Field(
        90,
        ge=1,
        description="Days that the quarantine keeps what was dealt with, and what publishers sent that nobody dealt"
        " with; what is parked stays until it is.",
    )
    namespace: str = Field(
        "", pattern=r"^[a-z0-9]{0,20}$", description="Prefix of topics and databases."
    )
    partitions: int = Field(
        8, ge=1, le=1024, description="Partitions of both topics, fixed at creation."
    )
    replication: int = Field(
        1, ge=1, description="Replication factor that both topics must have (Kafka)."
    )
    language: Language = Field(
        "zh", description="Language of people's words where the caller names none."
    )
    timezone: str = Field("Asia/Shanghai", description="IANA zone of events that name no offset.")
    cors_origins: str = Field(
        "", description="Origins that browsers may call from, separated by commas."
    )
    clock_now: datetime | None = Field(None, description="Fixes the wall clock (for tests).")
    clock_offset: float = Field(0, description="Seconds added to the wall clock (for tests).")
    clock_tick_seconds: float = Field(
        60, gt=0, description="How often the clock is put on the log."
    )
    lease_seconds: float = Field(
        15, gt=0, description="How long a silent worker keeps its partitions."
    )
    statement_seconds: float = Field(8, gt=0, description="statement_timeout of workers.")
    idle_in_transaction_seconds: float = Field(
        5, gt=0, description="idle_in_transaction timeout of workers."
    )
    backfill_window: int = Field(
        800,
        ge=1,
        description="Events that may wait on customers before a backfill, or telling of very many customers at once,"
        " goes on: more is faster, fewer let live events through sooner.",
    )
    backfill_batch_events: int = Field(
        400, ge=1, description="Most events of one transaction of a backfill."
    )
    batch_events: int = Field(
        5000, ge=1, description="Most events of one transaction while behind."
    )
    batch_bytes: int = Field(8 << 20, ge=1, description="Most bytes of one transaction.")
    batch_keys: int = Field(5000, ge=1, description="Most customers of one transaction.")
    rebuild_nice: int = Field(
        10,
        ge=0,
        le=19,
        description="By how much a rebuild gives way to other processes of its machine; 0: not at all.",
    )
    rebuild_processes: int = Field(
        0,
        ge=0,
        description="Processes that fold a rebuild together; 0: as many as there are processors, four at most.",
    )
    parked_per_hour: int = Field(
        10, ge=0, description="Parked events per hour before a partition pauses."
    )
    worker_name: str = Field("", description="Stable name of a worker process; random where empty.")
    inbound_secret: str = Field(
        "", description="Key of the HMAC on what our own ingest writes to inbound."
    )
    interaction_url: str = Field("", description="Base address of interaction's API process.")
    scoring_url: str = Field("", description="Base address of scoring's API process.")
    campaign_url: str = Field("", description="Base address of campaign's API process.")
    log_level: str = Field("INFO", description="Level of the structured logs.")


class ServiceSettings(BaseSettings):
    """What each service has of its own; a subclass sets the prefix."""

    database_url: str = Field(..., description="PostgreSQL of this service.")
    host: str = Field("127.0.0.1", description="Address of the API process.")
    port: int = Field(0, ge=0, le=65535, description="Port of the API process.")
    worker_port: int = Field(
        0, ge=0, le=65535, description="Port of the worker's health and metrics."
    )
    pool_size: int = Field(
        8,
        ge=1,
        description="Database connections of an API process that may write, and as many that only read.",
    )
