"""How segments look to who asks: plain values with words beside the codes."""

from datetime import datetime
from typing import Any
from uuid import UUID

from services.campaign.projector import fields as kinds
from services.campaign.projector.evolve import COUNTED
from services.campaign.projector.explain import Finding
from services.campaign.projector.fields import FIELDS, Field, families
from services.campaign.projector.rules import MOST_DAYS, Condition
from services.campaign.queries import Move, Progress, Segment
from services.campaign.trial import Trial
from services.campaign.words import CONDITIONS, MEANINGS, MOVES, OPERATORS, VERDICTS
from shared.http.etags import etag_of
from shared.language import EVENT_TYPES
from shared.words import Language, label, say


def segment_answer(one: Segment) -> dict[str, Any]:
    """A segment as it was saved."""
    return {
        "id": one.id,
        "name": one.name,
        "description": one.description,
        "rule": one.rule,
        "version": one.version,
        "created_at": one.created_at,
        "created_by": one.created_by,
        "updated_at": one.updated_at,
        "updated_by": one.updated_by,
    }


def etag(one: Segment) -> str:
    """The entity tag of what people edit."""
    return etag_of([str(one.id), one.name, one.description, one.rule, one.version])


def progress_answer(progress: Progress) -> dict[str, Any]:
    """Whether every customer has been judged by the rule as it is now."""
    live = progress.told and progress.filled == progress.of
    state = "live" if live else "filling"
    return {"state": state, "filled": progress.filled, "of": progress.of}


def preview_answer(trial: Trial) -> dict[str, Any]:
    """What a rule would find."""
    return {
        "size": trial.size,
        "share": round(trial.found / trial.tried, 4) if trial.tried else 0.0,
        "of": trial.of,
        "exact": trial.exact,
        "sample": trial.sample,
        "as_of": trial.as_of,
    }


def _both(words: Any, code: str, **params: Any) -> dict[str, str]:
    return {"zh": say(words, code, "zh", **params), "en": say(words, code, "en", **params)}


def field_answer(field: Field) -> dict[str, Any]:
    """One field, with its words in both languages."""
    values = [
        {
            "value": value,
            "label": {"zh": label(field.kind, value, "zh"), "en": label(field.kind, value, "en")},
        }
        for value in field.values
    ]
    return {
        "field": field.name,
        "type": field.type,
        "operators": list(kinds.OPERATORS[field.type]),
        "meaning": _both(MEANINGS, field.meaning, **dict(field.params)),
        "values": values,
    }


def fields_answer() -> dict[str, Any]:
    """Everything that a rule may name."""
    return {
        "items": [field_answer(field) for field in (*FIELDS.values(), *families())],
        "next_cursor": None,
        "operators": [
            {"operator": name, "meaning": dict(texts)} for name, texts in OPERATORS.items()
        ],
        "count": {
            "operators": list(kinds.COUNT_OPERATORS),
            "most_days": MOST_DAYS,
            "types": [
                {"type": name, "meaning": dict(EVENT_TYPES[name].description)} for name in COUNTED
            ],
        },
    }


def member_answer(customer_id: UUID, since: datetime | None) -> dict[str, Any]:
    """One member."""
    return {"customer_id": customer_id, "since": since}


def move_answer(move: Move, language: Language) -> dict[str, Any]:
    """One coming or going."""
    return {
        "customer_id": move.customer_id,
        "change": "entered" if move.entered else "left",
        "at": move.at,
        "moved_by": move.moved_by,
        "event_id": move.cause,
        "reason": say(MOVES, move.moved_by, language),
        "version": move.version,
    }


def condition_answer(finding: Finding, language: Language) -> dict[str, Any]:
    """One condition with its verdict, what was found, and a sentence."""
    one = finding.condition
    if one.field is None:
        named: dict[str, Any] = {"count": {"type": one.type}}
        if one.within_days is not None:
            named["count"]["within_days"] = one.within_days
    else:
        named = {"field": one.field.name}
    if one.currency is not None:
        named["currency"] = one.currency
    return {
        "pointer": f"/rule{one.pointer}",
        **named,
        "op": one.op,
        "value": one.value,
        "holds": finding.holds,
        "found": finding.found,
        "text": _text(finding, language),
    }


def _text(finding: Finding, language: Language) -> str:
    one = finding.condition
    code = one.op if one.op in ("exists", "within_days") else "any"
    if one.op == "exists" and one.value is False:
        code = "not_exists"
    return say(
        CONDITIONS,
        code,
        language,
        meaning=_meaning(one, language),
        op=say(OPERATORS, one.op, language),
        value=_shown(one.value, one, language),
        verdict=say(VERDICTS, "true" if finding.holds else "false", language),
        found=_shown(finding.found, one, language),
    )


def _meaning(one: Condition, language: Language) -> str:
    if one.field is not None:
        return say(MEANINGS, one.field.meaning, language, **dict(one.field.params))
    code = "count" if one.within_days is None else "count_within"
    return say(MEANINGS, code, language, type=one.type, days=one.within_days)


def _shown(value: Any, one: Condition, language: Language) -> str:  # noqa: PLR0911  (one arm a kind)
    """A value in a sentence: labels instead of codes, money with its currency."""
    match value:
        case None | []:
            return say(VERDICTS, "nothing", language)
        case bool():
            return say(VERDICTS, "true" if value else "false", language)
        case list():
            joint = "、" if language == "zh" else ", "
            return joint.join(_shown(part, one, language) for part in value)
        case dict():
            return f"{value['amount']} {value['currency']}"
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M UTC")
        case str() if one.field is not None and one.field.kind:
            return label(one.field.kind, value, language)
        case str() if one.currency is not None:
            return f"{value} {one.currency}"
        case float():
            return f"{value:g}"
        case _:
            return str(value)
