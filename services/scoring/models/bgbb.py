"""BG/BB: customers who can buy at set opportunities only (a weekly market, a yearly donation).

Fader, Hardie & Shang, Customer-Base Analysis in a Discrete-Time Noncontractual Setting, Marketing
Science 29(6), 2010. A customer is known by `x`, the number of opportunities taken after the first
purchase, `t_x`, the number of the last one taken (0 without one), and `age` = n, the opportunities
there were: whole numbers, 0 <= x <= t_x <= n. Horizons are in opportunities too.

    L = B(alpha + x, beta + n - x) / B(alpha, beta) * B(gamma, delta + n) / B(gamma, delta)
        + sum over i = 0 .. n - t_x - 1 of
          B(alpha + x, beta + t_x - x + i) / B(alpha, beta)
          * B(gamma + 1, delta + t_x + i) / B(gamma, delta)

(alive until n, or gone after opportunity t_x + i). Arguments of gamma functions differ by whole
numbers, so these are looked up in tables; sums are of logarithms.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma, gammaln

from services.scoring.models.collapse import Collapsed, Days, collapse
from services.scoring.models.fit import Box, Fit, maximise_collapsed
from services.scoring.models.stable import Floats, floats, log_beta

Whole = NDArray[np.int64]

BOX = Box(
    names=("alpha", "beta", "gamma", "delta"),
    lower=(1e-3, 1e-3, 1e-3, 1e-3),
    upper=(1e3, 1e4, 1e3, 1e4),
    starts=((1.0, 1.0, 0.7, 3.0), (0.5, 5.0, 0.3, 10.0), (2.0, 20.0, 0.5, 50.0)),
)
_CELLS = 1 << 18
"""Terms of sums worked on at once."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """`alpha`, `beta`: beta distribution of taking an opportunity; `gamma`, `delta`: of leaving
    at the beginning of one."""

    alpha: float
    beta: float
    gamma: float
    delta: float

    def log_likelihood(self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike) -> Floats:
        """Log-likelihood of each customer."""
        alive, gone = self._logs(*_whole(x, t_x, age))
        value: Floats = np.logaddexp(alive, gone)
        return value

    def p_alive(self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike) -> Floats:
        """Probability that they have not left by opportunity n (they may before the next)."""
        alive, gone = self._logs(*_whole(x, t_x, age))
        value: Floats = np.exp(alive - np.logaddexp(alive, gone))
        return value

    def p_none(self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike, horizon: ArrayLike) -> Floats:
        """Probability that none of the next `horizon` opportunities is taken."""
        x, t_x, age, horizon = _whole(x, t_x, age, horizon)
        alive, gone = self._logs(x, t_x, age)
        then, lost = self._logs(x, age, age + horizon)
        whole = np.logaddexp(alive, gone)
        value: Floats = np.exp(np.logaddexp(then, lost) - whole) + np.exp(gone - whole)
        return np.minimum(value, 1.0)

    def p_some(self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike, horizon: ArrayLike) -> Floats:
        """Probability that at least one of them is taken, exact also where it is tiny.

        A sum over which is the first.
        """
        x, t_x, age, horizon = _whole(x, t_x, age, horizon)
        whole = np.logaddexp(*self._logs(x, t_x, age))
        first = self._sum(x + 1, age + 1, horizon, 0)
        value: Floats = np.exp(first - whole)
        return value

    def expected(self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike, horizon: ArrayLike) -> Floats:
        """Expected number of the next `horizon` opportunities that are taken.

        The paper's equation 13 as a sum over opportunities, which has no singularity at gamma = 1.
        """
        x, t_x, age, horizon = _whole(x, t_x, age, horizon)
        p_alive = self.p_alive(x, t_x, age)
        taken = (self.alpha + x) / (self.alpha + self.beta + age)
        value: Floats = p_alive * taken * self._opportunities(age, horizon)
        return value

    def distribution(
        self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike, horizon: ArrayLike, most: int
    ) -> Floats:
        """Probabilities that 0 to `most` of the next `horizon` opportunities are taken; one row
        each. The paper's equation 12."""
        x, t_x, age, horizon = _whole(x, t_x, age, horizon)
        whole = np.logaddexp(*self._logs(x, t_x, age))
        value = np.zeros((len(x), most + 1))
        value[:, 0] = self.p_none(x, t_x, age, horizon)
        for k in range(1, most + 1):
            can = np.flatnonzero(horizon >= k)
            value[can, k] = np.exp(self._exactly(k, x[can], age[can], horizon[can]) - whole[can])
        return value

    def _logs(self, x: Whole, t_x: Whole, age: Whole) -> tuple[Floats, Floats]:
        """Logs of the likelihood's two parts: alive until n, or gone before."""
        alive = _Logs.of(self, int(age.max(initial=0))).term(x, age, 0)
        return alive, self._sum(x, t_x, age - t_x, 1)

    def _sum(self, x: Whole, start: Whole, length: Whole, left: int) -> Floats:
        """Log of the sum of `_Logs.term` over `length` opportunities from `start`; -inf without
        any. Equal rows are summed once."""
        packed = (x << 40) | (start << 20) | length
        _, which, back = np.unique(packed, return_index=True, return_inverse=True)
        x, start, length = x[which], start[which], length[which]
        tables = _Logs.of(self, int((start + length).max(initial=0)))
        value = np.full(len(x), -np.inf)
        for rows, row, m in _terms(start, length):
            value[rows] = _log_sum(tables.term(x[rows][row], m, left), row, len(rows))
        return value[back]

    def _exactly(self, k: int, x: Whole, age: Whole, horizon: Whole) -> Floats:
        """Log of the likelihood of the past and of k takings of the next `horizon` >= k."""
        took, end = x + k, age + horizon
        tables = _Logs.of(self, int(end.max(initial=0)))
        alive = tables.term(took, end, 0) + _log_choose(horizon, k)
        gone = np.full(len(x), -np.inf)
        for rows, row, m in _terms(age + k, horizon - k):
            ways = _log_choose(m - age[rows][row], k)
            gone[rows] = _log_sum(tables.term(took[rows][row], m, 1) + ways, row, len(rows))
        value: Floats = np.logaddexp(alive, gone)
        return value

    def _opportunities(self, age: Whole, horizon: Whole) -> Floats:
        """Expected number of the next opportunities at which who is alive at n still is."""
        packed = (age << 20) | horizon
        _, which, back = np.unique(packed, return_index=True, return_inverse=True)
        age, horizon = age[which], horizon[which]
        value = np.zeros(len(age))
        for rows, row, m in _terms(age + 1, horizon):
            now = log_beta(self.gamma, self.delta + age[rows])[row]
            stayed = np.exp(log_beta(self.gamma, self.delta + m) - now)
            value[rows] = np.bincount(row, weights=stayed, minlength=len(rows))
        return value[back]


def fit(x: Days, t_x: Days, age: Days) -> Fit[Parameters]:
    """The likeliest parameters, from whole numbers of opportunities."""
    data = collapse(x, t_x, age, per=1.0)
    return maximise_collapsed(Parameters, BOX, _loss, data)


def _loss(values: Floats, data: Collapsed) -> tuple[float, Floats]:
    value, gradient = log_likelihood_and_gradient(Parameters(*values), data.x, data.t_x, data.age)
    return -float(value @ data.weight), -(gradient @ data.weight)


def log_likelihood_and_gradient(
    parameters: Parameters, x: Floats, t_x: Floats, age: Floats
) -> tuple[Floats, Floats]:
    """Log-likelihood of each customer, and its derivatives by alpha, beta, gamma and delta (four
    rows): means over the ways in which they may have left, or not."""
    took, last, end = _whole(x, t_x, age)
    most = int(end.max(initial=0))
    logs, slopes = _Logs.of(parameters, most), _Slopes.of(parameters, most)
    alive = logs.term(took, end, 0)
    value, gradient = alive.copy(), slopes.term(took, end, 0)
    for rows, row, m in _terms(last, end - last):
        term = logs.term(took[rows][row], m, 1)
        value[rows] = np.logaddexp(alive[rows], _log_sum(term, row, len(rows)))
        each = np.exp(term - value[rows][row]) * slopes.term(took[rows][row], m, 1)
        gradient[:, rows] *= np.exp(alive[rows] - value[rows])
        gradient[:, rows] += [np.bincount(row, weights=by, minlength=len(rows)) for by in each]
    return value, gradient


@dataclass(frozen=True, slots=True)
class _Logs:
    """Tables of logarithms by whole numbers."""

    alpha: Floats
    """log[G(alpha + x) / G(alpha)] by x."""
    beta: Floats
    """log G(beta + m) by m."""
    missed: Floats
    """log[B(alpha, beta + m) / B(alpha, beta)] by m: none of m opportunities was taken."""
    stayed: Floats
    """log[B(gamma, delta + m) / B(gamma, delta)] by m: alive after m opportunities."""
    leave: Floats
    """log[gamma / (gamma + delta + m)] by m: and gone with the next."""

    @classmethod
    def of(cls, parameters: Parameters, most: int) -> "_Logs":
        p, steps = parameters, np.arange(most + 2.0)
        return cls(
            alpha=gammaln(p.alpha + steps) - gammaln(p.alpha),
            beta=gammaln(p.beta + steps),
            missed=_log_shares(p.alpha, p.beta, steps),
            stayed=_log_shares(p.gamma, p.delta, steps),
            leave=np.log(p.gamma / (p.gamma + p.delta + steps)),
        )

    def term(self, x: Whole, m: Whole, left: int) -> Floats:
        """log[B(alpha + x, beta + m - x) B(gamma + left, delta + m) / B(alpha, beta)
        / B(gamma, delta)], without a difference of great numbers where x is small."""
        bought = self.alpha[x] + (self.beta[m - x] - self.beta[m]) + self.missed[m]
        value: Floats = bought + self.stayed[m]
        return value + self.leave[m] if left else value


def _log_shares(gone: float, kept: float, steps: Floats) -> Floats:
    """log[B(gone, kept + m) / B(gone, kept)] for m in `steps`: a product, one factor a step."""
    left, whole = kept + steps[:-1], gone + kept + steps[:-1]
    with np.errstate(divide="ignore"):  # a share that rounds to one is not taken
        factors = np.where(left > gone, np.log1p(-gone / whole), np.log(left / whole))
    return np.concatenate((np.zeros(1), np.cumsum(factors)))


@dataclass(frozen=True, slots=True)
class _Slopes:
    """Tables of the digamma function of parameters (and their sums) plus whole numbers."""

    alpha: Floats
    beta: Floats
    alpha_beta: Floats
    gamma: Floats
    delta: Floats
    gamma_delta: Floats

    @classmethod
    def of(cls, parameters: Parameters, most: int) -> "_Slopes":
        p, steps = parameters, np.arange(most + 2.0)
        return cls(
            alpha=digamma(p.alpha + steps) - digamma(p.alpha),
            beta=digamma(p.beta + steps) - digamma(p.beta),
            alpha_beta=digamma(p.alpha + p.beta + steps) - digamma(p.alpha + p.beta),
            gamma=digamma(p.gamma + steps[:2]) - digamma(p.gamma),
            delta=digamma(p.delta + steps) - digamma(p.delta),
            gamma_delta=digamma(p.gamma + p.delta + steps) - digamma(p.gamma + p.delta),
        )

    def term(self, x: Whole, m: Whole, left: int) -> Floats:
        """Derivatives of `_Logs.term` by alpha, beta, gamma and delta: four rows."""
        bought, stayed = self.alpha_beta[m], self.gamma_delta[m + left]
        return np.stack(
            (
                self.alpha[x] - bought,
                self.beta[m - x] - bought,
                self.gamma[left] - stayed,
                self.delta[m] - stayed,
            )
        )


def _whole(*columns: ArrayLike) -> tuple[Whole, ...]:
    return tuple(column.astype(np.int64) for column in floats(*columns))


def _terms(start: Whole, length: Whole) -> Iterator[tuple[Whole, Whole, Whole]]:
    """Sums from `start` over `length` opportunities, some rows at a time.

    Those rows, and of each summand: which of these rows it belongs to, and the opportunity.
    """
    some = np.flatnonzero(length > 0)
    block = np.cumsum(length[some]) // _CELLS
    for rows in np.split(some, np.flatnonzero(np.diff(block)) + 1) if len(some) else ():
        each = length[rows]
        row = np.repeat(np.arange(len(rows)), each)
        first = np.repeat(np.cumsum(each) - each, each)
        yield rows, row, start[rows][row] + np.arange(len(row)) - first


def _log_sum(logs: Floats, row: Whole, rows: int) -> Floats:
    """Log of the sum of e^logs of each row; `row` ascends and no row is empty."""
    starts = np.searchsorted(row, np.arange(rows))
    top = np.maximum.reduceat(logs, starts)
    total: Floats = np.log(np.add.reduceat(np.exp(logs - top[row]), starts)) + top
    return total


def _log_choose(n: Whole, k: int) -> Floats:
    value: Floats = -log_beta(n - k + 1.0, k + 1.0) - np.log(n + 1.0)
    return value
