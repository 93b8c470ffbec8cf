"""From views to what callers read: labels, sentences, money."""

from typing import Any

from services.scoring.projector.view import Churn, Nearest, Reason, Rfm
from services.scoring.queries import Scored
from services.scoring.words import EFFECTS, NEAREST, REASONS, WHEN
from shared.language.money import major
from shared.words import Language, label, say


def score_answer(scored: Scored, language: Language) -> dict[str, Any]:
    """The shape of `GET /v1/scores/{customer}`."""
    view = scored.view
    return {
        "customer_id": scored.customer_id,
        "at": view.at,
        "churn": _churn(view.churn, view.model, language) if view.churn else None,
        "rfm": _rfm(view.rfm, view.policy, language) if view.rfm else None,
    }


def _churn(churn: Churn, model: str, language: Language) -> dict[str, Any]:
    return {
        "probability": churn.probability,
        "horizon_days": churn.horizon_days,
        "band": churn.band,
        "label": label("churn_band", churn.band, language),
        "model": model,
        "reasons": [_reason(reason, language) for reason in churn.reasons],
        "evidence": churn.evidence,
        "nearest_change": {
            "text": _nearest_text(churn.nearest, language),
            "band_then": churn.nearest.band_then,
            "probability_then": churn.nearest.probability,
            "change": churn.nearest.code,
            "in_days": churn.nearest.days,
        },
    }


def _reason(reason: Reason, language: Language) -> dict[str, Any]:
    return {
        "feature": reason.feature,
        "value": _short(reason.value),
        "usual": _short(reason.usual),
        "effect": reason.effect,
        "text": _reason_text(reason, language),
    }


def _reason_text(reason: Reason, language: Language) -> str:
    points = _short(round(abs(reason.effect) * 100, 1))
    code = "none" if not points else "higher" if reason.effect > 0 else "lower"
    return say(
        REASONS,
        reason.feature,
        language,
        value=_short(reason.value),
        usual=_short(reason.usual),
        effect=say(EFFECTS, code, language, points=points),
    )


def _nearest_text(nearest: Nearest, language: Language) -> str:
    return say(
        NEAREST,
        nearest.code,
        language,
        when=say(WHEN, "tomorrow" if nearest.days else "today", language),
        days=nearest.days,
        percent=_short(round(nearest.probability * 100, 1)),
        band=label("churn_band", nearest.band_then, language),
    )


def _short(value: float) -> float:
    """Whole numbers without a decimal point."""
    return int(value) if value == int(value) else value


def _rfm(rfm: Rfm, policy: str, language: Language) -> dict[str, Any]:
    money = None
    if rfm.currency is not None:
        money = {"amount": major(rfm.monetary, rfm.currency), "currency": rfm.currency}
    return {
        "recency_days": rfm.recency_days,
        "frequency": rfm.frequency,
        "monetary": money,
        "r": rfm.r,
        "f": rfm.f,
        "m": rfm.m,
        "class": rfm.rfm_class,
        "label": label("rfm_class", rfm.rfm_class, language) if rfm.rfm_class else None,
        "policy": policy,
    }
