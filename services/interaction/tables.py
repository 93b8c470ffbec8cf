"""What interaction keeps: the door's memory, settled orders, the timeline."""

from sqlalchemy import (
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
    Column("value", LargeBinary, nullable=False, comment="the event as it stands on the log"),
    PrimaryKeyConstraint("customer_id", "time", "event_id"),
    Index("timeline_recorded", desc("recorded_at")),
    comment="Every canonical event of every customer.",
)

closing = Table(
    "closing",
    metadata,
    Column("history", Text, nullable=False),
    Column("partition", SmallInteger, nullable=False),
    PrimaryKeyConstraint("history", "partition"),
    comment="Partitions of inbound that have passed the close of a backfill.",
)
