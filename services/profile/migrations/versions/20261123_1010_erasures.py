"""erasures

Revises: 20261123_1000
"""

import sqlalchemy as sa
from alembic import op

revision = "20261123_1010"
down_revision = "20261123_1000"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "profile",
        sa.Column("erased", sa.Boolean(), nullable=False, server_default=sa.text("false")),
    )
    op.create_index(
        "profile_erased", "profile", ["customer_id"], postgresql_where=sa.text("erased")
    )
    op.create_table(
        "erasure_part",
        sa.Column("customer_id", sa.UUID(), nullable=False),
        sa.Column("erasure", sa.UUID(), nullable=False),
        sa.Column(
            "head", sa.UUID(), nullable=False, comment="under whose id the customer was known"
        ),
        sa.Column("at", TIME, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("key_destroyed_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("customer_id"),
        comment="Who was erased, as decided: ahead of what is folded.",
    )
    op.create_index(
        "erasure_part_newest", "erasure_part", [sa.text("at DESC"), sa.text("erasure DESC")]
    )
    op.create_index("erasure_part_erasure", "erasure_part", ["erasure"])
    op.create_index(
        "erasure_part_open",
        "erasure_part",
        ["customer_id"],
        postgresql_where=sa.text("key_destroyed_at IS NULL"),
    )
    op.create_table(
        "forgotten",
        sa.Column("customer_id", sa.UUID(), nullable=False),
        sa.Column("erasure", sa.UUID(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column(
            "latest",
            TIME,
            nullable=True,
            comment="until when something that nobody can assign is kept at most",
        ),
        comment="Which service has forgotten whom. One that went back in time says it again.",
    )
    op.create_index("forgotten_part", "forgotten", ["erasure", "customer_id"])


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("forgotten")
    op.drop_table("erasure_part")
    op.drop_index("profile_erased", table_name="profile")
    op.drop_column("profile", "erased")
