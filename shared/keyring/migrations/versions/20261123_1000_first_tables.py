"""first tables

Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261123_1000"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "meta",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.execute("INSERT INTO meta VALUES ('uuid', gen_random_uuid()::text)")
    op.create_table(
        "customer_key",
        sa.Column("customer_id", postgresql.UUID(), nullable=False),
        sa.Column(
            "key",
            sa.LargeBinary(),
            nullable=True,
            comment="AES-256; null once it is destroyed",
        ),
        sa.Column(
            "made_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("destroyed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("customer_id"),
    )
    op.create_index(
        "customer_key_destroyed",
        "customer_key",
        ["destroyed_at"],
        postgresql_where=sa.text("destroyed_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("customer_key")
    op.drop_table("meta")
