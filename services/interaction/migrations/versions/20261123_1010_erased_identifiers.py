"""erased identifiers

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
    op.create_table(
        "erased_identifier",
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("customer_id", sa.UUID(), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("type", "digest", "customer_id"),
        comment="Whose identifiers were until they were erased: for what came before, and is resolved after.",
    )
    op.create_index("erased_identifier_at", "erased_identifier", ["erased_at"])


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("erased_identifier")
