"""The churn probability by a trained model, and why it is so: what each feature adds to log odds.

The same questions as `churn.Judge` answers, on `Seen` instead of the three numbers of BG/NBD.
"""

from collections.abc import Callable, Sequence
from datetime import date
from math import exp, expm1

import msgspec

from services.scoring.policies import BANDS, Calibrated, Learnt, Scoring
from services.scoring.projector.churn import HORIZONS, SILENCE_DAYS, first_silence
from services.scoring.projector.seen import FEATURES, LEAST, Seen, measure
from services.scoring.projector.state import month_of
from services.scoring.projector.view import Churn, Nearest, Reason, Risk

MOST_REASONS = 6
LEAST_EFFECT = 0.0005

_PLACES = {feature: index for index, feature in enumerate(FEATURES)}


def probability_of(log_odds: float) -> float:
    """From log odds, rounded as it is shown, so that bands agree with it."""
    if log_odds >= 0:
        return round(1 / (1 + exp(-log_odds)), 6)
    odds = exp(log_odds)
    return round(odds / (1 + odds), 6)


def terms(learnt: Learnt, values: Sequence[float]) -> dict[str, float]:
    """What each feature adds to the log odds, beyond what is usual."""
    added = {}
    for line in learnt.lines:
        value = min(max(values[_PLACES[line.feature]], line.low), line.high)
        added[line.feature] = learnt.slope * line.weight * (value - line.usual)
    return added


def log_odds(learnt: Learnt, values: Sequence[float]) -> float:
    """Of no purchase day within the horizon. Every event asks for it: no calls in the loop."""
    total = learnt.base
    for place, weight, low, high, usual in _laid_out(learnt):
        value = values[place]
        if value < low:
            value = low
        elif value > high:
            value = high
        total += weight * (value - usual)
    return learnt.shift + learnt.slope * total


_MOST_LAID_OUT = 64
_laid: dict[int, tuple[Learnt, list[tuple[int, float, float, float, float]]]] = {}
"""Lines as the sum wants them, by the identity of the model, which is kept beside."""


def _laid_out(learnt: Learnt) -> list[tuple[int, float, float, float, float]]:
    """Place, weight, low, high and usual of the lines that weigh anything."""
    known = _laid.get(id(learnt))
    if known is None or known[0] is not learnt:
        if len(_laid) >= _MOST_LAID_OUT:
            _laid.clear()
        lines = [
            (_PLACES[line.feature], line.weight, line.low, line.high, line.usual)
            for line in learnt.lines
            if line.weight
        ]
        known = _laid[id(learnt)] = (learnt, lines)
    return known[1]


class TrainedJudge(msgspec.Struct, frozen=True):
    """A trained model and the bands that its probabilities fall into."""

    model: Calibrated
    scoring: Scoring

    @property
    def horizon_days(self) -> int:
        return self.model.horizons[0].horizon_days

    @property
    def _knows_seasons(self) -> bool:
        return any(
            line.feature == "season" and line.weight for line in self.model.horizons[0].lines
        )

    def probability(self, seen: Seen, learnt: Learnt | None = None) -> float:
        """No purchase day within the horizon, that of the bands by default."""
        learnt = learnt or self.model.horizons[0]
        values = measure(seen, self.model, learnt.closed, learnt.horizon_days)
        return probability_of(log_odds(learnt, values))

    def risk(self, seen: Seen) -> Risk:
        """What is kept of one customer's risk."""
        probability = self.probability(seen)
        return Risk(probability, self.horizon_days, self.scoring.band(probability))

    def churn(self, seen: Seen, evidence: list[str], otherwise: Callable[[int], float]) -> Churn:
        """Everything there is to say about one customer's risk; `otherwise`: the probability for a
        horizon that was not learnt."""
        learnt = self.model.horizons[0]
        values = measure(seen, self.model, learnt.closed, learnt.horizon_days)
        odds = log_odds(learnt, values)
        probability = probability_of(odds)
        return Churn(
            probability=probability,
            horizon_days=self.horizon_days,
            band=self.scoring.band(probability),
            reasons=self._reasons(seen, values, odds),
            evidence=evidence,
            nearest=self._nearest(seen, probability),
            others=self._others(seen, probability, otherwise),
        )

    def _others(
        self, seen: Seen, probability: float, otherwise: Callable[[int], float]
    ) -> dict[int, float]:
        """A shorter time without a purchase is never less likely than a longer one."""
        learnt = {one.horizon_days: one for one in self.model.horizons[1:]}
        others = {}
        for days in HORIZONS:
            if days == self.horizon_days:
                continue
            value = self.probability(seen, learnt[days]) if days in learnt else otherwise(days)
            bound = max if days < self.horizon_days else min
            others[days] = bound(value, probability)
        return others

    def _reasons(self, seen: Seen, values: Sequence[float], odds: float) -> list[Reason]:
        learnt = self.model.horizons[0]
        added, probability = terms(learnt, values), probability_of(odds)
        usual = {line.feature: line.usual for line in learnt.lines}
        reasons = []
        for reason, features in _groups(seen).items():
            known = [feature for feature in features if feature in added]
            if not known:
                continue
            part = sum(added[feature] for feature in known)
            place = _PLACES[features[0]]
            reasons.append(
                Reason(
                    feature=reason,
                    value=_shown(reason, values[place]),
                    usual=_shown(reason, usual.get(features[0], 0.0)),
                    effect=round(probability - probability_of(odds - part), 4),
                )
            )
        reasons.sort(key=lambda one: -abs(one.effect))
        told = [one for one in reasons[:MOST_REASONS] if abs(one.effect) >= LEAST_EFFECT]
        open_complaints = seen.state.open_complaints
        if open_complaints:  # who calls this customer should know
            counted = [one for one in reasons if one.feature == "complaints_open"]
            if not counted:
                told.append(Reason("open_complaints", open_complaints, 0, 0.0))
            elif counted[0] not in told:
                told.append(counted[0])
        return told or reasons[:1]

    def _nearest(self, seen: Seen, probability: float) -> Nearest:
        band = self.scoring.band(probability)
        days = 0 if seen.today > seen.last else 1  # one more today would be the same day
        bought = self.probability(seen.bought(days))
        then = self.scoring.band(bought)
        if BANDS.index(then) < BANDS.index(band):
            return Nearest("purchase", days, bought, then)
        stretches = _stretches(seen) if self._knows_seasons else (SILENCE_DAYS,)
        silence = first_silence(
            self.scoring, band, lambda n: self.probability(seen.later(n)), stretches
        )
        return silence or Nearest("none", days, bought, then)


def _stretches(seen: Seen) -> list[int]:
    """Days from now to the end of this month, of the next one, and so on: the season turns with the month."""
    ends: list[int] = []
    month = month_of(date.fromordinal(seen.today))
    while not ends or ends[-1] < SILENCE_DAYS:
        month += 1
        year, index = divmod(month, 12)
        ends.append(date(year, index + 1, 1).toordinal() - 1 - seen.today)
    return [*(days for days in ends[:-1] if days), SILENCE_DAYS]


def _groups(seen: Seen) -> dict[str, tuple[str, ...]]:
    """Reasons and the features that each speaks of; the first one is shown."""
    again = seen.days > 1
    return {
        "days_since_last_purchase": ("silence",),
        "rhythm": ("closed",),
        "purchase_days": ("days",),
        **(
            {"gap_days": ("gap", "once", "late_gap")} if again else {"bought_once": ("once", "gap")}
        ),
        "span_days": ("span",),
        "orders_lately": ("fading120", "fading30"),
        "purchase_value": ("purchase_value",),
        "complaints_open": ("complaints_open",),
        "complaints_settled": ("complaints_settled",),
        "complaints_handled": ("handling",),
        "answers": ("answers",),
        "promoted": ("promoted",),
        "discount": ("discount",),
        "contacts": ("contacts",),
        "reached": ("reached",),
        "responses": ("responses",),
        "season": ("season",),
    }


_LOGARITHMS = frozenset(
    {
        "days_since_last_purchase",
        "purchase_days",
        "gap_days",
        "span_days",
        "complaints_open",
        "complaints_settled",
    }
)


_FADING = frozenset({"orders_lately", "contacts", "reached"})
_RATIOS = frozenset({"purchase_value", "season"})
_SHARES = frozenset({"answers", "complaints_handled", "promoted", "discount", "responses"})


def _shown(reason: str, value: float) -> float:
    """A feature as people know it: days, orders, percent."""
    if reason in _LOGARITHMS:
        return round(expm1(value), 1)
    if reason == "rhythm":
        return round(100 * probability_of(value), 1)
    if reason in _FADING:
        return round(max(exp(value) - LEAST, 0.0), 1)
    if reason in _RATIOS:
        return round(100 * exp(value), 1)
    if reason in _SHARES:
        return round(100 * value, 1)
    return round(value, 1)
