"""What interaction keeps: the door's memory, settled orders, the timeline."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    desc,
    text,
)
from sqlalchemy.dialects.postgresql import UUID

from shared.tables import kernel_tables

metadata = MetaData()
kernel_tables(metadata)

Time = DateTime(timezone=True)

door = Table(
    "door",
    metadata,
    Column("key", LargeBinary, primary_key=True, comment="hash of source and id"),
    Column("content", LargeBinary, nullable=False, comment="hash of the event as sent"),
    Column("customer_id", UUID, nullable=False),
    Column("event_id", UUID, nullable=False),
    comment="Every event that was ever resolved, so that a repeat is dropped for ever.",
)

orders = Table(
    "orders",
    metadata,
    Column("key", LargeBinary, primary_key=True, comment="hash of source and order id"),
    Column("state", LargeBinary, nullable=False),
    comment="What each order counts for now.",
)

timeline = Table(
    "timeline",
    metadata,
    Column("customer_id", UUID, nullable=False),
    Column("time", Time, nullable=False),
    Column("event_id", UUID, nullable=False),
    Column("type", Text, nullable=False),
    Column("channel", Text),
    Column("recorded_at", Time, nullable=False),
    Column("log_offset", BigInteger, comment="where it stands in its partition"),
    Column("value", LargeBinary, nullable=False, comment="the event as it stands on the log"),
    PrimaryKeyConstraint("customer_id", "time", "event_id"),
    Index("timeline_recorded", desc("recorded_at")),
    comment="Every canonical event of every customer.",
)

complaint = Table(
    "complaint",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("customer_id", UUID, nullable=False),
    Column("status", Text, nullable=False),
    Column("category", Text),
    Column("severity", Text),
    Column("assigned_to", Text),
    Column("opened_at", Time, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Index("complaint_opened", desc("opened_at"), desc("id")),
    Index("complaint_by_status", "status", desc("opened_at"), desc("id")),
    Index("complaint_by_customer", "customer_id", desc("opened_at"), desc("id")),
    comment="Every complaint with all of its steps.",
)

contact = Table(
    "contact",
    metadata,
    Column("id", UUID, primary_key=True, comment="the event's id"),
    Column("customer_id", UUID, nullable=False),
    Column("at", Time, nullable=False),
    Column("kind", Text, nullable=False),
    Column("channel", Text),
    Column("handled_by", Text),
    Column("due_at", Time, comment="when the next step is to be done"),
    Column("recorded_at", Time, nullable=False),
    Column("recorded_by", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column(
        "utcoffset",
        SmallInteger,
        nullable=False,
        server_default="0",
        comment="minutes from UTC to the customer's local time at the contact",
    ),
    Column("retracted_at", Time, comment="when it was taken back"),
    Column("retracted_by", Text),
    Column("retract_reason", Text),
    Index("contact_at", desc("at"), desc("id")),
    Index(
        "contact_retracted",
        desc("at"),
        desc("id"),
        postgresql_where=text("retracted_at IS NOT NULL"),
    ),
    Index("contact_by_customer", "customer_id", desc("at"), desc("id")),
    Index("contact_by_handler", "handled_by", desc("at"), desc("id")),
    comment="Contacts that people recorded by hand.",
)

shared_identifier = Table(
    "shared_identifier",
    metadata,
    Column("type", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("customer_id", UUID, comment="the part that it stands for alone"),
    PrimaryKeyConstraint("type", "digest"),
    comment="Identifiers that have linked more customers than their limit: they name nobody any more.",
)

identifier_link = Table(
    "identifier_link",
    metadata,
    Column("type", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("customer_id", UUID, nullable=False),
    PrimaryKeyConstraint("type", "digest", "customer_id"),
    comment="Which known customers an identifier has linked.",
)

closing = Table(
    "closing",
    metadata,
    Column("history", Text, nullable=False),
    Column("partition", SmallInteger, nullable=False),
    PrimaryKeyConstraint("history", "partition"),
    comment="Partitions of inbound that have passed the close of a backfill.",
)
