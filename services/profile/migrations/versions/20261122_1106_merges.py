"""merges

Revises: 20261122_1058
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261122_1106"
down_revision = "20261122_1058"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "merge",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column(
            "status",
            sa.Text(),
            nullable=False,
            comment="proposed, merged, dismissed, withdrawn, split",
        ),
        sa.Column("parts", postgresql.ARRAY(sa.UUID()), nullable=False, comment="whom it joins"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False, comment="who, or the policy's version"),
        sa.Column("decided_at", TIME, nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=True, comment="why it was decided so"),
        sa.Column(
            "by_person", sa.Boolean(), nullable=False, comment="whether a person decided last"
        ),
        sa.Column(
            "revision",
            sa.BigInteger(),
            nullable=True,
            comment="of the regrouping that it made, or undid, last",
        ),
        sa.Column(
            "judged",
            sa.BigInteger(),
            nullable=False,
            comment="the policy's version that judged it",
        ),
        sa.PrimaryKeyConstraint("id"),
        comment="Every merge and every proposal of one.",
    )
    op.create_index("merge_newest", "merge", [sa.text("created_at DESC"), sa.text("id DESC")])
    op.create_index(
        "merge_by_status", "merge", ["status", sa.text("created_at DESC"), sa.text("id DESC")]
    )
    op.create_index(
        "merge_open", "merge", ["judged"], postgresql_where=sa.text("status = 'proposed'")
    )
    op.create_table(
        "merge_part",
        sa.Column("merge_id", sa.UUID(), nullable=False),
        sa.Column("customer_id", sa.UUID(), nullable=False),
        sa.PrimaryKeyConstraint("merge_id", "customer_id"),
        comment="Whom each merge joins, for finding it by them.",
    )
    op.create_index("merge_part_customer", "merge_part", ["customer_id"])
    op.create_table(
        "merge_evidence",
        sa.Column("merge_id", sa.UUID(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column(
            "digest", sa.LargeBinary(), nullable=False, comment="keyed hash of the identifier"
        ),
        sa.Column("customer_id", sa.UUID(), nullable=False, comment="whom it names"),
        sa.Column(
            "event_id", sa.UUID(), nullable=False, comment="the event in which it stood first"
        ),
        sa.Column("seen_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("merge_id", "type", "digest"),
        comment="Identifiers that speak for a merge. Their values stand in the customers' own rows only.",
    )
    op.create_index("merge_evidence_identifier", "merge_evidence", ["type", "digest"])
    op.create_table(
        "merge_group",
        sa.Column("customer_id", sa.UUID(), nullable=False),
        sa.Column("head", sa.UUID(), nullable=False),
        sa.Column("parts", postgresql.ARRAY(sa.UUID()), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id"),
        comment="What was decided last about each part: ahead of what is folded.",
    )
    op.create_index("merge_group_revision", "merge_group", ["revision"])
    op.create_table(
        "identifier_link",
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("customer_id", sa.UUID(), nullable=False),
        sa.PrimaryKeyConstraint("type", "digest", "customer_id"),
        comment="Whom an identifier has linked, up to one more than its limit.",
    )
    op.create_table(
        "link",
        sa.Column("event_id", sa.UUID(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("parts", postgresql.ARRAY(sa.UUID()), nullable=False, comment="strongest first"),
        sa.Column("anonymous", postgresql.ARRAY(sa.UUID()), nullable=False),
        sa.Column("types", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("digests", postgresql.ARRAY(sa.LargeBinary()), nullable=False),
        sa.Column(
            "named",
            postgresql.ARRAY(sa.UUID()),
            nullable=False,
            comment="whom each identifier names",
        ),
        comment="Events that named several customers, until it is decided what they mean.",
    )
    op.create_index("link_at", "link", ["at", "event_id"])


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for name in (
        *("link", "identifier_link", "merge_group"),
        *("merge_evidence", "merge_part", "merge"),
    ):
        op.drop_table(name)
