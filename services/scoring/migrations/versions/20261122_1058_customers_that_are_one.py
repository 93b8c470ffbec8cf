"""customers that are one

Revises: 20261122_0550
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_1058"
down_revision = "20261122_0550"
branch_labels = None
depends_on = None

ABSORBED = sa.text("head <> customer_id")


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
    op.add_column(
        "score", sa.Column("parts", sa.SmallInteger(), server_default=sa.text("1"), nullable=False)
    )
    op.add_column("score", sa.Column("cause", sa.Text(), nullable=True))
    op.drop_index("score_head", table_name="score")
    op.create_index("score_head", "score", ["head"], postgresql_where=ABSORBED)
    op.create_index("score_absorbed", "score", ["customer_id", "head"], postgresql_where=ABSORBED)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("score_absorbed", table_name="score")
    op.drop_index("score_head", table_name="score")
    op.create_index("score_head", "score", ["head"], unique=False)
    op.drop_column("score", "cause")
    op.drop_column("score", "parts")
    op.drop_table("grouping")
