"""who was erased

Revises: 20261123_1000
"""

import sqlalchemy as sa
from alembic import op

revision = "20261123_1010"
down_revision = "20261123_1000"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "audience",
        sa.Column("erased", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_column("audience", "erased")
