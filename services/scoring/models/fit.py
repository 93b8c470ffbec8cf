"""One way to the likeliest parameters for all models, and how sure it is of them.

The search runs over the logarithms of the parameters within a box, from several starts, by
quasi-Newton steps and then by Newton's; gradients are the models' own, the curvature is their
difference.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from services.scoring.models.collapse import Collapsed, thin
from services.scoring.models.stable import Floats

P_co = TypeVar("P_co", covariant=True)  # a Fit is frozen

Loss = Callable[[Floats], tuple[float, Floats]]
"""From parameters to the negative log-likelihood of all customers and its gradient."""

Sample = tuple[Loss, float]
"""The same of some customers, and how many they stand for."""

_NEAR = 1e-3
_STEP = 1e-5
_CONVERGED = 1e-5
_ARRIVED = 1e-9
_FLAT = 1e-12
_DONE = 1e-9
_ROUGH = {"maxiter": 25, "maxfun": 40, "factr": 1e10, "pgtol": 1e-4}
_FINE = {"maxiter": 500, "maxfun": 1000, "factr": 10, "pgtol": 1e-9}


@dataclass(frozen=True, slots=True)
class Fit(Generic[P_co]):
    """What was found and how sure it is. `log_likelihood` is summed over `customers`."""

    parameters: P_co
    log_likelihood: float
    customers: int
    converged: bool
    at_bound: tuple[str, ...]
    """Those that ended on the edge of the box: the data cannot tell them from infinity or zero."""
    standard_errors: tuple[float | None, ...]
    """In the order of the parameters; None on the edge, or where the curvature says nothing."""


@dataclass(frozen=True, slots=True)
class Box:
    """Names, edges and starts of the parameters.

    Without visible dropout, or without differences between customers, a likelihood is a flat ridge
    that runs to infinity; the box ends the walk where probabilities no longer change.
    """

    names: tuple[str, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    starts: tuple[tuple[float, ...], ...]


def maximise(
    make: Callable[..., P_co], box: Box, loss: Loss, customers: int, sample: Sample | None = None
) -> Fit[P_co]:
    """The likeliest parameters in the box; `make` is called with them in their order.

    The long way is gone on a `sample`, if there is one. With no customer at all it is the first
    start, not converged.
    """
    if not customers:
        unknown = (None,) * len(box.names)
        return Fit(make(*box.starts[0]), 0.0, 0, False, (), unknown)
    low, high = np.log(box.lower), np.log(box.upper)
    search = _Search(loss, customers, low, high)
    rough = search if sample is None else _Search(*sample, low, high)
    logs = rough.best(box.starts)
    if sample is not None:
        logs = search.arrive(logs, rough)
    free = search.free(logs)
    logs, covariance = search.polish(logs, free)
    value, slope = search.at(logs)
    return Fit(
        parameters=make(*(float(number) for number in np.exp(logs))),
        log_likelihood=-value * customers,
        customers=customers,
        converged=bool(np.abs(slope[free]).max(initial=0.0) < _CONVERGED),
        at_bound=tuple(name for name, inside in zip(box.names, free, strict=True) if not inside),
        standard_errors=_standard_errors(logs, free, covariance),
    )


def maximise_collapsed(
    make: Callable[..., P_co],
    box: Box,
    loss: Callable[[Floats, Collapsed], tuple[float, Floats]],
    data: Collapsed,
) -> Fit[P_co]:
    """The same for customers known by x, t_x and T, many of them by a sample first."""

    def of(some: Collapsed) -> Loss:
        return lambda values: loss(values, some)

    few = thin(data)
    sample = None if few is None else (of(few), float(few.weight.sum()))
    return maximise(make, box, of(data), data.customers, sample)


@dataclass(frozen=True, slots=True)
class _Search:
    loss: Loss
    customers: float
    low: Floats
    high: Floats

    def at(self, logs: Floats) -> tuple[float, Floats]:
        """Mean loss of a customer and its gradient by the logarithms of the parameters."""
        parameters = np.exp(logs)
        value, gradient = self.loss(parameters)
        return value / self.customers, gradient * parameters / self.customers

    def best(self, starts: Sequence[tuple[float, ...]]) -> Floats:
        """A rough walk from every start, and all the way from the best of them."""
        rough = [self._walk(np.log(start), _ROUGH) for start in starts]
        best, _ = min(rough, key=lambda found: found[1])
        return self._walk(best, _FINE)[0]

    def arrive(self, logs: Floats, sample: "_Search") -> Floats:
        """From the top of a sample to that of all.

        The sample's curvature is nearly that of all, so a few steps arrive; where they do not (an
        edge, a ridge), the quasi-Newton search goes on.
        """
        free = sample.free(logs)
        hessian = sample.hessian(logs, free)
        if not free.all() or np.linalg.eigvalsh(hessian).min() <= _FLAT:
            return self._walk(logs, _FINE)[0]
        here = logs
        for _ in range(8):
            slope = self.at(here)[1]
            if np.abs(slope).max() < _ARRIVED:
                return here
            here = np.clip(here - np.linalg.solve(hessian, slope), self.low, self.high)
        return self._walk(logs, _FINE)[0]

    def _walk(self, start: Floats, options: Mapping[str, Any]) -> tuple[Floats, float]:
        """Where quasi-Newton steps end, and the loss there."""
        from scipy.optimize import fmin_l_bfgs_b  # slow to import; who only scores does not fit

        logs, value, _ = fmin_l_bfgs_b(
            self.at,
            np.clip(start, self.low, self.high),
            bounds=list(zip(self.low, self.high, strict=True)),
            **options,
        )
        return np.asarray(logs, dtype=np.float64), float(value)

    def free(self, logs: Floats) -> NDArray[np.bool_]:
        """Which parameters are not on an edge."""
        inside: NDArray[np.bool_] = (logs > self.low + _NEAR) & (logs < self.high - _NEAR)
        return inside

    def polish(self, logs: Floats, free: NDArray[np.bool_]) -> tuple[Floats, Floats | None]:
        """Newton steps while they help, and the covariance of the free logarithms.

        The quasi-Newton search stops a little early on flat ground. No covariance where the
        curvature is not that of a peak.
        """
        if not free.any():
            return logs, None
        hessian = self.hessian(logs, free)
        for _ in range(3):
            if np.linalg.eigvalsh(hessian).min() <= _FLAT:
                return logs, None
            value, slope = self.at(logs)
            if np.abs(slope[free]).max() < _DONE:
                break
            moved = logs.copy()
            moved[free] -= np.clip(np.linalg.solve(hessian, slope[free]), -0.1, 0.1)
            np.clip(moved, self.low, self.high, out=moved)
            if self.at(moved)[0] >= value:
                break
            logs, hessian = moved, self.hessian(moved, free)
        if np.linalg.eigvalsh(hessian).min() <= _FLAT:
            return logs, None
        covariance: Floats = np.asarray(np.linalg.inv(hessian) / self.customers)
        return logs, covariance

    def hessian(self, logs: Floats, free: NDArray[np.bool_]) -> Floats:
        """Curvature among the free parameters, by central differences of the gradient."""
        columns = []
        for index in np.flatnonzero(free):
            ahead, back = logs.copy(), logs.copy()
            ahead[index] += _STEP
            back[index] -= _STEP
            columns.append((self.at(ahead)[1] - self.at(back)[1])[free] / (2 * _STEP))
        matrix = np.array(columns)
        return (matrix + matrix.T) / 2


def _standard_errors(
    logs: Floats, free: NDArray[np.bool_], covariance: Floats | None
) -> tuple[float | None, ...]:
    errors: list[float | None] = [None] * len(logs)
    if covariance is not None:
        spread = np.sqrt(np.diag(covariance))
        for index, deviation in zip(np.flatnonzero(free), spread, strict=True):
            errors[int(index)] = float(np.exp(logs[index]) * deviation)  # delta method
    return tuple(errors)
