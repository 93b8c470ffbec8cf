"""Judging thresholds that somebody sends: which exist, and within which limits."""

from typing import Any, get_args

import msgspec
from msgspec import Meta

from services.profile.projector.rules import KINDS, Rules, faults
from shared.errors import FieldError, Unprocessable
from shared.http.shapes import Schema, named, record

_ANY_SCORE = Meta(ge=-1000, le=1000)


def judged(name: str, sent: dict[str, Any]) -> Rules:
    """The rules of a policy; what is left out is as built in. Also takes what GET answers.

    Raises Unprocessable, a pointer to each wrong threshold.
    """
    wrapped = isinstance(sent.get("body"), dict)
    values = sent["body"] if wrapped else sent
    prefix = "/body/" if wrapped else "/"
    kinds = {one.name: one.type for one in msgspec.structs.fields(KINDS[name])}
    del kinds["version"]
    errors = []
    for key, value in values.items():
        error = _fault(kinds[key], value) if key in kinds else ("unknown_field", {})
        if error is not None:
            errors.append(FieldError(f"{prefix}{key}", *error))
    if errors:
        raise Unprocessable("validation_failed", errors=errors)
    rules = msgspec.convert(values, KINDS[name])
    if found := faults(rules):
        errors = [FieldError(f"{prefix}{key}", "invalid") for key, _ in found]
        detail = "; ".join(f"{key}: {why}" for key, why in found)
        raise Unprocessable("validation_failed", detail, errors=errors)
    return rules


def _fault(kind: Any, value: Any) -> tuple[str, dict[str, Any]] | None:
    """What is wrong with one value: a code of ours with its parameters."""
    base, *metas = get_args(kind) or (kind,)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "not_a_number", {}
    if base is int and not isinstance(value, int):
        return "not_an_integer", {}
    limits = next((meta for meta in metas if isinstance(meta, Meta)), _ANY_SCORE)
    if limits.ge is not None and value < limits.ge:
        return "too_small", {"limit": limits.ge}
    if limits.gt is not None and value <= limits.gt:
        return "not_above", {"limit": limits.gt}
    if limits.le is not None and value > limits.le:
        return "too_big", {"limit": limits.le}
    return None


def shape(name: str) -> Schema:
    """JSON Schema of a policy: its thresholds, or what GET answers. Some also bound each other: `judged` says which."""
    fields = msgspec.structs.fields(KINDS[name])
    limits = {one.name: _limits(one.type) for one in fields if one.name != "version"}
    thresholds = named(f"{name.capitalize()}Thresholds", record({}, **limits))
    answered = {"type": "object", "required": ["body"], "properties": {"body": thresholds}}
    return {"anyOf": [thresholds, answered]}


def _limits(kind: Any) -> Schema:
    base, *metas = get_args(kind) or (kind,)
    meta = next((one for one in metas if isinstance(one, Meta)), _ANY_SCORE)
    said = {"minimum": meta.ge, "exclusiveMinimum": meta.gt, "maximum": meta.le}
    limits = {key: value for key, value in said.items() if value is not None}
    return {"type": "integer" if base is int else "number", **limits}
