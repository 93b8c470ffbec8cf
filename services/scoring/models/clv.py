"""What a customer is worth: expected purchases, times what one is worth, discounted.

Fader, Hardie & Lee, RFM and CLV: Using Iso-Value Curves for Customer Base Analysis, Journal of
Marketing Research 42(4), 2005.
"""

from math import ceil

import numpy as np
from numpy.typing import ArrayLike

from services.scoring.models.purchase import PurchaseModel
from services.scoring.models.stable import Floats, floats

STEP = 4.0


def discounted_purchases(
    model: PurchaseModel,
    x: ArrayLike,
    t_x: ArrayLike,
    age: ArrayLike,
    horizon: float,
    rate: float,
    step: float = STEP,
) -> Floats:
    """Expected purchases of the next `horizon` weeks, each worth e^-(rate * weeks until then).

    `rate` is continuous, a week: log(1.1) / 52 for 10 % a year. A purchase counts as made in the
    middle of its step of `step` weeks, the last step ends with the horizon. (`bg_bb`: opportunities
    instead of weeks; `step` and `horizon` are whole.)
    """
    x, t_x, age = floats(x, t_x, age)
    value = np.zeros_like(x)
    before = np.zeros_like(x)
    for index in range(ceil(horizon / step)):
        start, end = index * step, min((index + 1) * step, horizon)
        until = model.expected(x, t_x, age, end)
        value += (until - before) * np.exp(-rate * (start + end) / 2)
        before = until
    return value


def clv(purchases: ArrayLike, value: ArrayLike, margin: ArrayLike = 1.0) -> Floats:
    """Customer lifetime value of the horizon that `purchases` (discounted) were expected in.

    `value` is what a purchase is expected to be worth, in any currency, and `margin` the share of
    it that is earned.
    """
    purchases, value, margin = floats(purchases, value, margin)
    return purchases * value * margin
