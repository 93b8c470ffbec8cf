"""contacts taken back

Revises: 20261122_0550
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_0752"
down_revision = "20261122_0550"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "contact",
        sa.Column(
            "utcoffset",
            sa.SmallInteger(),
            server_default="0",
            nullable=False,
            comment="minutes from UTC to the customer's local time at the contact",
        ),
    )
    op.add_column(
        "contact",
        sa.Column(
            "retracted_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when it was taken back",
        ),
    )
    op.add_column("contact", sa.Column("retracted_by", sa.Text(), nullable=True))
    op.add_column("contact", sa.Column("retract_reason", sa.Text(), nullable=True))
    op.create_index(
        "contact_retracted",
        "contact",
        [sa.literal_column("at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("retracted_at IS NOT NULL"),
    )
    # What was recorded before has its offset on the timeline.
    op.execute(
        "UPDATE contact AS c SET utcoffset = (convert_from(t.value, 'UTF8')::jsonb ->> 'utcoffset')::smallint"
        " FROM timeline AS t WHERE t.customer_id = c.customer_id AND t.time = c.at AND t.event_id = c.id"
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index(
        "contact_retracted",
        table_name="contact",
        postgresql_where=sa.text("retracted_at IS NOT NULL"),
    )
    op.drop_column("contact", "retract_reason")
    op.drop_column("contact", "retracted_by")
    op.drop_column("contact", "retracted_at")
    op.drop_column("contact", "utcoffset")
