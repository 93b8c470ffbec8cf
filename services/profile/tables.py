"""Profile's tables: one row per customer with what lists filter and sort by, its child rows, the
numbers that were claimed, who is one with whom, and who was erased."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Double,
    Identity,
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
    Column("erased", Boolean, nullable=False, server_default=text("false")),
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
Index("profile_erased", profile.c.customer_id, postgresql_where=text("erased"))

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

merge = Table(
    "merge",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("status", Text, nullable=False, comment="proposed, merged, dismissed, withdrawn, split"),
    Column("parts", ARRAY(UUID), nullable=False, comment="whom it joins"),
    Column("reason", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("created_by", Text, nullable=False, comment="who, or the policy's version"),
    Column("decided_at", Time),
    Column("decided_by", Text),
    Column("decision", Text, comment="why it was decided so"),
    Column("by_person", Boolean, nullable=False, comment="whether a person decided last"),
    Column("revision", BigInteger, comment="of the regrouping that it made, or undid, last"),
    Column("judged", BigInteger, nullable=False, comment="the policy's version that judged it"),
    Index("merge_newest", desc("created_at"), desc("id")),
    Index("merge_by_status", "status", desc("created_at"), desc("id")),
    Index("merge_open", "judged", postgresql_where=text("status = 'proposed'")),
    comment="Every merge and every proposal of one.",
)

merge_part = Table(
    "merge_part",
    metadata,
    Column("merge_id", UUID, nullable=False),
    Column("customer_id", UUID, nullable=False),
    PrimaryKeyConstraint("merge_id", "customer_id"),
    Index("merge_part_customer", "customer_id"),
    comment="Whom each merge joins, for finding it by them.",
)

merge_evidence = Table(
    "merge_evidence",
    metadata,
    Column("merge_id", UUID, nullable=False),
    Column("type", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, comment="keyed hash of the identifier"),
    Column("customer_id", UUID, nullable=False, comment="whom it names"),
    Column("event_id", UUID, nullable=False, comment="the event in which it stood first"),
    Column("seen_at", Time, nullable=False),
    PrimaryKeyConstraint("merge_id", "type", "digest"),
    Index("merge_evidence_identifier", "type", "digest"),
    comment="Identifiers that speak for a merge. Their values stand in the customers' own rows only.",
)

merge_group = Table(
    "merge_group",
    metadata,
    Column("customer_id", UUID, primary_key=True),
    Column("head", UUID, nullable=False),
    Column("parts", ARRAY(UUID), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Index("merge_group_revision", "revision"),
    comment="What was decided last about each part: ahead of what is folded.",
)

identifier_link = Table(
    "identifier_link",
    metadata,
    Column("type", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("customer_id", UUID, nullable=False),
    PrimaryKeyConstraint("type", "digest", "customer_id"),
    comment="Whom an identifier has linked, up to one more than its limit.",
)

link = Table(
    "link",
    metadata,
    Column("event_id", UUID, nullable=False),
    Column("at", Time, nullable=False),
    Column("parts", ARRAY(UUID), nullable=False, comment="strongest first"),
    Column("anonymous", ARRAY(UUID), nullable=False),
    Column("types", ARRAY(Text), nullable=False),
    Column("digests", ARRAY(LargeBinary), nullable=False),
    Column("named", ARRAY(UUID), nullable=False, comment="whom each identifier names"),
    Index("link_at", "at", "event_id"),
    comment="Events that named several customers, until it is decided what they mean.",
)

erasure_part = Table(
    "erasure_part",
    metadata,
    Column("customer_id", UUID, primary_key=True),
    Column("erasure", UUID, nullable=False),
    Column("head", UUID, nullable=False, comment="under whose id the customer was known"),
    Column("at", Time, nullable=False),
    Column("by", Text, nullable=False),
    Column("key_destroyed_at", Time),
    Index("erasure_part_newest", desc("at"), desc("erasure")),
    Index("erasure_part_erasure", "erasure"),
    Index("erasure_part_open", "customer_id", postgresql_where=text("key_destroyed_at IS NULL")),
    comment="Who was erased, as decided: ahead of what is folded.",
)

forgotten = Table(
    "forgotten",
    metadata,
    Column("customer_id", UUID, nullable=False),
    Column("erasure", UUID, nullable=False),
    Column("service", Text, nullable=False),
    Column("at", Time, nullable=False),
    Column("latest", Time, comment="until when something that nobody can assign is kept at most"),
    Index("forgotten_part", "erasure", "customer_id"),
    comment="Which service has forgotten whom. One that went back in time says it again.",
)
