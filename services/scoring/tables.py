"""Scoring's tables: one row per customer, a child row per purchase day and complaint, and what was
found when a month was over."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from shared.tables import Time, item_table, kernel_tables, row_table

metadata = MetaData()
kernel_tables(metadata)

score = row_table(
    metadata,
    "score",
    Column("churn_probability", Double),
    Column("churn_band", Text),
    Column("rfm_class", Text),
    Column("purchase_days", Integer),
    Column("first_day", Integer),
    Column("last_day", Integer),
    Column("last_purchase_at", Time),
    Column("utcoffset", SmallInteger),
    Column("orders", Integer),
    Column("currency", Text),
    Column("monetary", BigInteger),
    Column("matrix", Text),
    Column("matrix_found", Text),
    Column("spend_year", BigInteger),
    Column("spend_from", BigInteger),
    Column("active_months", SmallInteger),
    Column("active_from", SmallInteger),
    Column("satisfaction", Double),
    Column("answers", Integer),
    Column("answer_points", BigInteger),
)
"""Days are ordinals of local dates; `monetary` and `spend_year` (of twelve months) are in minor
units of `currency`, the main one. `matrix` is the cell that holds, `matrix_found` the one that the
policy finds; `spend_from` and `active_from` are what must be reached. `answer_points`: 0 to 1000 an
answer. All but what people say and decide are null for who never bought."""

# The watch list, also within a band or a class; NULLS LAST as the list shows them.
_BY_RISK = (
    score.c.churn_probability.desc().nulls_last(),
    score.c.customer_id,
)
Index("score_by_risk", *_BY_RISK)
Index("score_by_band", score.c.churn_band, *_BY_RISK)
Index("score_by_class", score.c.rfm_class, *_BY_RISK)
Index("score_by_matrix", score.c.matrix, *_BY_RISK)
Index("score_by_value", score.c.spend_year.desc().nulls_last(), score.c.customer_id)
Index("score_by_satisfaction", score.c.satisfaction.desc().nulls_last(), score.c.customer_id)
Index("score_by_recency", score.c.last_purchase_at.desc().nulls_last(), score.c.customer_id)
Index("score_by_frequency", score.c.orders.desc().nulls_last(), score.c.customer_id)

score_item = item_table(metadata, "score_item")

matrix_review = Table(
    "matrix_review",
    metadata,
    Column("month", Text, primary_key=True),
    Column("at", Time, nullable=False),
    Column("policy", Text, nullable=False),
    Column("customers", BigInteger, nullable=False),
    Column("moved", BigInteger, nullable=False),
    Column("first", Boolean, nullable=False),
    Column("cells", JSONB, nullable=False),
)
"""One row a month that has passed: who was where when it was over. `cells`: customers by cell."""

matrix_move = Table(
    "matrix_move",
    metadata,
    Column("month", Text, nullable=False),
    Column("customer_id", UUID, nullable=False),
    Column("before", Text),
    Column("after", Text),
    Column("currency", Text),
    Column("spend_before", BigInteger),
    Column("spend_after", BigInteger),
    Column("spend_from", BigInteger),
    Column("months_before", SmallInteger),
    Column("months_after", SmallInteger),
    Column("months_from", SmallInteger),
    PrimaryKeyConstraint("month", "customer_id"),
)
"""Who lies in another cell than at the review before; the values then and now, and what must be
reached. Money in minor units of `currency`."""

matrix_standing = Table(
    "matrix_standing",
    metadata,
    Column("customer_id", UUID, primary_key=True),
    Column("matrix", Text),
    Column("spend_year", BigInteger),
    Column("active_months", SmallInteger),
)
"""Where everybody was at the last review."""
