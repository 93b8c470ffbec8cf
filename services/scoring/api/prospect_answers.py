"""From what is known of prospects and sources to what callers read."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from services.scoring.prospect_queries import Tally
from services.scoring.screening.explain import Change, Reason, Screened
from services.scoring.screening.fitting import ENOUGH
from services.scoring.screening.policy import HORIZONS, WINDOWS, Gate, Quality, Screening
from services.scoring.screening.words import (
    CHANGES,
    CLASSES,
    EFFECTS,
    KINDS,
    LIKE,
    NOTES,
    REASONS,
    UNKNOWN,
)
from services.scoring.shares import wilson
from shared.language.money import major
from shared.words import Language, say


def prospect_answer(found: Screened, language: Language) -> dict[str, Any]:
    """The prospect part of `GET /v1/scores/{customer}`, and of an item of `GET /v1/prospects`."""
    origin, kept, model = found.origin, found.kept, found.model
    currency = model.worth[0].currency if model is not None and model.worth else None
    code = kept.prospect_class
    return {
        "probability": _rounded(kept.probabilities[-1]),
        "horizon_days": HORIZONS[-1],
        "class": code,
        "label": None if code is None else say(CLASSES, code, language),
        "model": found.label,
        "method": None if model is None else model.method,
        "note": note_of(model, language),
        "horizons": _horizons(found),
        "first_seen_on": date.fromordinal(origin.seen_day),
        "days_since_seen": found.age,
        "source": origin.source,
        "first_contact": None
        if origin.kind is None or origin.contact_day is None
        else {
            "kind": origin.kind,
            "label": _kind(origin.kind, language),
            "channel": origin.channel,
            "on": date.fromordinal(origin.contact_day),
        },
        "contacts": [
            {"days": days, "number": number}
            for days, number in zip(WINDOWS, origin.contacts, strict=True)
        ],
        "spend_if_won": [
            {"weeks": 13, "spend": _money(amount, code_), "customers": customers}
            for code_, amount, customers in found.worth
        ],
        "expected_spend": None
        if kept.expected is None or currency is None
        else _money(kept.expected, currency),
        "reasons": [_reason(reason, language) for reason in found.reasons],
        "evidence": found.evidence,
        "nearest_change": None if found.change is None else _change(found.change, language),
    }


def note_of(model: Screening | None, language: Language) -> str:
    """What the probability is made of, or why there is none."""
    if model is None:
        return say(NOTES, "nothing", language, enough=ENOUGH)
    return say(NOTES, model.because or "rates", language)


def _horizons(found: Screened) -> list[dict[str, Any]]:
    return [
        {
            "horizon_days": days,
            "probability": _rounded(found.kept.probabilities[place]),
            "interval": None if found.intervals is None else _interval(found.intervals[place]),
            "usual": None if found.usual is None else _rounded(found.usual[place]),
        }
        for place, days in enumerate(HORIZONS)
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _interval(bounds: tuple[float, float] | None) -> dict[str, float] | None:
    return None if bounds is None else {"low": round(bounds[0], 6), "high": round(bounds[1], 6)}


def _money(amount: float, currency: str) -> dict[str, str]:
    return {"amount": major(round(amount), currency), "currency": currency}


def _kind(kind: str, language: Language) -> str:
    return say(KINDS, kind, language) if kind in KINDS else kind


def _reason(reason: Reason, language: Language) -> dict[str, Any]:
    level = reason.level
    return {
        "feature": reason.feature,
        "value": reason.value,
        "usual": reason.usual,
        "effect": reason.effect,
        "times": None if level is None else round(level.ratio, 2),
        "won": None if level is None else level.won,
        "expected": None if level is None else round(level.expected, 1),
        "text": _text(reason, language),
    }


def _text(reason: Reason, language: Language) -> str:
    points = _short(round(abs(reason.effect) * 100, 1))
    code = "none" if not points else "higher" if reason.effect > 0 else "lower"
    feature = reason.feature
    if feature == "contacts" and reason.value is None:
        feature = "no_contacts"
    missing = "known" if feature == "days_since_seen" else "said"
    return say(
        REASONS,
        feature,
        language,
        value=_said(feature, reason.value, "said", language),
        usual=_said(feature, reason.usual, missing, language),
        days=reason.days,
        like=_like(reason, language),
        effect=say(EFFECTS, code, language, points=points),
    )


def _said(feature: str, value: str | float | None, missing: str, language: Language) -> Any:
    if value is None:
        return say(UNKNOWN, missing, language)
    if isinstance(value, str):
        return _kind(value, language) if feature == "kind" else value
    return _short(value)


def _like(reason: Reason, language: Language) -> str:
    level = reason.level
    if level is None or not level.expected:
        return say(LIKE, "unknown", language)
    expected, times = _short(round(level.expected, 1)), _short(round(level.ratio, 2))
    return say(LIKE, "told", language, won=level.won, expected=expected, times=times)


def _short(value: float) -> float:
    return int(value) if value == int(value) else value


def _change(change: Change, language: Language) -> dict[str, Any]:
    return {
        "text": say(
            CHANGES,
            change.code,
            language,
            then=say(CLASSES, change.then, language),
            percent=_short(round(change.probability * 100, 1)),
            on=change.on,
            number=change.number,
        ),
        "class_then": change.then,
        "probability_then": round(change.probability, 6),
        "change": change.code,
        "until": change.on,
        "in_days": change.days,
        "contacts": change.number,
    }


def quality_answer(one: Quality) -> dict[str, Any]:
    """How good it was on the last period that is over, beside one rate for all."""
    return {
        "horizon_days": one.horizon_days,
        "begins": one.begins,
        "prospects": one.prospects,
        "won": one.won,
        "expected": round(one.expected, 1),
        "auc": one.auc,
        "auc_interval": _interval(one.auc_interval),
        "brier": one.brier,
        "naive": {"probability": one.naive, "auc": 0.5, "brier": one.brier_naive},
        "by_age_alone": {"brier": one.brier_age},
        "gain_interval": _interval(one.gain_interval),
        "better": one.brier < one.brier_naive,
    }


def gate_answer(one: Gate) -> dict[str, Any]:
    """How it stood beside one rate for all on several periods that are over: by that it is chosen."""
    gain, low, high = one.gain
    return {
        "horizon_days": HORIZONS[0],
        "periods": one.periods,
        "begins": one.begins,
        "prospects": one.prospects,
        "won": one.won,
        "brier": one.brier,
        "naive_brier": one.brier_naive,
        "gain": {"value": gain, "low": low, "high": high},
        "sure": one.sure,
        "passes": one.passes,
    }


def rate_of(won: int, among: int) -> dict[str, Any] | None:
    """A share with its 95 % interval (Wilson); null of nobody."""
    if among <= 0:
        return None
    share = won / among
    return {"rate": round(share, 6), "interval": _interval(wilson(share, among))}


def tally_answer(
    tally: Tally,
    spend: Sequence[tuple[str, int, int]],
    cost: Mapping[str, int],
) -> dict[str, Any]:
    """One source in one period. `spend`: currency, customers, minor units; `cost`: minor units by currency."""
    prospects, won = tally.seen - tally.at_once, tally.won - tally.at_once
    return {
        "seen": tally.seen,
        "won": tally.won,
        "won_at_once": tally.at_once,
        "prospects": prospects,
        "conversion": rate_of(won, prospects),
        "within_90_days": None
        if not tally.mature
        else {
            "prospects": tally.mature,
            "won": tally.mature_won,
            **(rate_of(tally.mature_won, tally.mature) or {}),
        },
        "median_days_to_win": tally.median_days,
        "first_spend": [
            {
                "weeks": 13,
                "customers": customers,
                "spend": _money(amount, currency),
                "mean": _money(amount / customers, currency),
            }
            for currency, customers, amount in spend
        ],
        "cost": [
            {
                "cost": _money(amount, currency),
                "per_won": _money(amount / tally.won, currency) if tally.won else None,
            }
            for currency, amount in cost.items()
        ],
    }
