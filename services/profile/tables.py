"""Profile's tables: one row per customer with what lists filter and sort by, its child rows, the
numbers that were claimed."""

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Identity,
    Index,
    MetaData,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from shared.tables import Time, item_table, kernel_tables, row_table

metadata = MetaData()
kernel_tables(metadata)

profile = row_table(
    metadata,
    "profile",
    Column("lifecycle", Text),
    Column("tags", JSONB),
    Column("owner", Text),
    Column("region", Text),
    Column("industry", Text),
    Column("churn_band", Text),
    Column("rfm_class", Text),
    Column("orders", BigInteger),
    Column("currency", Text),
    Column("spend", Double),
    Column("last_purchase_at", Time),
    Column("first_contact_at", Time),
    Column("sort_name", Text),
    Column("search", Text),
)
"""`spend` is in major units of `currency`, the main one, and only sorts: the exact sum stands in
the view. `sort_name`: the name as it is spelt in pinyin. `search`: what `?q=` looks into, a line
each."""

SORTED = ("orders", "spend", "last_purchase_at", "first_contact_at", "sort_name")

for _name in SORTED:
    Index(f"profile_by_{_name}", profile.c[_name], profile.c.customer_id)
for _name in ("lifecycle", "owner", "region", "industry", "churn_band", "rfm_class"):
    Index(f"profile_of_{_name}", profile.c[_name])
Index("profile_tags", profile.c.tags, postgresql_using="gin")

profile_item = item_table(metadata, "profile_item")

number_claim = Table(
    "number_claim",
    metadata,
    Column("customer_id", UUID, primary_key=True),
    Column("year", SmallInteger, nullable=False),
    Column("serial", BigInteger, Identity(always=True), nullable=False, unique=True),
)
"""Who has which number: claimed once, in the transaction that says so on the log. Serials have
gaps: a transaction that fails takes its own with it."""
