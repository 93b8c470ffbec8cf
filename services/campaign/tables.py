"""Campaign's tables: one row per customer with its segments, what was saved, who came and went."""

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from shared.tables import Time, item_table, kernel_tables, row_table

metadata = MetaData()
kernel_tables(metadata)

audience = row_table(metadata, "audience", Column("segments", JSONB))
"""`segments`: the ids of those that the customer belongs to."""

Index("audience_segments", audience.c.segments, postgresql_using="gin")

audience_item = item_table(metadata, "audience_item")

segment = Table(
    "segment",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("rule", JSONB, nullable=False),
    Column("version", Integer, nullable=False),
    Column("policy_version", Integer, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("updated_at", Time, nullable=False),
    Column("updated_by", Text, nullable=False),
)
"""`version` counts the rule's changes; `policy_version` is that of the publication that has it."""

segment_history = Table(
    "segment_history",
    metadata,
    Column("segment_id", UUID, nullable=False),
    Column("customer_id", UUID, nullable=False),
    Column("at", Time, nullable=False),
    Column("event_id", UUID, nullable=False),
    Column("entered", Boolean, nullable=False),
    Column("moved_by", Text, nullable=False),
    Column("cause", UUID),
    Column("version", Integer, nullable=False),
    PrimaryKeyConstraint("segment_id", "at", "event_id"),
    Index("segment_history_of_customer", "segment_id", "customer_id", "at", "event_id"),
)
"""One row for each coming and going. `moved_by`: event (then `cause` names it), time, or rule."""
