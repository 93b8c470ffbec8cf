"""what was read of absorbed parts while they were heads goes

Revises: 20261123_1010
"""

from alembic import op

revision = "20261124_1450"
down_revision = "20261123_1010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        "UPDATE profile SET view = '', cause = NULL, lifecycle = NULL, tags = NULL, owner = NULL, region = NULL,"
        " industry = NULL, churn_band = NULL, rfm_class = NULL, orders = NULL, currency = NULL, spend = NULL,"
        " last_purchase_at = NULL, first_contact_at = NULL, sort_name = NULL, search = NULL, erased = false"
        " WHERE head <> customer_id AND view <> ''"
    )


def downgrade() -> None:
    """Nobody reads what is gone."""
