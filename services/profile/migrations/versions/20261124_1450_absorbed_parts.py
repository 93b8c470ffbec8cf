"""what was read of absorbed parts while they were heads goes

Revises: 20261123_1010
"""

from alembic import op

revision = "20261124_1450"
down_revision = "20261123_1010"
branch_labels = None
depends_on = None

READ = (
    *(
        "view",
        "cause",
        "lifecycle",
        "tags",
        "owner",
        "region",
        "industry",
        "churn_band",
        "rfm_class",
    ),
    *("orders", "currency", "spend", "last_purchase_at", "first_contact_at", "sort_name", "search"),
    "erased",
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    blank = ", ".join(f"{column} = DEFAULT" for column in READ)
    op.execute(f"UPDATE profile SET {blank} WHERE head <> customer_id AND view <> ''")


def downgrade() -> None:
    """Nobody reads what is gone."""
