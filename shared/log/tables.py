"""The two topics where the log is PostgreSQL."""

from sqlalchemy import Boolean, CheckConstraint, Column, Integer, MetaData, Table, text

from shared.tables import numbered_table

metadata = MetaData()

inbound = numbered_table(metadata, "inbound")
customers = numbered_table(metadata, "customers")

installation = Table(
    "installation",
    metadata,
    Column("single", Boolean, primary_key=True, server_default=text("true")),
    Column("partitions", Integer, nullable=False),
    CheckConstraint("single", name="installation_only_one"),
)
