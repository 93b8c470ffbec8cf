"""The topics where the log is PostgreSQL, and how far each service has read them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import UUID

from shared.tables import numbered_table

metadata = MetaData()

inbound = numbered_table(metadata, "inbound")
backfill = numbered_table(metadata, "backfill")
customers = numbered_table(metadata, "customers")

installation = Table(
    "installation",
    metadata,
    Column("single", Boolean, primary_key=True, server_default=text("true")),
    Column("partitions", Integer, nullable=False),
    Column("uuid", UUID),
    CheckConstraint("single", name="installation_only_one"),
)

reader = Table(
    "reader",
    metadata,
    Column("reader", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition", SmallInteger, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
)
"""What services told each other about how far they are."""
