"""places of the timeline

Revises: 20261122_1130
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_1140"
down_revision = "20261122_1130"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "timeline",
        sa.Column(
            "log_offset", sa.BigInteger(), nullable=True, comment="where it stands in its partition"
        ),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_column("timeline", "log_offset")
