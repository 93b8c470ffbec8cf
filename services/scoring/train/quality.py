"""How good a model is on the last period that has closed, beside the rules that a sceptic would use."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
from scipy.special import expit

from services.scoring.backtest import measures
from services.scoring.backtest.figures import (
    Case,
    Figure,
    Measure,
    Value,
    drawn,
    figure,
    interval,
)
from services.scoring.policies import Calibrated, Learnt
from services.scoring.predict.visits import Floats, Mask
from services.scoring.projector.seen import FEATURES
from services.scoring.shares import wilson
from services.scoring.train.errors import CannotTrain
from services.scoring.train.learn import Mornings, learn
from services.scoring.train.lines import rounded
from services.scoring.train.table import Standing, returned

RULES = ("recency", "frequency", "purchases_in_90_days")
"""What a sceptic would rank by: each knows nothing but one number."""
DRAWS = 100
GATE_DRAWS = 200
MOST_CUTS = 3
"""Closed windows that a model is held against its baseline on."""
MOST = 8_000
"""Customers of whom the intervals are drawn."""
"""Two-sided 95 %."""


def say(learnt: Learnt, values: Floats) -> Floats:
    """The probabilities of a learnt horizon for rows of features."""
    return np.asarray(expit(learnt.shift + learnt.slope * _sum(learnt, values)), dtype=np.float64)


def _sum(learnt: Learnt, values: Floats) -> Floats:
    odds = np.full(len(values), learnt.base)
    for line in learnt.lines:
        column = np.clip(values[:, FEATURES.index(line.feature)], line.low, line.high)
        odds += line.weight * (column - line.usual)
    return odds


@dataclass(frozen=True, slots=True)
class Exam:
    """A closed window, and a model that knew nothing of it."""

    seen: Standing
    values: Floats
    said: Floats
    churned: Mask
    rules: dict[str, Floats]

    @classmethod
    def of(cls, mornings: Mornings, cut: int, model: Calibrated, learnt: Learnt) -> "Exam":
        """The window from `cut` on."""
        facts, horizon = mornings.facts, learnt.horizon_days
        seen, closed = mornings.at(cut)
        values = seen.values(model, list(facts.currencies), closed.parameters, horizon)
        rules = {
            "recency": (seen.cut - seen.last).astype(np.float64),
            "frequency": -seen.days.astype(np.float64),
            "purchases_in_90_days": -seen.n90.astype(np.float64),
            "bg_nbd": seen.p_none(closed.parameters, horizon),
        }
        churned = ~returned(facts, seen, horizon)
        return cls(seen, values, say(learnt, values), churned, rules)

    def case(self, rules: Sequence[str]) -> Case:
        """Of the active customers."""
        active = self.seen.active
        said = {"model": self.said[active], **{name: self.rules[name][active] for name in rules}}
        truth = self.churned[active].astype(np.float64)
        return Case(self.seen.customer[active].astype(np.float64), truth, said)


def closed_cuts(mornings: Mornings, horizon: int) -> list[int]:
    """Where the last closed windows began, the newest first; they do not overlap."""
    newest = mornings.facts.end - horizon
    return [cut for index in range(MOST_CUTS) if (cut := newest - index * horizon) > mornings.first]


def examine(mornings: Mornings, horizon: int) -> list[tuple[int, Calibrated, Learnt]]:
    """Models made in the same way for the closed windows, the newest first. Raises CannotTrain where there is
    none for the newest."""
    made = []
    for cut in closed_cuts(mornings, horizon) or [mornings.facts.end - horizon]:
        try:
            made.append((cut, *learn(mornings, cut, horizon)))
        except CannotTrain:
            if not made:
                raise
            break
    return made


def judge(
    mornings: Mornings, made: Sequence[tuple[int, Calibrated, Learnt]]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Figures of models that knew nothing of the windows from their cuts on (the newest first), and what the
    features of the newest bring."""
    exams = [Exam.of(mornings, *one) for one in made]
    (cut, _, learnt), newest = made[0], exams[0]
    seen, said, churned, rules = newest.seen, newest.said, newest.churned, newest.rules
    horizon = learnt.horizon_days
    active = _population("active", seen, churned, said, rules, seen.active, mornings.seed)
    everybody = np.ones(len(seen), dtype=np.bool_)
    whole = _population("all", seen, churned, said, rules, everybody, mornings.seed)
    quality: dict[str, Any] = {
        "horizon_days": horizon,
        "from": date.fromordinal(cut).isoformat(),
        "to": date.fromordinal(cut + horizon - 1).isoformat(),
        "populations": [active, whole],
        "reliability": reliability(churned[seen.active], said[seen.active]),
    }
    found = gate([exam.case(RULES) for exam in exams], mornings.seed)
    found["from"] = [date.fromordinal(one[0]).isoformat() for one in made]
    quality |= {"gate": found, "passes": found["passes"]}
    importance = _importance(
        learnt, newest.values[seen.active], churned[seen.active], mornings.seed
    )
    return quality, importance


def gate(cases: Sequence[Case], seed: int) -> dict[str, Any]:
    """A model beside the best simple rule on the active customers of closed windows: means over the windows, and
    how sure the difference is, by draws of customers with all their windows, the same for both.

    It passes where it ranks at least as well as that rule and its probabilities are nearer to the truth than the
    base rate; not where nothing could be told apart. `sure`: the share of draws in which it would have passed.
    """
    told: dict[str, Any] = {
        "periods": len(cases),
        "customers": len(np.unique(np.concatenate([case.customer for case in cases]))),
        "baseline": None,
        "auc": None,
        "baseline_auc": None,
        "difference": None,
        "brier_ratio": None,
        "sure": None,
        "passes": False,
    }
    if not told["customers"]:
        return told
    names, means, table = drawn(
        cases, lambda t, p: measures.auc(t > 0, p), seed, draws=GATE_DRAWS, most=MOST
    )
    point = dict(zip(names, means, strict=True))
    known = {name: point[name] for name in RULES if np.isfinite(point[name])}
    chances = [replace(case, said={"model": case.said["model"]}) for case in cases]
    _, [brier], briers = drawn(
        chances, lambda t, p: measures.brier_ratio(t > 0, p), seed, draws=GATE_DRAWS, most=MOST
    )
    if not known or not np.isfinite(point["model"]):
        return told
    best = max(known, key=lambda name: known[name])
    off = table[:, names.index("model")] - table[:, names.index(best)]
    would = (off >= 0) & (briers[:, 0] <= 1.0)
    return told | {
        "baseline": best,
        "auc": rounded(point["model"]),
        "baseline_auc": rounded(point[best]),
        "difference": _value(Value(point["model"] - point[best], *interval(off))),
        "brier_ratio": _value(Value(brier, *interval(briers[:, 0]))),
        "sure": rounded(float(would[np.isfinite(off)].mean())) if np.isfinite(off).any() else None,
        "passes": passes(point["model"], point[best], brier),
    }


def passes(auc: float, baseline: float, brier_ratio: float) -> bool:
    """Whether a model is not worse than its baseline: by the figures themselves, however unsure."""
    return bool(auc >= baseline and brier_ratio <= 1.0)


def _population(
    name: str,
    seen: Standing,
    churned: Mask,
    said: Floats,
    rules: dict[str, Floats],
    chosen: Mask,
    seed: int,
) -> dict[str, Any]:
    truth = churned[chosen].astype(np.float64)
    answer: dict[str, Any] = {
        "population": name,
        "customers": int(chosen.sum()),
        "churned": rounded(float(truth.mean())) if len(truth) else None,
    }
    ranked = Case(
        seen.customer[chosen].astype(np.float64),
        truth,
        {"model": said[chosen], **{rule: values[chosen] for rule, values in rules.items()}},
    )
    auc = _figure(ranked, lambda t, p: measures.auc(t > 0, p), seed, higher=True)
    answer["auc"] = _shown(auc, naive=True)
    chances = Case(
        ranked.customer, truth, {"model": said[chosen], "bg_nbd": rules["bg_nbd"][chosen]}
    )
    measured: Sequence[tuple[str, Measure, bool | None]] = (
        ("brier_ratio", lambda t, p: measures.brier_ratio(t > 0, p), False),
        ("calibration_error", lambda t, p: measures.calibration_error(t > 0, p), None),
        ("calibration_slope", lambda t, p: measures.slope(t > 0, p), None),
        ("bias", lambda t, p: float(p.mean() - t.mean()), None),
    )
    for key, measure, higher in measured:
        answer[key] = _shown(_figure(chances, measure, seed, higher=higher))
    floor = measures.noise_floor(said[chosen], 50, seed) if len(truth) else None
    answer["noise_floor"] = None if floor is None else rounded(floor)
    return answer


def _figure(case: Case, measure: Measure, seed: int, *, higher: bool | None) -> Figure | None:
    if not len(case.truth):
        return None
    return figure(
        [case],
        measure,
        seed,
        score="churn",
        name="",
        population="",
        horizon=0,
        higher=higher,
        draws=DRAWS,
        most=MOST,
    )


def _shown(found: Figure | None, *, naive: bool = False) -> dict[str, Any]:
    if found is None:
        return {"model": None, "rules": {}, "best_rule": None, "ratio": None}
    rules = {name: _value(value) for name, value in found.rules.items()}
    known = {name: value for name in RULES if (value := rules.get(name)) is not None}
    best = max(known, key=lambda name: known[name]["value"]) if naive and known else None
    model = _value(found.model)
    ratio = None
    if model is not None and best is not None and known[best]["value"]:
        ratio = rounded(model["value"] / known[best]["value"])
    return {"model": model, "rules": rules, "best_rule": best, "ratio": ratio}


def _value(value: Value) -> dict[str, float] | None:
    if not all(np.isfinite((value.value, value.low, value.high))):
        return None
    return {"value": rounded(value.value), "low": rounded(value.low), "high": rounded(value.high)}


def reliability(churned: Mask, said: Floats) -> list[dict[str, Any]]:
    """Ten groups of equal size, from the lowest probability: what was said, what came, and within
    which 95 % interval (Wilson's)."""
    curve = []
    for rows in measures.bins(said) if len(said) else []:
        count, share = len(rows), float(churned[rows].mean())
        low, high = wilson(share, count)
        curve.append(
            {
                "said": rounded(float(said[rows].mean())),
                "came": rounded(share),
                "low": rounded(low),
                "high": rounded(high),
                "customers": count,
            }
        )
    return curve


def _importance(learnt: Learnt, values: Floats, churned: Mask, seed: int) -> list[dict[str, Any]]:
    """What each feature brings: how much AUC is lost where its values are dealt out at random, and
    how far it usually moves the log odds."""
    random = np.random.default_rng(seed)
    whole = measures.auc(churned, _sum(learnt, values))
    found = []
    for line in learnt.lines:
        place = FEATURES.index(line.feature)
        dealt = values.copy()
        dealt[:, place] = random.permutation(dealt[:, place])
        lost = whole - measures.auc(churned, _sum(learnt, dealt))
        inside = np.clip(values[:, place], line.low, line.high)
        moved = float(np.abs(learnt.slope * line.weight * (inside - line.usual)).mean())
        found.append(
            {
                "feature": line.feature,
                "weight": line.weight,
                "auc_lost": rounded(lost) if np.isfinite(lost) else None,
                "moves_log_odds": rounded(moved),
            }
        )
    return sorted(found, key=lambda one: (-one["moves_log_odds"], one["feature"]))
