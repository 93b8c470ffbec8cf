"""Scoring's tables: one row per customer, a child row per purchase day and complaint, and what was
found when a month was over."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
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
    Column("shadow_version", Integer),
    Column("shadow_probability", Double),
    Column("shadow_band", Text),
    Column("seen_day", Integer),
    Column("source", Text),
    Column("source_day", Integer),
    Column("contact_kind", Text),
    Column("contact_channel", Text),
    Column("contact_day", Integer),
    Column("contacts_1", Integer),
    Column("contacts_7", Integer),
    Column("contacts_14", Integer),
    Column("won_at_once", Boolean),
    Column("first_spend", JSONB),
    Column("prospect_28", Double),
    Column("prospect_90", Double),
    Column("prospect_worth", BigInteger),
    Column("prospect_class", Text),
    Column("erased", Boolean, nullable=False, server_default=text("false")),
)
"""Days are ordinals of local dates; `monetary` and `spend_year` (of twelve months) are in minor
units of `currency`, the main one. `matrix` is the cell that holds, `matrix_found` the one that the
policy finds; `spend_from` and `active_from` are what must be reached. `answer_points`: 0 to 1000 an
answer. All but what people say and decide are null for who never bought.

`seen_day` to `won_at_once`: how everybody came, buyers too. `contacts_7`: the customer's own contacts
on the seven days that begin with `contact_day`. `first_spend`: minor units by currency of the first
thirteen weeks. `prospect_28` to `prospect_class`: of who never bought alone. `erased`: all parts of
the customer were; they count in what is fitted and in sources, and stand on no list."""

PROSPECT = score.c.purchase_days.is_(None) & score.c.seen_day.is_not(None)
"""Somebody who was seen and has not bought."""

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
for _name, _column in (
    ("prospect_by_28", score.c.prospect_28),
    ("prospect_by_90", score.c.prospect_90),
    ("prospect_by_worth", score.c.prospect_worth),
    ("prospect_by_day", score.c.seen_day),
):
    Index(_name, _column.desc().nulls_last(), score.c.customer_id, postgresql_where=PROSPECT)
# Who came in a period, buyers too: sources are counted over it.
Index("score_by_seen_day", score.c.seen_day)

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

basket = Table(
    "basket",
    metadata,
    Column("event_id", UUID, primary_key=True),
    Column("customer_id", UUID, nullable=False),
    Column("day", Integer, nullable=False),
    Column("gone", Text),
    Column("body", LargeBinary, nullable=False),
    Index("basket_customer", "customer_id", "day"),
    Index("basket_gone", "gone", postgresql_where=text("gone IS NOT NULL")),
)
"""One row an event that changed an order: `baskets.rows.Basket`. `day`: ordinal of a local date;
`gone`: the version of the order that counts no more."""

grievance = Table(
    "grievance",
    metadata,
    Column("customer_id", UUID, nullable=False),
    Column("complaint_id", Text, nullable=False),
    Column("at", Time, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("order_id", Text),
    Column("products", ARRAY(Text), nullable=False),
    Index("grievance_customer", "customer_id", "at"),
)
"""What complaints are about: the publisher's order, products."""

recommender = Table(
    "recommender",
    metadata,
    Column("level", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("at", Time, nullable=False),
    Column("about", JSONB, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("level", "version"),
)
"""Models of recommendations, the newest three of each level. `at`: the clock on the log."""

audience_of = Table(
    "audience_of",
    metadata,
    Column("level", Text, nullable=False),
    Column("item", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("level", "item"),
)
"""Whom to offer an item to, by the newest model: at most some hundred customers an item."""

forecast = Table(
    "forecast",
    metadata,
    Column("measure", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("at", Time, nullable=False),
    Column("about", JSONB, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("history", LargeBinary, nullable=False),
)
"""The newest forecast of each measure, with the weeks that it was made of."""

learnt = Table(
    "learnt",
    metadata,
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("at", Time, nullable=False),
    Column("about", JSONB, nullable=False),
    PrimaryKeyConstraint("name", "version"),
)
"""What is said of recommenders and forecasts, also of those that are kept no more: `recommend-product`
and its like. The newest hundred of each name."""

series = Table(
    "series",
    metadata,
    Column("name", Text, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("about", JSONB, nullable=False),
    Column("points", JSONB, nullable=False),
    Column("changed_at", Time, nullable=False),
    Column("changed_by", Text, nullable=False),
)
"""Uploaded series, twenty at most; `points`: rows of [key or null, date, value], in order."""

model_version = Table(
    "model_version",
    metadata,
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("trained_at", Time, nullable=False),
    Column("trained_by", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("passes", Boolean, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("name", "version"),
)
"""One row a model that was trained. `body`: the candidate as JSON, byte for byte as it was made;
`digest`: its SHA-256. Fits of every day stand among the policies."""

model_training = Table(
    "model_training",
    metadata,
    Column("name", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("progress", Double, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("position", JSONB),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", Time, nullable=False),
    Column("started_at", Time),
    Column("ended_at", Time),
    Column("beat_at", Time),
    Column("owner", Text),
    Column("attempts", Integer, nullable=False),
    Column("version", Integer),
    Column("code", Text),
    Column("context", JSONB),
    PrimaryKeyConstraint("name", "number"),
)
"""One row a training that was asked for: `queued`, `running`, `done` (`version`) or `failed` (`code`,
and what fills in its words). `beat_at`: when its owner last gave a sign of life."""
Index(
    "model_training_at_work",
    model_training.c.name,
    unique=True,
    postgresql_where=model_training.c.status.in_(("queued", "running")),
)

model_promotion = Table(
    "model_promotion",
    metadata,
    Column("name", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("at", Time, nullable=False),
    Column("by", Text, nullable=False),
    Column("override", Text),
    PrimaryKeyConstraint("name", "number"),
)
"""Who put which version in force; `number`: of the policy that was published with it; `override`: why
in spite of its figures."""
