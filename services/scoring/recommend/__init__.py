"""What customers will need: what they buy again, what is new to them, what goes together.

    model = fit(log, today)                       # nightly; pure, seeded, no clock
    model.for_customer(history, today=today)      # two lists with reasons, in milliseconds
    model.together("milk")                        # bought on the same visit
    model.audience("milk", people, today=today)   # whom to offer it to
    load(dump(model))                             # the same bytes for the same log and seed

One model judges one level: the categories, or the products. On the *again* list are items that the
customer bought before, by their rhythm with each; on the *new* list items that they never bought,
by what goes with those they did. Neither names what they just bought (by the usual gap, theirs
drawn towards the item's, they will not need it within 28 days), nor what is given as `without`:
the items of open complaints, as products or as whole categories.

What is known of a customer is `history.History`, per level, made of the lines of their orders when
it is read (`services/scoring/baskets`):

- per item a `Bought`: `times` (local days on which it was bought), `first`, the `newest` eight of
  these days, and `quantity` (units in all);
- `visits`, how many local days had a purchase, and the `newest_visits`, the last 32.

A model is kept whole (a few hundred kilobytes to a few megabytes) and holds nothing of any
customer: not their ids, not their histories. It may be some days old: `today` is an argument.
"""

from services.scoring.recommend.codec import dump, load
from services.scoring.recommend.history import Bought, History
from services.scoring.recommend.recommender import Recommender, fit
from services.scoring.recommend.rows import Row, recommend_rows

__all__ = ["Bought", "History", "Recommender", "Row", "dump", "fit", "load", "recommend_rows"]
