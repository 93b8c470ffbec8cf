"""rate of a key

Revises: 20261122_0109
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_0545"
down_revision = "20261122_0109"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "api_key",
        sa.Column(
            "rate",
            sa.Double(),
            nullable=True,
            comment="requests a second; null: as the settings say",
        ),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_column("api_key", "rate")
