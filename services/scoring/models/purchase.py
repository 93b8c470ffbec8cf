"""What the four purchase models have in common, and the choice of one by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from numpy.typing import ArrayLike

from services.scoring.models import bgbb, bgnbd, mbgnbd, paretonbd
from services.scoring.models.collapse import Days
from services.scoring.models.fit import Box, Fit
from services.scoring.models.stable import Floats


class PurchaseModel(Protocol):
    """Fitted parameters and what follows from them.

    `x` repeat purchase days, `t_x` the last of them (0 without one) and `age`, the time observed,
    both since the first purchase day; `horizon` ahead. Times in weeks (`bg_bb`: opportunities).
    Arrays of one length, or single numbers; answers are arrays, one number or row a customer.
    """

    def log_likelihood(self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike) -> Floats:
        """Log-likelihood of each customer."""
        ...

    def p_alive(self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike) -> Floats:
        """Probability that they have not left for good. Not a churn score: see `p_none`."""
        ...

    def p_none(self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike, horizon: ArrayLike) -> Floats:
        """Probability of no purchase in the horizon: the churn probability."""
        ...

    def p_some(self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike, horizon: ArrayLike) -> Floats:
        """Probability of at least one purchase in the horizon."""
        ...

    def expected(self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike, horizon: ArrayLike) -> Floats:
        """Expected purchases in the horizon."""
        ...

    def distribution(
        self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike, horizon: ArrayLike, most: int
    ) -> Floats:
        """Probabilities of 0, 1, .. `most` purchases in the horizon, shape (customers, most + 1).

        What is missing to 1 is the probability of more.
        """
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """A model before it is fitted."""

    make: Callable[..., PurchaseModel]
    """From the parameters, by position or by name."""
    fit: Callable[[Days, Days, Days], Fit[PurchaseModel]]
    """From (x, t_x, age) in whole days (`bg_bb`: opportunities)."""
    box: Box


PURCHASE_MODELS: dict[str, Kind] = {
    "bg_nbd": Kind(bgnbd.Parameters, bgnbd.fit, bgnbd.BOX),
    "mbg_nbd": Kind(mbgnbd.Parameters, mbgnbd.fit, mbgnbd.BOX),
    "pareto_nbd": Kind(paretonbd.Parameters, paretonbd.fit, paretonbd.BOX),
    "bg_bb": Kind(bgbb.Parameters, bgbb.fit, bgbb.BOX),
}


class UnknownModelError(ValueError):
    """There is no model of that name."""


def _kind(name: str) -> Kind:
    if name not in PURCHASE_MODELS:
        raise UnknownModelError(f"unknown model {name!r}; known: {', '.join(PURCHASE_MODELS)}")
    return PURCHASE_MODELS[name]


def purchase_model(name: str, parameters: Sequence[float]) -> PurchaseModel:
    """The model `name` with parameters in the order of its box's names."""
    return _kind(name).make(*parameters)


def fit_purchases(name: str, x: Days, t_x: Days, age: Days) -> Fit[PurchaseModel]:
    """Fit the model `name`: `x` repeat purchase days, `t_x` and `age` in whole days since the
    first (`bg_bb`: opportunities)."""
    return _kind(name).fit(x, t_x, age)
