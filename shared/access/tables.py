"""The one table of the access database."""

from sqlalchemy import TIMESTAMP, Column, Double, LargeBinary, MetaData, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY

metadata = MetaData()

api_key = Table(
    "api_key",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("key_hash", LargeBinary, nullable=False, unique=True, comment="SHA-256 of the key"),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("source_prefixes", ARRAY(Text), nullable=False, comment="empty: any source"),
    Column("created_at", TIMESTAMP(timezone=True), nullable=False, server_default=text("now()")),
    Column("revoked_at", TIMESTAMP(timezone=True)),
    Column("rate", Double, comment="requests a second; null: as the settings say"),
)
