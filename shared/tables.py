"""Tables that every service has beside its own, and the shapes that projections use."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    Double,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlalchemy.schema import SchemaItem

ORIGINS = ("interaction", "profile", "scoring", "campaign")
"""Who may write to `customers`; the order is that of the numbers in `seen` and never changes."""

Time = DateTime(timezone=True)


def numbered_table(metadata: MetaData, name: str) -> Table:
    """Numbered per partition without holes, in commit order: an outbox, or a topic of the PostgreSQL log."""
    return Table(
        name,
        metadata,
        Column("partition", SmallInteger, nullable=False),
        Column("sequence", BigInteger, nullable=False),
        Column("recorded_at", Time, nullable=False),
        Column("key", Text, nullable=False),
        Column("origin", Text),
        Column("origin_sequence", BigInteger),
        Column("signature", LargeBinary),
        Column("value", LargeBinary, nullable=False),
        PrimaryKeyConstraint("partition", "sequence"),
    )


def kernel_tables(metadata: MetaData) -> None:
    """What the loop, the relay, the commands and the reads of one service keep."""
    Table(
        "meta",
        metadata,
        Column("name", Text, primary_key=True),
        Column("value", Text, nullable=False),
    )
    numbered_table(metadata, "outbox")
    Table(
        "relay",
        metadata,
        Column("partition", SmallInteger, primary_key=True, autoincrement=False),
        Column("acked_sequence", BigInteger, nullable=False),
        Column("server", Text),
        Column("recalled_to", BigInteger),
    )
    Table(
        "checkpoint",
        metadata,
        Column("topic", Text, nullable=False),
        Column("version", SmallInteger, nullable=False),
        Column("partition", SmallInteger, nullable=False),
        Column("next_offset", BigInteger, nullable=False),
        Column("last_event", Text),
        Column("mark", LargeBinary),
        Column("seen", ARRAY(BigInteger), nullable=False),
        Column("clock", Time),
        Column("epoch", BigInteger, nullable=False),
        Column("owner", Text),
        Column("until", Time),
        PrimaryKeyConstraint("topic", "version", "partition"),
    )
    Table(
        "worker",
        metadata,
        Column("name", Text, primary_key=True),
        Column("until", Time, nullable=False),
    )
    Table(
        "quarantine",
        metadata,
        Column("id", UUID, primary_key=True),
        Column("kind", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("stage", Text, nullable=False),
        Column("detail", JSONB, nullable=False),
        Column("status", Text, nullable=False, server_default="open"),
        Column("topic", Text, nullable=False),
        Column("partition", SmallInteger, nullable=False),
        Column("log_offset", BigInteger, nullable=False),
        Column("origin", Text),
        Column("origin_sequence", BigInteger),
        Column("event_type", Text),
        Column("event_id", Text),
        Column("source", Text),
        Column("received_at", Time, nullable=False),
        Column("resolved_at", Time),
        Column("resolved_by", Text),
        Column("value", LargeBinary, nullable=False),
        Index("quarantine_received", "received_at", "id"),
        Index("quarantine_open_reason", "reason", postgresql_where=text("status = 'open'")),
    )
    Table(
        "identity",
        metadata,
        Column("type", Text, nullable=False),
        Column("digest", LargeBinary, nullable=False),
        Column("customer_id", UUID, nullable=False),
        PrimaryKeyConstraint("type", "digest"),
        Index("identity_customer", "customer_id"),
    )
    Table(
        "identity_claim",
        metadata,
        Column("type", Text, nullable=False),
        Column("digest", LargeBinary, nullable=False),
        Column("customer_id", UUID, nullable=False),
        Column("at", Time, nullable=False, server_default=text("now()")),
        PrimaryKeyConstraint("type", "digest", "customer_id"),
        Index("identity_claim_customer", "customer_id"),
    )
    Table(
        "grouping",
        metadata,
        Column("customer_id", UUID, primary_key=True),
        Column("head", UUID, nullable=False),
        Column("revision", BigInteger, nullable=False),
        Index("grouping_head", "head"),
    )
    Table(
        "erased",
        metadata,
        Column("customer_id", UUID, primary_key=True),
        Column("erased_at", Time, nullable=False),
    )
    Table(
        "history",
        metadata,
        Column("partition", SmallInteger, nullable=False),
        Column("history", Text, nullable=False),
        Column("closed_at", Time, nullable=False),
        PrimaryKeyConstraint("partition", "history"),
    )
    Table(
        "policy",
        metadata,
        Column("partition", SmallInteger, nullable=False),
        Column("name", Text, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("body", JSONB, nullable=False),
        Column("published_at", Time, nullable=False),
        PrimaryKeyConstraint("partition", "name", "version"),
    )
    Table(
        "idempotency",
        metadata,
        Column("principal", Text, nullable=False),
        Column("route", Text, nullable=False),
        Column("key", Text, nullable=False),
        Column("request_hash", LargeBinary, nullable=False),
        Column("status", SmallInteger, nullable=False),
        Column("subject", Text, nullable=False),
        Column("position", Text, nullable=False),
        Column("created_at", Time, nullable=False),
        PrimaryKeyConstraint("principal", "route", "key"),
        Index("idempotency_created", "created_at"),
    )
    Table(
        "audit",
        metadata,
        Column("id", UUID, primary_key=True),
        Column("at", Time, nullable=False),
        Column("caller_id", UUID, nullable=False),
        Column("caller", Text, nullable=False),
        Column("method", Text, nullable=False),
        Column("route", Text, nullable=False),
        Column("path", JSONB, nullable=False),
        Column("subject", Text),
        Column("status", SmallInteger, nullable=False),
        Column("request_id", Text),
        Column("key_hash", LargeBinary),
        Column("position", Text),
        Index("audit_at", "at", "id"),
        Index("audit_caller", "caller", "at", "id"),
        Index("audit_subject", "subject", "at", "id"),
    )
    Table(
        "task",
        metadata,
        Column("name", Text, primary_key=True),
        Column("done_at", Time, nullable=False),
        Column("note", JSONB, nullable=False),
    )


def row_table(metadata: MetaData, name: str, *columns: SchemaItem) -> Table:
    """One row per customer: the kernel's columns, then those that lists filter and sort by."""
    return Table(
        name,
        metadata,
        Column("customer_id", UUID, primary_key=True),
        Column("head", UUID, nullable=False),
        Column("parts", SmallInteger, nullable=False, server_default=text("1")),
        Column("partition", SmallInteger, nullable=False),
        Column("state", LargeBinary, nullable=False, server_default=text("''")),
        Column("view", LargeBinary, nullable=False, server_default=text("''")),
        Column("told", LargeBinary, nullable=False, server_default=text("''")),
        Column("history", JSONB, nullable=False, server_default=text("'[]'")),
        Column("due_at", Time),
        Column("cause", Text),
        *columns,
        Index(f"{name}_due", "partition", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index(f"{name}_history", "partition", postgresql_where=text("history <> '[]'")),
        # Of absorbed parts only, which are few: most customers cost these two nothing.
        Index(f"{name}_head", "head", postgresql_where=text("head <> customer_id")),
        Index(
            f"{name}_absorbed", "customer_id", "head", postgresql_where=text("head <> customer_id")
        ),
    )


def item_table(metadata: MetaData, name: str) -> Table:
    """What grows with history, one child row a thing."""
    return Table(
        name,
        metadata,
        Column("customer_id", UUID, nullable=False),
        Column("item", Text, nullable=False),
        Column("state", LargeBinary, nullable=False),
        PrimaryKeyConstraint("customer_id", "item"),
    )


__all__ = [
    "ORIGINS",
    "Double",
    "Time",
    "item_table",
    "kernel_tables",
    "numbered_table",
    "row_table",
]
