"""messages

Revises: 20261123_1010
"""

import sqlalchemy as sa
from alembic import op

revision = "20261123_1040"
down_revision = "20261123_1010"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "message",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("customer_id", sa.UUID(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("code", sa.SmallInteger(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("address", sa.LargeBinary(), nullable=True),
        sa.Column("address_of", sa.UUID(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("wanted_by", sa.Text(), nullable=False),
        sa.Column("send_at", TIME, nullable=True),
        sa.Column("due_at", TIME, nullable=True),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("tried_at", TIME, nullable=True),
        sa.Column("decided_at", TIME, nullable=True),
        sa.Column("done_at", TIME, nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("until", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("message_customer", "message", ["customer_id", "id"])
    op.create_index(
        "message_address",
        "message",
        ["address_of"],
        postgresql_where=sa.text("address_of IS NOT NULL"),
    )
    op.create_index("message_status", "message", ["status", "id"])
    op.create_index(
        "message_due",
        "message",
        ["due_at"],
        postgresql_where=sa.text("status = 'scheduled'"),
    )
    op.create_index(
        "message_claimed",
        "message",
        ["until"],
        postgresql_where=sa.text("status = 'sending'"),
    )
    op.create_index(
        "message_done",
        "message",
        ["done_at"],
        postgresql_where=sa.text("done_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("message")
