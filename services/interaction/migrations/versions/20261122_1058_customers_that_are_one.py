"""customers that are one

Revises: 20261122_0752
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_1058"
down_revision = "20261122_0752"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "grouping",
        sa.Column("customer_id", sa.UUID(), nullable=False),
        sa.Column("head", sa.UUID(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id"),
    )
    op.create_index("grouping_head", "grouping", ["head"], unique=False)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("grouping")
