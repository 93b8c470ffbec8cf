"""What profile's answers look like: codes become words, minor units become amounts."""

from datetime import datetime
from typing import Any

from services.profile.projector import Told, View
from services.profile.projector.lifecycle import Step
from services.profile.projector.view import State, Tag
from services.profile.queries import Found
from services.profile.words import lifecycle_reason, tag_label, tag_reason, views_of
from shared.http.etags import etag_of
from shared.language.money import major
from shared.moments import moment
from shared.words import Language, label


def customer_answer(found: Found, language: Language) -> dict[str, Any]:
    """The whole picture of one customer."""
    view = found.view
    return {
        "id": found.customer_id,
        "number": view.number,
        "kind": view.kind,
        "name": view.name,
        "status": view.status,
        "erased": view.erased,
        "owner": view.owner,
        "merged_from": found.merged_from,
        "identifiers": view.identifiers,
        "attributes": view.attributes,
        "first_contact_at": view.first_contact_at,
        "last_interaction_at": view.last_interaction_at,
        "last_purchase_at": view.last_purchase_at,
        "purchases": _purchases(view),
        "tags": tags_answer(view, found.told, language),
        "lifecycle": lifecycle_answer(view.lifecycle, language),
        "scores": {
            "churn_band": view.churn_band,
            "rfm_class": view.rfm_class,
            "matrix": view.matrix,
        },
        "complaints": {"open": view.complaints_open, "total": view.complaints_total},
        "consents": view.consents,
        "satisfaction": view.satisfaction,
        "as_of": _as_of(view.changed_at, found.clock),
    }


def _as_of(changed_at: datetime | None, clock: datetime | None) -> datetime | None:
    """Up to when facts and time are in the answer: an event may be newer than the clock."""
    return max((at for at in (changed_at, clock) if at is not None), default=None)


def _purchases(view: View) -> dict[str, Any]:
    currency = view.currency
    gap = view.usual_interval_days
    return {
        "count": view.orders,
        "spend": _money(view.spend[currency], currency) if currency else None,
        "spend_by_currency": {code: major(total, code) for code, total in view.spend.items()},
        "average_basket": _money(view.average_basket, currency),
        "usual_interval_days": None if gap is None else round(gap, 1),
    }


def _money(minor: int | None, currency: str | None) -> dict[str, str] | None:
    if minor is None or currency is None:
        return None
    return {"amount": major(minor, currency), "currency": currency}


def tags_answer(view: View, told: Told, language: Language) -> list[dict[str, Any]]:
    """The tags that hold, in words. `since`: when it became so, or when it was first noticed."""
    return [tag_answer(tag, told, language) for tag in view.tags]


def tag_answer(tag: Tag, told: Told, language: Language) -> dict[str, Any]:
    """One tag."""
    noticed = told.tags.get(tag.tag)
    since = tag.since or (datetime.fromisoformat(noticed) if noticed else None)
    return {
        "tag": tag.tag,
        "label": tag_label(tag.tag, language),
        "origin": tag.origin,
        "since": since,
        "reason": tag_reason(tag.reason.code, tag.reason.params, language) or None,
        "by": tag.by,
        "evidence": tag.evidence,
    }


def lifecycle_answer(state: State, language: Language) -> dict[str, Any]:
    """The lifecycle state, in words."""
    return {
        "state": state.state,
        "label": label("lifecycle", state.state, language),
        "since": state.since,
        "reason": lifecycle_reason(state.reason.code, state.reason.params, language),
        "evidence": state.evidence,
        "views": views_of(state.state),
        "due_at": state.due_at,
        "policy": state.policy,
    }


def step_answer(step: Step, policy: str, language: Language) -> dict[str, Any]:
    """One state on the path."""
    return {
        "state": step.state,
        "label": label("lifecycle", step.state, language),
        "since": moment(step.since),
        "reason": lifecycle_reason(step.code, step.params, language),
        "code": step.code,
        "params": step.params,
        "evidence": step.evidence,
        "views": views_of(step.state),
        "policy": policy,
    }


def edited(view: View) -> dict[str, Any]:
    """The part of a customer that people edit: what its ETag stands for."""
    return {
        "name": view.name,
        "kind": view.kind,
        "status": view.status,
        "owner": view.owner,
        "attributes": view.attributes,
        "tags": [
            [tag.tag, tag.by, tag.reason.params] for tag in view.tags if tag.origin == "manual"
        ],
    }


def etag(view: View) -> str:
    """The entity tag of what people edit."""
    return etag_of(edited(view))
