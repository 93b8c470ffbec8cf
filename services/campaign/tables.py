"""Campaign's tables: one row per customer with its segments, what was saved, who came and went; messages."""

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from shared.tables import Time, item_table, kernel_tables, row_table

metadata = MetaData()
kernel_tables(metadata)

audience = row_table(
    metadata,
    "audience",
    Column("segments", JSONB),
    Column("erased", Boolean, nullable=False, server_default=text("false")),
)
"""`segments`: the ids of those that the customer belongs to. `erased`: all parts of the customer were."""

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

message = Table(
    "message",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("customer_id", UUID, nullable=False),
    Column("channel", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("topic", Text),
    Column("status", Text, nullable=False),
    Column("reason", Text),
    Column("code", SmallInteger),
    Column("content", LargeBinary),
    Column("address", LargeBinary),
    Column("address_of", UUID),
    Column("created_at", Time, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("wanted_by", Text, nullable=False),
    Column("send_at", Time),
    Column("due_at", Time),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("tried_at", Time),
    Column("decided_at", Time),
    Column("done_at", Time),
    Column("owner", Text),
    Column("until", Time),
    Index("message_customer", "customer_id", "id"),
    Index("message_address", "address_of", postgresql_where=text("address_of IS NOT NULL")),
    Index("message_status", "status", "id"),
    Index("message_due", "due_at", postgresql_where=text("status = 'scheduled'")),
    Index("message_claimed", "until", postgresql_where=text("status = 'sending'")),
    Index("message_done", "done_at", postgresql_where=text("done_at IS NOT NULL")),
)
"""One row a message. `customer_id`: the part on whose key its events are. `code`: what the mail server answered.
`content`: subject and text, encrypted with the part's key and bound to the message; null once they are forgotten.
`address`: that of the last try, likewise with the key of the part who has it, `address_of`. `wanted_by`: who asked
for it last. `due_at`: when it is looked at next. `tried_at`: the first try. `decided_at`: from when on it counts
towards the cap. `owner`, `until`: who is sending it, and until when at most."""
