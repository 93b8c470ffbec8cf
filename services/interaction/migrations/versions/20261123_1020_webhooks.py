"""webhooks

Revises: 20261123_1010
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261123_1020"
down_revision = "20261123_1010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    time = sa.DateTime(timezone=True)
    op.create_table(
        "webhook",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column(
            "types", postgresql.ARRAY(sa.Text()), nullable=False, comment="patterns of event types"
        ),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column(
            "secrets",
            postgresql.JSONB(),
            nullable=False,
            comment="nonces that secrets are made of, newest first",
        ),
        sa.Column("created_at", time, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", time, nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("failing_since", time, comment="the first failure since anything was taken"),
        sa.Column("disabled_at", time, comment="when we gave up, where it was not a person"),
        sa.Column("disabled_why", sa.Text()),
        sa.Column("deleted_at", time, comment="its deliveries go before it"),
        sa.PrimaryKeyConstraint("id"),
        comment="Where events are sent to.",
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("id", sa.UUID(), nullable=False, comment="the webhook-id"),
        sa.Column("webhook_id", sa.UUID(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.UUID(), comment="of the timeline's row; none for a test"),
        sa.Column("time", time),
        sa.Column("event_id", sa.UUID()),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("next_at", time, server_default="1970-01-01 00:00:00+00", nullable=False),
        sa.Column("created_at", time, server_default=sa.text("now()"), nullable=False),
        sa.Column("tried_at", time),
        sa.Column("done_at", time),
        sa.Column("answered", sa.SmallInteger(), comment="HTTP status of the last answer"),
        sa.Column("why", sa.Text(), comment="what became of the last attempt"),
        sa.Column("owner", sa.UUID(), comment="who is sending it"),
        sa.Column("until", time, comment="by the database's clock: until when that may take"),
        sa.PrimaryKeyConstraint("id"),
        comment="What is sent, was sent, or could not be: one row an event and endpoint.",
    )
    pending, sending = sa.text("status = 'pending'"), sa.text("status = 'sending'")
    newest = ["webhook_id", sa.text("created_at DESC"), sa.text("id DESC")]
    table = "webhook_delivery"
    due = ["webhook_id", "next_at", "created_at"]
    op.create_index("webhook_delivery_due", table, due, postgresql_where=pending)
    until = ["webhook_id", "until"]
    op.create_index("webhook_delivery_sending", table, until, postgresql_where=sending)
    op.create_index("webhook_delivery_listed", table, newest)
    failed = sa.text("status = 'failed'")
    op.create_index("webhook_delivery_failed", table, newest, postgresql_where=failed)
    done = sa.text("done_at IS NOT NULL")
    op.create_index("webhook_delivery_done", table, ["done_at"], postgresql_where=done)
    op.create_table(
        "webhook_place",
        sa.Column("partition", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "next_offset", sa.BigInteger(), nullable=False, comment="deliveries are made up to here"
        ),
        sa.Column(
            "missed_from",
            sa.BigInteger(),
            comment="but not of what a rebuild has folded from here",
        ),
        sa.Column("missed_to", sa.BigInteger()),
        sa.PrimaryKeyConstraint("partition"),
        comment="How far deliveries are made, while there is an endpoint.",
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("webhook_place")
    op.drop_table("webhook_delivery")
    op.drop_table("webhook")
