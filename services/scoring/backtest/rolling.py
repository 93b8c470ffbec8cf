"""Every score at earlier cuts, held to what came, beside the rules that a sceptic would use."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.scoring.backtest import measures
from services.scoring.backtest.data import Floats
from services.scoring.backtest.figures import Case, Figure, Measure, figure
from services.scoring.predict.customers import Predictions, judge, learn
from services.scoring.predict.snapshots import Outcome, Snapshot, outcome, snapshot
from services.scoring.predict.visits import Visits
from services.scoring.train.from_visits import served

ACTIVE = "active"
ALL = "all"
MOST_CUTS = 4
LEAST_DAYS = 28
"""Of history before a cut."""
FEW_DRAWS = 40
"""For measures of pairs, which take long."""
FEW_CUSTOMERS = 5_000
"""For the same reason."""
NEVER = 36_500.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One cut: who was there, what was said, and what came."""

    cut: int
    horizon: int
    seen: Snapshot
    told: Predictions
    came: Outcome
    methods: Mapping[str, str]
    served: Floats | None = None
    """The churn probability by the model that the service trains; None where too little is known."""


def cuts_of(first: int, last: int, horizon: int) -> list[int]:
    """The latest cuts whose windows have closed, ascending; `first` and `last` day of the data."""
    step = max(horizon // 2, 28)
    cuts = [last + 1 - horizon - step * index for index in range(MOST_CUTS)]
    return sorted(cut for cut in cuts if cut - first >= LEAST_DAYS)


def trial(visits: Visits, cut: int, horizon: int, seed: int) -> Trial | None:
    """What was said at the cut, knowing nothing later; None if nobody had bought by then."""
    past = visits.before(cut)
    if not len(past):
        return None
    learnt = learn(past, cut, horizon, seed)
    told = judge(snapshot(past, cut, horizon), learnt)
    seen = snapshot(visits, cut, horizon)
    methods = {
        "churn": learnt.churn.method,
        "spend": learnt.spend.method,
        "next purchase": learnt.waiting.method,
    }
    by_service = served(past, cut, horizon, seed)
    return Trial(cut, horizon, seen, told, outcome(visits, seen), methods, by_service)


def judged(trials: Sequence[Trial], seed: int) -> list[Figure]:
    """Every figure of the trials of one horizon."""
    horizon = trials[0].horizon
    return [
        *_churn(trials, horizon, seed),
        *_served(trials, horizon, seed),
        *_calibration(trials, horizon, seed),
        *_next(trials, horizon, seed),
        *_amounts(trials, horizon, seed),
    ]


def _case(one: Trial, truth: Floats, said: Mapping[str, Floats], *, active: bool) -> Case:
    case = Case(one.seen.past.customer.astype(np.float64), truth, said)
    return case.chosen(one.seen.active) if active else case


def _churn(trials: Sequence[Trial], horizon: int, seed: int) -> list[Figure]:
    found = []
    for population in (ACTIVE, ALL):
        cases = [
            _case(
                one,
                one.came.churned.astype(np.float64),
                {
                    "model": one.told.churn,
                    "recency": one.seen.table.column("recency"),
                    "frequency": -one.seen.table.column("days"),
                    "purchases in 90 days": -one.seen.table.column("n90"),
                    "BG/NBD": one.seen.p_none,
                },
                active=population == ACTIVE,
            )
            for one in trials
        ]
        found.append(
            figure(
                cases,
                lambda truth, said: measures.auc(truth > 0, said),
                seed,
                score="churn",
                name="AUC",
                population=population,
                horizon=horizon,
                higher=True,
            )
        )
    return found


def _served(trials: Sequence[Trial], horizon: int, seed: int) -> list[Figure]:
    """By the model that the service trains, which sees only what the projection keeps; of active
    customers."""
    known = [
        (
            one.seen.active,
            Case(
                one.seen.past.customer.astype(np.float64),
                one.came.churned.astype(np.float64),
                {
                    "model": one.served,
                    "recency": one.seen.table.column("recency"),
                    "frequency": -one.seen.table.column("days"),
                    "purchases in 90 days": -one.seen.table.column("n90"),
                    "BG/NBD": one.seen.p_none,
                },
            ),
        )
        for one in trials
        if one.served is not None
    ]
    if not known:
        return []
    cases = [case.chosen(active) for active, case in known]
    chances = _pool([replace(case, said={"model": case.said["model"]}) for case in cases])

    def made(of: Sequence[Case], measure: Measure, name: str, higher: bool | None) -> Figure:
        return figure(
            of,
            measure,
            seed,
            score="churn as served",
            name=name,
            population=ACTIVE,
            horizon=horizon,
            higher=higher,
        )

    pooled = _OF_CHANCES if len(chances.truth) else ()
    return [
        made(cases, lambda t, p: measures.auc(t > 0, p), "AUC", True),
        *(made([chances], measure, name, higher) for name, measure, higher in pooled),
    ]


_OF_CHANCES: tuple[tuple[str, Measure, bool | None], ...] = (
    ("Brier / base rate's", lambda t, p: measures.brier_ratio(t > 0, p), False),
    ("calibration error", lambda t, p: measures.calibration_error(t > 0, p), None),
    ("calibration slope", lambda t, p: measures.slope(t > 0, p), None),
    ("bias", lambda t, p: float(p.mean() - t.mean()), None),
)


def _calibration(trials: Sequence[Trial], horizon: int, seed: int) -> list[Figure]:
    """Of active customers, all cuts in one pool."""
    cases = [
        _case(
            one,
            one.came.churned.astype(np.float64),
            {
                "model": one.told.churn,
                "BG/NBD": one.seen.p_none,
                "base rate": np.full(len(one.seen), one.came.churned[one.seen.active].mean())
                if one.seen.active.any()
                else np.zeros(len(one.seen)),
            },
            active=True,
        )
        for one in trials
    ]
    pool = _pool(cases)
    if not len(pool.truth):
        return []
    floor = measures.noise_floor(pool.said["model"], 100, seed)

    def made(name: str, measure: Callable[[Floats, Floats], float], higher: bool | None) -> Figure:
        return figure(
            [pool],
            measure,
            seed,
            score="churn",
            name=name,
            population=ACTIVE,
            horizon=horizon,
            higher=higher,
            note=f"noise floor {floor:.4f}" if name == "calibration error" else "",
        )

    return [
        made("Brier / base rate's", lambda t, p: measures.brier_ratio(t > 0, p), higher=False),
        made("calibration error", lambda t, p: measures.calibration_error(t > 0, p), None),
        made("calibration slope", lambda t, p: measures.slope(t > 0, p), None),
        made("bias", lambda t, p: float(p.mean() - t.mean()), None),
    ]


def _pool(cases: Sequence[Case]) -> Case:
    return Case(
        np.concatenate([case.customer for case in cases]),
        np.concatenate([case.truth for case in cases]),
        {name: np.concatenate([case.said[name] for case in cases]) for name in cases[0].said},
    )


def _next(trials: Sequence[Trial], horizon: int, seed: int) -> list[Figure]:
    """Of active customers; those who did not come within the horizon are known to be later."""
    cases = [
        _case(
            one,
            one.came.wait,
            {
                "model": one.told.wait,
                "mean gap": _mean_gap(one.seen),
                "90 / purchases in 90 days": 90 / np.expm1(one.seen.table.column("n90")).clip(0.5),
            },
            active=True,
        )
        for one in trials
    ]

    def ahead(truth: Floats, said: Floats) -> float:
        return measures.mae(np.minimum(truth, horizon), np.minimum(said, horizon))

    def order(truth: Floats, said: Floats) -> float:
        return measures.concordance(truth, said, horizon)

    options = {"score": "next purchase", "population": ACTIVE, "horizon": horizon}
    pairs = {"name": "concordance", "draws": FEW_DRAWS, "most": FEW_CUSTOMERS}
    return [
        figure(cases, order, seed, higher=True, **pairs, **options),  # type: ignore[arg-type]
        figure(cases, ahead, seed, name=f"MAE in days, up to {horizon}", higher=False, **options),  # type: ignore[arg-type]
        _covered(trials, horizon, seed),
    ]


def _mean_gap(seen: Snapshot) -> Floats:
    """The customer's own; for those who came once, never."""
    gap = np.expm1(seen.table.column("mean_gap"))
    return np.where(seen.table.column("once") > 0, NEVER, gap)


def _covered(trials: Sequence[Trial], horizon: int, seed: int) -> Figure:
    """How often the wait lies within the interval; past the horizon nobody was watched."""

    def inside(one: Trial) -> Floats:
        wait = np.minimum(one.came.wait, horizon)
        low, high = np.floor(one.told.wait_low), np.ceil(one.told.wait_high)
        seen = (wait >= np.minimum(low, horizon)) & (wait <= high)
        return seen.astype(np.float64)

    cases = [_case(one, inside(one), {"model": inside(one)}, active=True) for one in trials]
    return figure(
        cases,
        lambda truth, _: float(truth.mean()),
        seed,
        score="next purchase",
        name="interval of 80 % covers",
        population=ACTIVE,
        horizon=horizon,
        higher=None,
    )


def _amounts(trials: Sequence[Trial], horizon: int, seed: int) -> list[Figure]:
    """Of all customers."""
    found = []
    for score, cases in (("purchases", _days(trials)), ("spend", _spend(trials))):
        for name, measure, higher in (
            ("RMSE", measures.rmse, False),
            ("Spearman", measures.spearman, True),
            ("total bias", measures.total_bias, None),
        ):
            found.append(
                figure(
                    cases,
                    measure,
                    seed,
                    score=score,
                    name=name,
                    population=ALL,
                    horizon=horizon,
                    higher=higher,
                )
            )
    return found


def _days(trials: Sequence[Trial]) -> list[Case]:
    return [
        _case(
            one,
            one.came.days,
            {
                "model": one.told.days,
                "average rate": one.seen.rates.days,
                "last 90 days": one.seen.rates.days_recent,
                "mean of both": one.seen.rates.days_mixed,
                "BG/NBD": one.seen.expected,
            },
            active=False,
        )
        for one in trials
    ]


def _spend(trials: Sequence[Trial]) -> list[Case]:
    return [
        _case(
            one,
            one.came.money,
            {
                "model": one.told.spend,
                "average rate": one.seen.rates.money,
                "last 90 days": one.seen.rates.money_recent,
                "mean of both": one.seen.rates.money_mixed,
            },
            active=False,
        )
        for one in trials
    ]
