"""shared identifiers

Revises: 20261122_1110
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_1130"
down_revision = "20261122_1110"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "shared_identifier",
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column(
            "customer_id", sa.UUID(), nullable=True, comment="the part that it stands for alone"
        ),
        sa.PrimaryKeyConstraint("type", "digest"),
        comment="Identifiers that have linked more customers than their limit: they name nobody any more.",
    )
    op.create_table(
        "identifier_link",
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("customer_id", sa.UUID(), nullable=False),
        sa.PrimaryKeyConstraint("type", "digest", "customer_id"),
        comment="Which known customers an identifier has linked.",
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("identifier_link")
    op.drop_table("shared_identifier")
