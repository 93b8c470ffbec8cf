"""how customers came, and prospects

Revises: 20261122_1430
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261122_1750"
down_revision = "20261122_1430"
branch_labels = None
depends_on = None

COLUMNS = (
    ("seen_day", sa.Integer()),
    ("source", sa.Text()),
    ("source_day", sa.Integer()),
    ("contact_kind", sa.Text()),
    ("contact_channel", sa.Text()),
    ("contact_day", sa.Integer()),
    ("contacts_1", sa.Integer()),
    ("contacts_7", sa.Integer()),
    ("contacts_14", sa.Integer()),
    ("won_at_once", sa.Boolean()),
    ("first_spend", postgresql.JSONB()),
    ("prospect_28", sa.Double()),
    ("prospect_90", sa.Double()),
    ("prospect_worth", sa.BigInteger()),
    ("prospect_class", sa.Text()),
)
LISTS = {
    "prospect_by_28": sa.text("prospect_28 DESC NULLS LAST"),
    "prospect_by_90": sa.text("prospect_90 DESC NULLS LAST"),
    "prospect_by_worth": sa.text("prospect_worth DESC NULLS LAST"),
    "prospect_by_day": sa.text("seen_day DESC NULLS LAST"),
}


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for name, kind in COLUMNS:
        op.add_column("score", sa.Column(name, kind, nullable=True))
    for name, column in LISTS.items():
        op.create_index(
            name,
            "score",
            [column, "customer_id"],
            postgresql_where=sa.text("purchase_days IS NULL AND seen_day IS NOT NULL"),
        )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for name in LISTS:
        op.drop_index(name, table_name="score")
    for name, _ in COLUMNS:
        op.drop_column("score", name)
