"""Why a customer is in a segment, or why not: every condition with its verdict and what was found."""

from dataclasses import dataclass
from typing import Any

from services.campaign.projector import fields as kinds
from services.campaign.projector.rules import Condition, Rule
from services.campaign.projector.subject import Subject
from shared.language.money import major
from shared.moments import moment


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition at one moment. `found` as JSON shows it: money with its currency, times in UTC."""

    condition: Condition
    holds: bool
    found: Any


def explain(rule: Rule, subject: Subject) -> list[Finding]:
    """All conditions, in the order in which the rule names them."""
    return [Finding(one, one.test(subject), _found(one, subject)) for one in rule.conditions]


def _found(condition: Condition, subject: Subject) -> Any:
    field = condition.field
    if field is None:
        assert condition.type is not None, "a condition names a field or counts a type"
        return subject.counted(condition.type, condition.within_days)
    if field.type == kinds.MONEY:
        code = condition.currency or subject.currency
        found = kinds.MONEYS[field.name](subject, code)
        if found is None or code is None:
            return None
        return {"amount": major(found, code), "currency": code}
    found = field.get(subject)
    if field.type == kinds.TIME:
        return None if found is None else moment(found)
    return sorted(found) if isinstance(found, frozenset) else found
