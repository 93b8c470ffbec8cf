"""From views and details to what callers read: labels, sentences, money."""

from collections.abc import Sequence
from typing import Any

from services.scoring.api.prospect_answers import prospect_answer
from services.scoring.policies import BANDS
from services.scoring.projector.changes import Change
from services.scoring.projector.details import (
    Details,
    Fact,
    NextPurchase,
    Placed,
    Satisfied,
    Value,
    reviewed_at,
)
from services.scoring.projector.future import HIGH, LOW, Future, Span
from services.scoring.projector.state import Verdict
from services.scoring.projector.view import Churn, Nearest, Reason, Rfm, View
from services.scoring.queries import Scored
from services.scoring.words import CHANGES, EFFECTS, FACTS, NEAREST, REASONS, UNKNOWN, WHEN
from shared.language.money import major
from shared.words import Language, label, say

_LOYALTY = dict(zip(BANDS, reversed(BANDS), strict=True))
"""How loyal who is at so much risk is."""
_CERTAINTY = round(HIGH - LOW, 2)

PURCHASED = (
    "purchase.completed",
    "purchase.corrected",
    "purchase.cancelled",
    "purchase.refunded",
)
COMPLAINED = (
    "complaint.opened",
    "complaint.answered",
    "complaint.escalated",
    "complaint.resolved",
    "complaint.reopened",
)
TOUCHED = ("interaction.recorded", "interaction.retracted", "message.delivered", "message.clicked")
CAME = ("customer.described", "customer.edited", "interaction.recorded", "interaction.retracted")


def events_path(customer_id: str, *types: str) -> str:
    """Where all events are that a score is made of; `evidence` names the newest."""
    return f"/v1/timelines/{customer_id}?" + "&".join(f"type={one}" for one in types)


def score_answer(scored: Scored, details: Details, language: Language) -> dict[str, Any]:
    """The shape of `GET /v1/scores/{customer}`."""
    view, churn = scored.view, details.churn
    told: dict[str, Any] = {
        "churn": _churn(churn, details.model, language) if churn else None,
        "rfm": _rfm(details.rfm, details, view.policy, language) if details.rfm else None,
        "matrix": matrix_answer(details, view, language),
        "value": _value(details.value, details, language) if details.value else None,
        "loyalty": _loyalty(churn, details, language) if churn else None,
        "next_purchase": _next_purchase(details.next_purchase, details, language)
        if details.next_purchase
        else None,
        "satisfaction": _satisfaction(details.satisfaction, language)
        if details.satisfaction
        else None,
        "prospect": prospect_answer(details.prospect, language) if details.prospect else None,
    }
    for name, types in MADE_OF.items():
        part = told[name]
        if part is not None:
            part["events"] = events_path(scored.customer_id, *types)
    return {"customer_id": scored.customer_id, "erased": view.erased, "at": view.at, **told}


MADE_OF = {
    "churn": (*PURCHASED, *COMPLAINED, "survey.answered", *TOUCHED),
    "rfm": PURCHASED,
    "matrix": (*PURCHASED, "score.matrix_reviewed"),
    "value": PURCHASED,
    "loyalty": (*PURCHASED, *COMPLAINED, "survey.answered", *TOUCHED),
    "next_purchase": PURCHASED,
    "satisfaction": ("survey.answered", *COMPLAINED),
    "prospect": CAME,
}
"""Types of the events that each score may look at."""


def _churn(churn: Churn, model: str, language: Language) -> dict[str, Any]:
    horizons = {**churn.others, churn.horizon_days: churn.probability}
    return {
        "probability": churn.probability,
        "horizon_days": churn.horizon_days,
        "band": churn.band,
        "label": label("churn_band", churn.band, language),
        "model": model,
        "horizons": [
            {"horizon_days": days, "probability": horizons[days]} for days in sorted(horizons)
        ],
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


def money(amount: float, currency: str) -> dict[str, str]:
    """Minor units as money."""
    return {"amount": major(round(amount), currency), "currency": currency}


def facts_answer(facts: Sequence[Fact], language: Language) -> list[dict[str, Any]]:
    """Reasons that are values beside the usual ones, or beside what must be reached."""
    return [_fact(fact, language) for fact in facts]


def _fact(fact: Fact, language: Language) -> dict[str, Any]:
    value, usual = _shown(fact, fact.value), None
    if fact.usual is not None:
        usual = _shown(fact, fact.usual)
    return {
        "feature": fact.feature,
        "value": value,
        "usual": usual,
        "text": say(
            FACTS,
            fact.feature,
            language,
            value=_said(value),
            usual=say(UNKNOWN, "usual", language) if usual is None else _said(usual),
        ),
    }


def _shown(fact: Fact, value: float) -> Any:
    if fact.unit == "money" and fact.currency is not None:
        return money(value, fact.currency)
    return _short(value)


def _said(value: Any) -> str:
    return f"{value['amount']} {value['currency']}" if isinstance(value, dict) else f"{value}"


def _change(kind: str, change: Change, label_kind: str, language: Language) -> dict[str, Any]:
    amount = None
    if change.amount is not None and change.currency is not None:
        amount = money(change.amount, change.currency)
    then = None if change.then is None else label(label_kind, change.then, language)
    return {
        "text": say(
            CHANGES,
            f"{kind}_{change.code}",
            language,
            then=then,
            on=change.on,
            when=say(WHEN, "in_days" if change.days else "today", language, days=change.days),
            number=change.number,
            amount=_said(amount) if amount else say(UNKNOWN, "amount", language),
        ),
        "class_then": change.then,
        "change": change.code,
        "until": change.on,
        "in_days": change.days,
        "months": change.number,
        "amount": amount,
    }


def _rfm(rfm: Rfm, details: Details, policy: str, language: Language) -> dict[str, Any]:
    change = details.rfm_change
    return {
        "recency_days": rfm.recency_days,
        "frequency": rfm.frequency,
        "monetary": None if rfm.currency is None else money(rfm.monetary, rfm.currency),
        "r": rfm.r,
        "f": rfm.f,
        "m": rfm.m,
        "class": rfm.rfm_class,
        "label": label("rfm_class", rfm.rfm_class, language) if rfm.rfm_class else None,
        "policy": policy,
        "reasons": facts_answer(details.rfm_reasons, language),
        "evidence": details.evidence,
        "nearest_change": _change("rfm", change, "rfm_class", language) if change else None,
    }


def matrix_answer(details: Details, view: View, language: Language) -> dict[str, Any] | None:
    """The cell of value and activity; null for who never bought."""
    if details.matrix is None:
        return None
    placed = details.matrix
    found, verdict = placed.matrix, placed.verdict
    spend = None
    if found.spend_year is not None and found.currency is not None:
        spend = money(found.spend_year, found.currency)
    evidence = [verdict.event_id] if verdict is not None else []
    return {
        "class": found.cell,
        "label": None if found.cell is None else label("matrix", found.cell, language),
        "found": found.found,
        "by": found.by,
        "spend_year": spend,
        "active_months": found.active_months,
        "override": _verdict(verdict) if verdict is not None and verdict.overridden else None,
        "confirmed": _verdict(verdict) if verdict is not None and not verdict.overridden else None,
        "policy": view.rules,
        "reasons": facts_answer(placed.reasons, language),
        "evidence": [*details.evidence, *evidence],
        "nearest_change": _placed_change(placed, language),
    }


def _placed_change(placed: Placed, language: Language) -> dict[str, Any] | None:
    return _change("matrix", placed.change, "matrix", language) if placed.change else None


def verdict_answer(verdict: Verdict) -> dict[str, Any]:
    """What a person decided, who and why."""
    return {"verdict": "overridden" if verdict.overridden else "confirmed", **_verdict(verdict)}


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "class": verdict.matrix,
        "month": verdict.month,
        "by": verdict.by,
        "reason": verdict.reason,
        "at": reviewed_at(verdict),
    }


def _value(value: Value, details: Details, language: Language) -> dict[str, Any]:
    code, future = value.currency, value.future
    return {
        "profit": money(value.profit, code),
        "margin": round(value.margin, 4),
        "spend": money(value.spend, code),
        "spend_year": money(value.spend_year, code),
        "purchase_value": money(future.purchase_value, code),
        "expected": [
            {
                "days": span.days,
                "spend": money(span.spend, code),
                "low": money(span.low, code),
                "high": money(span.high, code),
                "certainty": _CERTAINTY,
            }
            for span in future.spans
        ],
        "clv": {
            **money(value.clv, code),
            "years": value.years,
            "discount_rate": value.discount_rate,
        },
        "fitted": future.fitted,
        "model": value.model,
        "spend_model": value.spend_model if future.fitted else None,
        "reasons": facts_answer(value.reasons, language),
        "evidence": details.evidence,
    }


def _loyalty(churn: Churn, details: Details, language: Language) -> dict[str, Any]:
    """The same probability from the other side: whether they buy again."""
    level, then = _LOYALTY[churn.band], _LOYALTY[churn.nearest.band_then]
    nearest = churn.nearest
    known = details.next_purchase
    return {
        "probability": round(1 - churn.probability, 6),
        "horizon_days": churn.horizon_days,
        "level": level,
        "label": label("churn_band", level, language),
        "model": details.model,
        "horizons": [
            {"horizon_days": span.days, "probability": _again(churn, span)}
            for span in (known.future.spans if known else ())
        ],
        "reasons": facts_answer(known.reasons if known else (), language),
        "evidence": details.evidence,
        "nearest_change": {
            "text": say(
                CHANGES,
                f"loyalty_{nearest.code}",
                language,
                when=say(WHEN, "tomorrow" if nearest.days else "today", language),
                days=nearest.days,
                then=label("churn_band", then, language),
            ),
            "level_then": then,
            "change": nearest.code,
            "in_days": nearest.days,
        },
    }


def _again(churn: Churn, span: Span) -> float:
    """The probability of a purchase within a span that is as long as the horizon or longer: BG/NBD's,
    and never less than what the model in force says."""
    known = round(1 - churn.probability, 6)
    if span.days == churn.horizon_days:
        return known
    return max(round(span.repurchase, 6), known)


def _next_purchase(found: NextPurchase, details: Details, language: Language) -> dict[str, Any]:
    future: Future = found.future
    return {
        "expected_on": found.on,
        "between": {"from": found.first, "to": found.last, "certainty": _CERTAINTY},
        "returns": round(future.returns, 6),
        "expected": [
            {"days": span.days, "purchases": round(span.purchases, 3)} for span in future.spans
        ],
        "model": found.model,
        "reasons": facts_answer(found.reasons, language),
        "evidence": details.evidence,
    }


def _satisfaction(found: Satisfied, language: Language) -> dict[str, Any]:
    return {
        "score": found.score,
        "interval": {"low": found.low, "high": found.high, "certainty": _CERTAINTY},
        "certainty": found.certainty,
        "usual": found.usual,
        "reasons": facts_answer(found.reasons, language),
        "evidence": found.evidence,
        "nearest_change": {
            "text": say(
                CHANGES,
                "satisfaction_answer",
                language,
                score=_short(found.score),
                then=_short(found.with_best),
            ),
            "score_then": found.with_best,
        },
    }
