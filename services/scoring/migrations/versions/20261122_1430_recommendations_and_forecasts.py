"""recommendations and forecasts

Revises: 20261122_1420
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261122_1430"
down_revision = "20261122_1420"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
TABLES = ("basket", "grievance", "recommender", "audience_of", "forecast", "series")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "basket",
        sa.Column("event_id", sa.UUID(), nullable=False),
        sa.Column("customer_id", sa.UUID(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("gone", sa.Text(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("event_id"),
    )
    op.create_index("basket_customer", "basket", ["customer_id", "day"], unique=False)
    op.create_index(
        "basket_gone",
        "basket",
        ["gone"],
        unique=False,
        postgresql_where=sa.text("gone IS NOT NULL"),
    )
    op.create_table(
        "grievance",
        sa.Column("customer_id", sa.UUID(), nullable=False),
        sa.Column("complaint_id", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("products", postgresql.ARRAY(sa.Text()), nullable=False),
    )
    op.create_index("grievance_customer", "grievance", ["customer_id", "at"], unique=False)
    op.create_table(
        "recommender",
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("about", postgresql.JSONB(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "version"),
    )
    op.create_table(
        "audience_of",
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "item"),
    )
    op.create_table(
        "forecast",
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("about", postgresql.JSONB(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("history", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("measure"),
    )
    op.create_table(
        "series",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("about", postgresql.JSONB(), nullable=False),
        sa.Column("points", postgresql.JSONB(), nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in reversed(TABLES):
        op.drop_table(table)
