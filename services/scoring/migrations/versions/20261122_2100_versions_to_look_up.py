"""versions of recommenders and forecasts can be looked up; who came in a period is found

Revises: 20261122_1750
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261122_2100"
down_revision = "20261122_1750"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "learnt",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("about", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("name", "version"),
    )
    for kept, of, name in (
        ("recommender", "level", "recommend-"),
        ("forecast", "measure", "demand-"),
    ):
        op.execute(f"INSERT INTO learnt SELECT '{name}' || {of}, version, at, about FROM {kept}")
    op.create_index("score_by_seen_day", "score", ["seen_day"], unique=False)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("score_by_seen_day", table_name="score")
    op.drop_table("learnt")
