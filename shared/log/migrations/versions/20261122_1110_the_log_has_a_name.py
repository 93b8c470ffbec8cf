"""the log has a name

Revises: 20261122_0757
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_1110"
down_revision = "20261122_0757"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("installation", sa.Column("uuid", sa.UUID(), nullable=True))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_column("installation", "uuid")
