"""Scoring's tables: one row per customer, and a child row per purchase day and complaint."""

from sqlalchemy import BigInteger, Column, Double, Index, Integer, MetaData, SmallInteger, Text

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
)
"""Days are ordinals of local dates; `monetary` is in minor units of `currency`, the main one. All
are null for who never bought."""

# The watch list, also within a band or a class; NULLS LAST as the list shows them.
_BY_RISK = (
    score.c.churn_probability.desc().nulls_last(),
    score.c.customer_id,
)
Index("score_by_risk", *_BY_RISK)
Index("score_by_band", score.c.churn_band, *_BY_RISK)
Index("score_by_class", score.c.rfm_class, *_BY_RISK)
Index("score_by_recency", score.c.last_purchase_at.desc().nulls_last(), score.c.customer_id)
Index("score_by_frequency", score.c.orders.desc().nulls_last(), score.c.customer_id)

score_item = item_table(metadata, "score_item")
