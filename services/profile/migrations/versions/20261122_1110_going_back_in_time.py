"""going back in time

Revises: 20261122_1106
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_1110"
down_revision = "20261122_1106"
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
    op.add_column("checkpoint", sa.Column("mark", sa.LargeBinary(), nullable=True))
    op.add_column("relay", sa.Column("server", sa.Text(), nullable=True))
    op.add_column("relay", sa.Column("recalled_to", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_column("relay", "recalled_to")
    op.drop_column("relay", "server")
    op.drop_column("checkpoint", "mark")
    op.drop_table("meta")
