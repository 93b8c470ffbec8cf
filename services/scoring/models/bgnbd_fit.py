"""Maximum likelihood for the BG/NBD: from whole days per customer to parameters in weeks."""

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from services.scoring.models.bgnbd import Floats, Parameters, log_likelihood_and_gradient

Days = NDArray[np.int64]

NAMES = ("r", "alpha", "a", "b")
LOWER = Parameters(r=1e-3, alpha=1e-3, a=1e-4, b=1e-3)
UPPER = Parameters(r=1e3, alpha=1e4, a=1e3, b=1e3)
"""Without visible dropout, or without differences between customers, the likelihood is a flat
ridge that runs to infinity; the box ends the walk where probabilities no longer change."""

STARTS = (
    Parameters(r=0.5, alpha=5, a=0.8, b=2.5),
    Parameters(r=1.5, alpha=1.5, a=0.1, b=5),
    Parameters(r=2, alpha=30, a=1.5, b=1.5),
)
_NEAR = 1e-3
_DAY_BITS = 20


@dataclass(frozen=True, slots=True)
class Fit:
    """What was found and how sure it is. `log_likelihood` is summed over `customers`."""

    parameters: Parameters
    log_likelihood: float
    customers: int
    converged: bool
    at_bound: tuple[str, ...]
    """Those that ended on the edge of the box: the data cannot tell them from infinity or zero."""
    standard_errors: tuple[float | None, ...]
    """In the order of `NAMES`; None on the edge, or where the curvature says nothing."""


@dataclass(frozen=True, slots=True)
class Collapsed:
    """Equal customers counted once. Times in weeks."""

    x: Floats
    t_x: Floats
    age: Floats
    weight: Floats

    @property
    def customers(self) -> int:
        return int(self.weight.sum())


def collapse(x: Days, t_x: Days, age: Days) -> Collapsed:
    """Count equal (x, t_x, T), given in whole days.

    Packed into one integer each, which sorts much faster than rows do.
    """
    packed = (x << (2 * _DAY_BITS)) | (t_x << _DAY_BITS) | age
    distinct, counts = np.unique(packed, return_counts=True)
    mask = (1 << _DAY_BITS) - 1
    return Collapsed(
        x=(distinct >> (2 * _DAY_BITS)).astype(np.float64),
        t_x=((distinct >> _DAY_BITS) & mask) / 7.0,
        age=(distinct & mask) / 7.0,
        weight=counts.astype(np.float64),
    )


def fit(x: Days, t_x: Days, age: Days) -> Fit:
    """The likeliest parameters: `x` repeat days; `t_x` and `age` in whole days."""
    data = collapse(x, t_x, age)
    low, high = (np.log(astuple(edge)) for edge in (LOWER, UPPER))

    def loss(logs: Floats) -> tuple[float, Floats]:
        return _loss(logs, data)

    best = None
    for start in STARTS:
        found = minimize(
            loss,
            np.log(astuple(start)),
            jac=True,
            method="L-BFGS-B",
            bounds=list(zip(low, high, strict=True)),
            options={"maxiter": 2000, "maxfun": 4000, "ftol": 1e-14, "gtol": 1e-9},
        )
        if best is None or found.fun < best.fun:
            best = found
    assert best is not None
    free = (best.x > low + _NEAR) & (best.x < high - _NEAR)
    logs, covariance = _polish(best.x, free, data)
    value, slope = _loss(logs, data)
    return Fit(
        parameters=_parameters(logs),
        log_likelihood=-value * data.customers,
        customers=data.customers,
        converged=bool(np.abs(slope[free]).max(initial=0.0) < 1e-5),
        at_bound=tuple(name for name, inside in zip(NAMES, free, strict=True) if not inside),
        standard_errors=_standard_errors(logs, free, covariance),
    )


def _parameters(logs: Floats) -> Parameters:
    r, alpha, a, b = (float(value) for value in np.exp(logs))
    return Parameters(r=r, alpha=alpha, a=a, b=b)


def _loss(logs: Floats, data: Collapsed) -> tuple[float, Floats]:
    """Mean negative log-likelihood and its gradient by the logarithms of the parameters."""
    value, gradient = log_likelihood_and_gradient(_parameters(logs), data.x, data.t_x, data.age)
    share = data.weight / data.weight.sum()
    return -float(value @ share), -(gradient @ share) * np.exp(logs)


def _hessian(logs: Floats, free: NDArray[np.bool_], data: Collapsed, step: float = 1e-5) -> Floats:
    """Curvature among the free parameters, by central differences of the gradient."""
    columns = []
    for index in np.flatnonzero(free):
        ahead, back = logs.copy(), logs.copy()
        ahead[index] += step
        back[index] -= step
        columns.append((_loss(ahead, data)[1] - _loss(back, data)[1])[free] / (2 * step))
    matrix = np.array(columns)
    return (matrix + matrix.T) / 2


def _polish(logs: Floats, free: NDArray[np.bool_], data: Collapsed) -> tuple[Floats, Floats | None]:
    """Newton steps while they help, and the covariance of the free logarithms.

    The quasi-Newton search stops a little early on flat ground. No covariance where the curvature
    is not that of a peak.
    """
    if not free.any():
        return logs, None
    for _ in range(3):
        value, slope = _loss(logs, data)
        hessian = _hessian(logs, free, data)
        if np.linalg.eigvalsh(hessian).min() <= 1e-12:
            return logs, None
        moved = logs.copy()
        moved[free] -= np.clip(np.linalg.solve(hessian, slope[free]), -0.1, 0.1)
        if _loss(moved, data)[0] >= value:
            break
        logs = moved
    covariance: Floats = np.linalg.inv(_hessian(logs, free, data)) / data.customers
    return logs, covariance


def _standard_errors(
    logs: Floats, free: NDArray[np.bool_], covariance: Floats | None
) -> tuple[float | None, ...]:
    errors: list[float | None] = [None] * len(NAMES)
    if covariance is not None:
        spread = np.sqrt(np.diag(covariance))
        for index, deviation in zip(np.flatnonzero(free), spread, strict=True):
            errors[int(index)] = float(np.exp(logs[index]) * deviation)  # delta method
    return tuple(errors)
