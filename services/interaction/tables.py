"""What interaction keeps: the door's memory, settled orders, the timeline."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
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
from sqlalchemy.dialects.postgresql import JSONB, UUID

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

erased_identifier = Table(
    "erased_identifier",
    metadata,
    Column("type", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("customer_id", UUID, nullable=False),
    Column("erased_at", Time, nullable=False),
    PrimaryKeyConstraint("type", "digest", "customer_id"),
    Index("erased_identifier_at", "erased_at"),
    comment="Whose identifiers were until they were erased: for what came before, and is resolved after.",
)

closing = Table(
    "closing",
    metadata,
    Column("history", Text, nullable=False),
    Column("partition", SmallInteger, nullable=False),
    PrimaryKeyConstraint("history", "partition"),
    comment="Partitions of inbound that have passed the close of a backfill.",
)

webhook = Table(
    "webhook",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("url", Text, nullable=False),
    Column("types", ARRAY(Text), nullable=False, comment="patterns of event types"),
    Column("description", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column(
        "secrets", JSONB, nullable=False, comment="nonces that secrets are made of, newest first"
    ),
    Column("created_at", Time, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("updated_at", Time, nullable=False),
    Column("updated_by", Text, nullable=False),
    Column("failing_since", Time, comment="the first failure since anything was taken"),
    Column("disabled_at", Time, comment="when we gave up, where it was not a person"),
    Column("disabled_why", Text),
    Column("deleted_at", Time, comment="its deliveries go before it"),
    comment="Where events are sent to.",
)

webhook_delivery = Table(
    "webhook_delivery",
    metadata,
    Column("id", UUID, primary_key=True, comment="the webhook-id"),
    Column("webhook_id", UUID, nullable=False),
    Column("type", Text, nullable=False),
    Column("customer_id", UUID, comment="of the timeline's row; none for a test"),
    Column("time", Time),
    Column("event_id", UUID),
    Column("status", Text, nullable=False, server_default="pending"),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("next_at", Time, nullable=False, server_default="1970-01-01 00:00:00+00"),
    Column("created_at", Time, nullable=False, server_default=text("now()")),
    Column("tried_at", Time),
    Column("done_at", Time),
    Column("answered", SmallInteger, comment="HTTP status of the last answer"),
    Column("why", Text, comment="what became of the last attempt"),
    Column("owner", UUID, comment="who is sending it"),
    Column("until", Time, comment="by the database's clock: until when that may take"),
    Index(
        "webhook_delivery_due",
        "webhook_id",
        "next_at",
        "created_at",
        postgresql_where=text("status = 'pending'"),
    ),
    Index(
        "webhook_delivery_sending",
        "webhook_id",
        "until",
        postgresql_where=text("status = 'sending'"),
    ),
    Index("webhook_delivery_listed", "webhook_id", desc("created_at"), desc("id")),
    Index(
        "webhook_delivery_failed",
        "webhook_id",
        desc("created_at"),
        desc("id"),
        postgresql_where=text("status = 'failed'"),
    ),
    Index("webhook_delivery_done", "done_at", postgresql_where=text("done_at IS NOT NULL")),
    comment="What is sent, was sent, or could not be: one row an event and endpoint.",
)

webhook_place = Table(
    "webhook_place",
    metadata,
    Column("partition", SmallInteger, primary_key=True, autoincrement=False),
    Column("next_offset", BigInteger, nullable=False, comment="deliveries are made up to here"),
    Column("missed_from", BigInteger, comment="but not of what a rebuild has folded from here"),
    Column("missed_to", BigInteger),
    comment="How far deliveries are made, while there is an endpoint.",
)
