"""What the keyring's database keeps: a key for each customer of whom anything personal is known."""

from sqlalchemy import Column, Index, LargeBinary, MetaData, Table, Text, text
from sqlalchemy.dialects.postgresql import UUID

from shared.tables import Time

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

customer_key = Table(
    "customer_key",
    metadata,
    Column("customer_id", UUID, primary_key=True),
    Column("key", LargeBinary, comment="AES-256; null once it is destroyed"),
    Column("made_at", Time, nullable=False, server_default=text("now()")),
    Column("destroyed_at", Time),
    Index(
        "customer_key_destroyed", "destroyed_at", postgresql_where=text("destroyed_at IS NOT NULL")
    ),
)
