"""matrix and satisfaction

Revises: 20261122_1110
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261122_1130"
down_revision = "20261122_1110"
branch_labels = None
depends_on = None

COLUMNS = (
    ("matrix", sa.Text()),
    ("matrix_found", sa.Text()),
    ("spend_year", sa.BigInteger()),
    ("spend_from", sa.BigInteger()),
    ("active_months", sa.SmallInteger()),
    ("active_from", sa.SmallInteger()),
    ("satisfaction", sa.Double()),
    ("answers", sa.Integer()),
    ("answer_points", sa.BigInteger()),
)
BY_RISK = [sa.literal_column("churn_probability DESC NULLS LAST"), "customer_id"]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for name, kind in COLUMNS:
        op.add_column("score", sa.Column(name, kind, nullable=True))
    op.create_index("score_by_matrix", "score", ["matrix", *BY_RISK], unique=False)
    for name, column in (("value", "spend_year"), ("satisfaction", "satisfaction")):
        descending = sa.literal_column(f"{column} DESC NULLS LAST")
        op.create_index(f"score_by_{name}", "score", [descending, "customer_id"], unique=False)
    op.create_table(
        "matrix_review",
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("customers", sa.BigInteger(), nullable=False),
        sa.Column("moved", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.Boolean(), nullable=False),
        sa.Column("cells", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("month"),
    )
    op.create_table(
        "matrix_move",
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.UUID(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("spend_before", sa.BigInteger(), nullable=True),
        sa.Column("spend_after", sa.BigInteger(), nullable=True),
        sa.Column("spend_from", sa.BigInteger(), nullable=True),
        sa.Column("months_before", sa.SmallInteger(), nullable=True),
        sa.Column("months_after", sa.SmallInteger(), nullable=True),
        sa.Column("months_from", sa.SmallInteger(), nullable=True),
        sa.PrimaryKeyConstraint("month", "customer_id"),
    )
    op.create_table(
        "matrix_standing",
        sa.Column("customer_id", sa.UUID(), nullable=False),
        sa.Column("matrix", sa.Text(), nullable=True),
        sa.Column("spend_year", sa.BigInteger(), nullable=True),
        sa.Column("active_months", sa.SmallInteger(), nullable=True),
        sa.PrimaryKeyConstraint("customer_id"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in ("matrix_standing", "matrix_move", "matrix_review"):
        op.drop_table(table)
    for name in ("satisfaction", "value", "matrix"):
        op.drop_index(f"score_by_{name}", table_name="score")
    for name, _ in COLUMNS:
        op.drop_column("score", name)
