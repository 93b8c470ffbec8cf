"""JSON Schema of a segment's rule, made of the registry of fields and the limits that judge rules."""

from collections.abc import Mapping, Sequence

from services.campaign.projector import fields as kinds
from services.campaign.projector.evolve import COUNTED
from services.campaign.projector.fields import FIELDS, LONGEST_NAME, OPEN_FAMILIES, OPERATORS
from services.campaign.projector.rules import (
    LONGEST_TEXT,
    MOST_CONDITIONS,
    MOST_DAYS,
    MOST_DAYS_AGO,
    MOST_VALUES,
)
from shared.http.shapes import TIME, Schema, a_list, named, record, refers, text
from shared.language.currencies import DECIMALS

_TEXT = text(LONGEST_TEXT, 1)
_NUMBER: Schema = {"type": "number"}
_FLAG: Schema = {"type": "boolean"}
_DAY: Schema = {"type": "string", "format": "date"}
_SINGLE: Mapping[str, Schema] = {
    kinds.NUMBER: _NUMBER,
    kinds.MONEY: {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"},
    kinds.TEXT: _TEXT,
    kinds.TEXTS: _TEXT,
    kinds.CHOICE: _TEXT,
    kinds.TIME: {"anyOf": [TIME, _DAY]},
    kinds.FLAG: _FLAG,
    kinds.ANY: {"anyOf": [_FLAG, _NUMBER, _TEXT]},
}
"""What one value of a type of field looks like."""


def _days(most: int) -> Schema:
    return {"type": "integer", "minimum": 1, "maximum": most}


def _value(op: str, one: Schema) -> Schema:
    match op:
        case "in" | "not_in":
            return a_list(one, MOST_VALUES)
        case "between":
            return {"type": "array", "minItems": 2, "maxItems": 2, "items": one}
        case "within_days":
            return _days(MOST_DAYS_AGO)
        case "exists":
            return _FLAG
        case _:
            return one


def _by_value(type_: str, operators: Sequence[str]) -> list[tuple[list[str], Schema]]:
    """Operators that take the same together."""
    found: list[tuple[list[str], Schema]] = []
    for op in operators:
        value = _value(op, _SINGLE[type_])
        same = next((ops for ops, known in found if known == value), None)
        if same is None:
            found.append(([op], value))
        else:
            same.append(op)
    return found


def _names(type_: str) -> Schema:
    own = [name for name, field in FIELDS.items() if field.type == type_]
    open_ = [family for family, make in OPEN_FAMILIES.items() if make("x").type == type_]
    forms: list[Schema] = [{"enum": own}] if own else []
    forms += [
        {"type": "string", "pattern": rf"^{family}\.[\s\S]{{1,{LONGEST_NAME}}}$"}
        for family in open_
    ]
    return forms[0] if len(forms) == 1 else {"anyOf": forms}


def _conditions(type_: str) -> list[Schema]:
    money: Schema = {"currency": {"enum": sorted(DECIMALS)}}
    optional = money if type_ == kinds.MONEY else {}
    found = []
    for ops, value in _by_value(type_, OPERATORS[type_]):
        required: Schema = {"field": _names(type_), "op": {"enum": ops}}
        if ops == ["exists"]:
            found.append(record(required, value=value, **optional))
        else:
            found.append(record({**required, "value": value}, **optional))
    return found


def _counts() -> list[Schema]:
    what = record({"type": {"enum": sorted(COUNTED)}}, within_days=_days(MOST_DAYS))
    return [
        record({"count": what, "op": {"enum": ops}, "value": value})
        for ops, value in _by_value(kinds.NUMBER, kinds.COUNT_OPERATORS)
    ]


def rule_shape() -> Schema:
    """A rule: conditions, and rules that join them."""
    leaves = [leaf for type_ in OPERATORS for leaf in _conditions(type_)]
    condition = named("Condition", {"anyOf": [*leaves, *_counts()]})
    several = a_list(refers("Rule"), MOST_CONDITIONS)
    joins = [record({"all": several}), record({"any": several}), record({"not": refers("Rule")})]
    said = "Conditions, and rules that join them: at most eight levels and 64 conditions."
    return named("Rule", {"description": said, "anyOf": [condition, *joins]})
