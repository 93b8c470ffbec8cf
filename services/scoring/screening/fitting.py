"""From a cohort to the policy `prospects`. Pure, and the same for the same cohort.

Rates by age come from everybody; how many times as often those with one thing in common buy is
theirs over what the others would have bought in their place, (O + k) / (E + k): a gamma prior around
1 whose strength k is the one that makes the counts likeliest (negative binomial). The factors are
made by turns, each beside the others, so what they share is not counted twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
from scipy.special import gammaln

from services.scoring.backtest.figures import Case, drawn, interval
from services.scoring.screening.cohort import (
    NEVER,
    Coded,
    Cohort,
    Integers,
    Numbers,
    Waited,
    coded,
    prospects_of,
    share_won,
    waited,
)
from services.scoring.screening.policy import (
    FACTORS,
    HORIZONS,
    OTHER,
    STAGES,
    WINDOWS,
    Because,
    Factor,
    Gate,
    Level,
    Quality,
    Screening,
    Worth,
)
from services.scoring.screening.quality import auc_of, gain_of

ENOUGH = 30
"""Prospects, and days since the first of them, below which nothing is said at all."""
ENOUGH_WON = 30
"""First purchases below which everybody has the overall rate."""
ENOUGH_HELD_OUT = 10
"""First purchases in the held-out periods, without which nothing is known of how good it is."""
MOST_PERIODS = 3
"""Closed periods that rates are held against one rate for all on."""
MOST_DRAWN = 8_000
"""Prospects of a period of whom the intervals are drawn."""
SEED = 0
ENOUGH_SPENT = 20
"""Customers won in a currency below which it is not said what they spend."""
STRENGTHS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 10_000.0)
ROUNDS = 12
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Rates:
    """Daily rates by stage, and ratios of each factor's levels by their number."""

    by_stage: Numbers
    ratios: list[Numbers]
    strengths: list[float]
    won: list[Numbers]
    expected: list[Numbers]

    def chances(self, ages: Integers, levels: Integers, days: int) -> Numbers:
        """Probabilities of a first purchase within so many days."""
        stage = np.searchsorted(STAGES, ages, side="right") - 1
        over = np.array([self._over(place, days) for place in range(len(STAGES))])
        ratio = np.ones(len(ages))
        for place, ratios in enumerate(self.ratios):
            ratio = ratio * ratios[levels[:, place]]
        return np.asarray(-np.expm1(-ratio * over[stage]), dtype=np.float64)

    def by_age(self, ages: Integers, days: int) -> Numbers:
        """The same by age alone."""
        alone = Rates(self.by_stage, [], [], [], [])
        return alone.chances(ages, np.zeros((len(ages), 0), dtype=np.int64), days)

    def _over(self, stage: int, days: int) -> float:
        begin, total = STAGES[stage], 0.0
        for place in range(stage, len(STAGES)):
            end = STAGES[place + 1] if place + 1 < len(STAGES) else NEVER
            total += self.by_stage[place] * max(
                min(end, begin + days) - max(STAGES[place], begin), 0
            )
        return total


def fit(cohort: Cohort, last: int, at: datetime) -> Screening | None:
    """The policy, made of all that had happened by the end of a day (`last`); `at`: the clock. None:
    there are too few prospects, or they go back too few days."""
    ever = ~cohort.at_once & (cohort.seen <= last)
    if np.count_nonzero(ever) < ENOUGH or last - int(cohort.seen[ever].min()) < HORIZONS[0]:
        return None
    known = coded(cohort, last)
    table = waited(known, last)
    won = int(table.won.sum())
    because: Because | None = "few"
    quality: list[Quality] = []
    rates: Rates | None = None
    held: Gate | None = None
    if won >= ENOUGH_WON:
        rates = fit_rates(known, table)
        exams = {days: closed(cohort, last, days) for days in HORIZONS}
        quality = [_quality(found[0]) for found in exams.values() if found]
        held = gate(exams[HORIZONS[0]])
        because = _because(held)
    usual, contacts = _usual(known, last)
    return Screening(
        method="rates" if because is None else "overall",
        because=because,
        fitted_at=at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        seen=int(np.count_nonzero(ever)),
        won=won,
        overall=(_overall(cohort, table, last, 0), _overall(cohort, table, last, 1)),
        rates=[] if rates is None else [_short(rate) for rate in rates.by_stage],
        factors=[] if rates is None else _factors(known, rates),
        quality=quality,
        gate=held,
        worth=_worth(cohort, last),
        usual=usual,
        usual_contacts=contacts,
        usual_days=_usual_days(cohort, ever, last),
    )


def _because(held: Gate | None) -> Because | None:
    """Why not by these rates: on the shorter horizon they must be better than one rate for all."""
    if held is None or held.won < ENOUGH_HELD_OUT:
        return "few"
    return None if held.passes else "worse"


def fit_rates(known: Coded, table: Waited) -> Rates:
    """Rates by age, and ratios, by turns."""
    sizes = [len(known.names[name]) for name in FACTORS]
    ratios = [np.ones(size) for size in sizes]
    strengths = [1.0] * len(FACTORS)
    won = [_sums(table.levels[:, place], table.won, size) for place, size in enumerate(sizes)]
    expected = [np.zeros(size) for size in sizes]
    by_stage = _by_stage(table, table.days)
    for _ in range(ROUNDS):
        for place, size in enumerate(sizes):
            exposed = table.days * by_stage[table.stage]
            for other, ratio in enumerate(ratios):
                if other != place:
                    exposed = exposed * ratio[table.levels[:, other]]
            expected[place] = _sums(table.levels[:, place], exposed, size)
            strengths[place] = _strength(won[place], expected[place])
            k = strengths[place]
            ratios[place] = (won[place] + k) / (expected[place] + k)
        exposed = table.days.copy()
        for other, ratio in enumerate(ratios):
            exposed *= ratio[table.levels[:, other]]
        by_stage = _by_stage(table, exposed)
    return Rates(by_stage, ratios, strengths, won, expected)


def _sums(places: Integers, values: Numbers, size: int) -> Numbers:
    return np.asarray(np.bincount(places, weights=values, minlength=size), dtype=np.float64)


def _by_stage(table: Waited, exposed: Numbers) -> Numbers:
    """First purchases a day. Where little was seen, as in the stage before."""
    won, days = (_sums(table.stage, values, len(STAGES)) for values in (table.won, exposed))
    rates = np.zeros(len(STAGES))
    rates[0] = (won[0] + 0.5) / (days[0] + 1)
    for place in range(1, len(STAGES)):
        rates[place] = (won[place] + 1) / (days[place] + 1 / rates[place - 1])
    return rates


def _strength(won: Numbers, expected: Numbers) -> float:
    """The strength of the prior that makes these counts likeliest; the strongest where levels hardly
    differ."""
    there = expected > 0
    o, e = won[there], expected[there]
    if len(o) < 2:
        return STRENGTHS[-1]

    def likelihood(k: float) -> float:
        found = gammaln(o + k) - gammaln(k) + k * np.log(k) - (o + k) * np.log(e + k)
        return float((found + o * np.log(e)).sum())

    return max(reversed(STRENGTHS), key=likelihood)


@dataclass(frozen=True, slots=True)
class Exam:
    """A period that is over, and what rates that knew nothing of it said of those who were prospects when it
    began. `naive`: what the opponent gives to everybody, the share of the period before."""

    morning: int
    days: int
    who: Integers
    truth: Numbers
    said: Numbers
    by_age: Numbers
    naive: float

    def case(self) -> Case:
        """Beside the opponent."""
        said = {"model": self.said, "naive": np.full(len(self.who), self.naive)}
        return Case(self.who.astype(np.float64), self.truth, said)


def closed(cohort: Cohort, last: int, days: int) -> list[Exam]:
    """The last periods that are over, the newest first; they do not overlap. Empty where the log is too short."""
    found: list[Exam] = []
    for period in range(MOST_PERIODS if days == HORIZONS[0] else 1):
        one = _exam(cohort, last - period * days, days)
        if one is None:
            break
        found.append(one)
    return found


def _exam(cohort: Cohort, last: int, days: int) -> Exam | None:
    """Rates of what was known `days` before the end of a day, on what came then."""
    morning = last + 1 - days
    known = coded(cohort, morning - 1)
    table = waited(known, morning - 1)
    who = prospects_of(cohort, morning)
    before, bought = share_won(cohort, morning - days, days)
    if not table.won.sum() or not len(who) or not before:
        return None
    rates = fit_rates(known, table)
    ages, levels = morning - cohort.seen[who], known.on(who, np.full(len(who), morning))
    return Exam(
        morning=morning,
        days=days,
        who=who,
        truth=(cohort.won[who] < morning + days).astype(np.float64),
        said=rates.chances(ages, levels, days),
        by_age=rates.by_age(ages, days),
        naive=(bought + 0.5) / (before + 1),
    )


def judge(cohort: Cohort, last: int, days: int) -> Quality | None:
    """How good it was on the last period that is over. None where the log is too short."""
    one = _exam(cohort, last, days)
    return None if one is None else _quality(one)


def _quality(one: Exam) -> Quality:
    auc, around = auc_of(one.said, one.truth)
    return Quality(
        horizon_days=one.days,
        begins=date.fromordinal(one.morning).isoformat(),
        prospects=len(one.who),
        won=int(one.truth.sum()),
        expected=_short(float(one.said.sum())),
        naive=_short(one.naive),
        auc=None if auc is None else _short(auc),
        auc_interval=around,
        brier=_short(_missed(one.said, one.truth)),
        brier_naive=_short(_missed(one.naive, one.truth)),
        brier_age=_short(_missed(one.by_age, one.truth)),
        gain_interval=gain_of(one.said, np.full(len(one.who), one.naive), one.truth),
    )


def _missed(said: Numbers | float, truth: Numbers) -> float:
    """Mean squared error (Brier)."""
    return float(np.mean((said - truth) ** 2))


def gate(exams: Sequence[Exam]) -> Gate | None:
    """Rates beside one rate for all on periods that are over; None where there is none."""
    if not exams:
        return None
    ours = float(np.mean([_missed(one.said, one.truth) for one in exams]))
    theirs = float(np.mean([_missed(one.naive, one.truth) for one in exams]))
    names, _, table = drawn(
        [one.case() for one in exams],
        lambda truth, said: _missed(said, truth),
        SEED,
        most=MOST_DRAWN,
    )
    gains = table[:, names.index("naive")] - table[:, names.index("model")]
    low, high = interval(gains)
    return Gate(
        periods=len(exams),
        begins=[date.fromordinal(one.morning).isoformat() for one in exams],
        prospects=len(np.unique(np.concatenate([one.who for one in exams]))),
        won=int(sum(one.truth.sum() for one in exams)),
        brier=_short(ours),
        brier_naive=_short(theirs),
        gain=(_short(theirs - ours), _short(low), _short(high)),
        sure=round(float((gains > 0).mean()), 3),
    )


def _overall(cohort: Cohort, table: Waited, last: int, place: int) -> float:
    """What share of the prospects of a day bought within a horizon; where too few were there so long
    ago, by the rate of all days."""
    days = HORIZONS[place]
    there, bought = share_won(cohort, last + 1 - days, days)
    if there >= ENOUGH:
        return _short((bought + 0.5) / (there + 1))
    rate = (table.won.sum() + 0.5) / (table.days.sum() + 1)
    return _short(float(-np.expm1(-rate * days)))


def _factors(known: Coded, rates: Rates) -> list[Factor]:
    return [
        Factor(
            name,
            rates.strengths[place],
            [
                Level(
                    level,
                    _short(rates.ratios[place][number]),
                    int(rates.won[place][number]),
                    _short(rates.expected[place][number]),
                )
                for number, level in enumerate(known.names[name])
                if rates.expected[place][number] > 0
            ],
        )
        for place, name in enumerate(FACTORS)
    ]


def _usual(known: Coded, last: int) -> tuple[dict[str, str], tuple[float, float, float]]:
    """The most frequent level of each factor, and how many contacts people have."""
    usual = {
        name: known.names[name][1]
        for name in ("source", "kind", "channel")
        if len(known.names[name]) > 1 and known.names[name][1] != OTHER
    }
    cohort = known.cohort
    medians = [
        float(np.median(cohort.contacts[met, place])) if met.any() else 0.0
        for place, window in enumerate(WINDOWS)
        for met in [cohort.contact_day + window <= last + 1]
    ]
    return usual, (medians[0], medians[1], medians[2])


def _usual_days(cohort: Cohort, ever: np.ndarray, last: int) -> float | None:
    won = ever & (cohort.won <= last)
    return float(np.median((cohort.won - cohort.seen)[won])) if won.any() else None


def _worth(cohort: Cohort, last: int) -> list[Worth]:
    """What who was won spends at first, of those whose first thirteen weeks are over."""
    over = np.flatnonzero((cohort.won + 91 <= last + 1) & ~cohort.at_once)
    spent: dict[str, list[tuple[int, int]]] = {}
    for at in over.tolist():
        for currency, amount in (cohort.spend[at] or {}).items():
            spent.setdefault(currency, []).append((at, amount))
    found = []
    for currency, rows in spent.items():
        values = np.array([amount for _, amount in rows], dtype=np.float64)
        mean = float(values.mean())
        if len(rows) < ENOUGH_SPENT or mean <= 0:
            continue
        source = _ratios([cohort.source[at] for at, _ in rows], values / mean)
        left = values / mean / np.array([source.get(cohort.source[at], 1.0) for at, _ in rows])
        kind = _ratios([cohort.kind[at] for at, _ in rows], left)
        found.append(
            Worth(
                currency=currency, customers=len(rows), mean=_short(mean), source=source, kind=kind
            )
        )
    return sorted(found, key=lambda one: (-one.customers, one.currency))


def _ratios(names: Sequence[str], values: Numbers) -> dict[str, float]:
    """Means by name, shrunken towards 1 by credibility (Buehlmann): the less, the more of them there
    are and the less they differ among themselves."""
    texts, places = np.unique(np.array(names, dtype=object).astype(str), return_inverse=True)
    if len(texts) < 2:
        return {}
    number = np.bincount(places).astype(np.float64)
    means = np.bincount(places, weights=values) / number
    total, mean = number.sum(), float(values.mean())
    within = float(((values - means[places]) ** 2).sum() / max(total - len(texts), 1.0))
    apart = total - (number**2).sum() / total
    between = (float((number * (means - mean) ** 2).sum()) - (len(texts) - 1) * within) / apart
    if between <= 0 or mean <= 0:
        return {}
    trust = number / (number + within / between)
    ratios = np.maximum((trust * means + (1 - trust) * mean) / mean, 0.05)
    often = np.argsort(-number, kind="stable")[:50]
    return {str(texts[at]): _short(ratios[at]) for at in sorted(often)}


def _short(value: float) -> float:
    """Some digits: what changes behind them changes nobody's score."""
    return float(f"{float(value):.{_DIGITS}g}")


def is_same(old: Screening, new: Screening, *, within: float = 0.05) -> bool:
    """Whether two fits judge nearly alike: then rows need not be derived again."""
    if (old.method, old.because) != (new.method, new.because):
        return False
    if [one.currency for one in old.worth] != [one.currency for one in new.worth]:
        return False
    if not _near(old.overall, new.overall, within) or not _near(old.rates, new.rates, within):
        return False
    for was, now in zip(old.factors, new.factors, strict=True):
        ratios = {level.name: level.ratio for level in was.levels}
        if set(ratios) != {level.name for level in now.levels}:
            return False
        if any(not _near([ratios[level.name]], [level.ratio], within) for level in now.levels):
            return False
    means = [[one.mean for one in model.worth] for model in (old, new)]
    return _near(means[0], means[1], within)


def _near(one: Sequence[float], other: Sequence[float], within: float) -> bool:
    return len(one) == len(other) and all(
        abs(a - b) <= within * max(abs(a), abs(b)) for a, b in zip(one, other, strict=True)
    )
