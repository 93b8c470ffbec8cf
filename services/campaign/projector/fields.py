"""Every field that a rule may name: its type, what it is read from, the values it can have."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from services.campaign.projector.state import KNOWN_FIELDS
from services.campaign.projector.subject import Subject, average
from shared.language.identifiers import TYPES
from shared.words.labels import LABELS

NUMBER, MONEY, TEXT, CHOICE, TEXTS, TIME, FLAG, ANY = (
    *("number", "money", "text", "choice", "texts", "time", "flag", "any"),
)

OPERATORS: Mapping[str, tuple[str, ...]] = {
    NUMBER: ("=", "!=", "<", "<=", ">", ">=", "in", "not_in", "between", "exists"),
    MONEY: ("=", "!=", "<", "<=", ">", ">=", "between", "exists"),
    TEXT: ("=", "!=", "in", "not_in", "contains", "not_contains", "starts_with", "exists"),
    CHOICE: ("=", "!=", "in", "not_in", "exists"),
    TEXTS: ("=", "!=", "contains", "not_contains", "in", "not_in", "starts_with", "exists"),
    TIME: ("before", "after", "between", "within_days", "exists"),
    FLAG: ("=", "!=", "exists"),
    ANY: (
        *("=", "!=", "<", "<=", ">", ">=", "in", "not_in", "between"),
        *("contains", "not_contains", "starts_with", "exists"),
    ),
}
"""Operators of each type. `texts` are many: `contains`, or `=`, asks for one of them, `in` for any of several."""

COUNT_OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "between")


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `get` answers None where nothing is known; times are microseconds since 1970, money is
    minor units of the currency that is asked for (see `Rule`)."""

    name: str
    type: str
    get: Callable[[Subject], Any]
    meaning: str
    """Code of its words."""
    values: tuple[str, ...] = ()
    """All that a choice can be; of others, well-known ones."""
    kind: str = ""
    """Under which the values have labels."""
    params: tuple[tuple[str, str], ...] = ()
    """What its words are filled with."""


def _lifecycle(place: int) -> Callable[[Subject], Any]:
    def get(subject: Subject) -> Any:
        told = subject.state.lifecycle
        return None if told is None else told.value[place]

    return get


def spend(subject: Subject, currency: str | None) -> int | None:
    """Net spend in a currency, in minor units; None where nothing was ever bought in it."""
    sums = subject.state.money.get(currency or "")
    return None if sums is None else sums.spend


def average_basket(subject: Subject, currency: str | None) -> int | None:
    """The mean order in a currency, in minor units."""
    sums = subject.state.money.get(currency or "")
    return average(sums.spend, sums.orders) if sums is not None and sums.orders > 0 else None


MONEYS: Mapping[str, Callable[[Subject, str | None], int | None]] = {
    "purchases.spend": spend,
    "purchases.average_basket": average_basket,
}

_PLAIN: tuple[Field, ...] = (
    Field("purchases.count", NUMBER, lambda s: s.state.orders, "purchases.count"),
    Field("purchases.spend", MONEY, lambda s: spend(s, s.currency), "purchases.spend"),
    Field(
        "purchases.average_basket",
        MONEY,
        lambda s: average_basket(s, s.currency),
        "purchases.average_basket",
    ),
    Field("purchases.currency", TEXT, lambda s: s.currency, "purchases.currency"),
    Field("first_purchase_at", TIME, Subject.first_purchase, "first_purchase_at"),
    Field("last_purchase_at", TIME, Subject.last_purchase, "last_purchase_at"),
    Field("first_contact_at", TIME, lambda s: s.state.first_fact, "first_contact_at"),
    Field("last_interaction_at", TIME, lambda s: s.state.last_touch, "last_interaction_at"),
    Field("tags", TEXTS, lambda s: s.tags, "tags", tuple(LABELS["tag"]), "tag"),
    Field(
        "lifecycle.state",
        CHOICE,
        _lifecycle(0),
        "lifecycle.state",
        tuple(LABELS["lifecycle"]),
        "lifecycle",
    ),
    Field("lifecycle.since", TIME, _lifecycle(1), "lifecycle.since"),
    Field(
        "scores.churn_band",
        CHOICE,
        lambda s: s.state.churn_band.value if s.state.churn_band else None,
        "scores.churn_band",
        tuple(LABELS["churn_band"]),
        "churn_band",
    ),
    Field(
        "scores.rfm_class",
        CHOICE,
        lambda s: s.state.rfm_class.value if s.state.rfm_class else None,
        "scores.rfm_class",
        tuple(LABELS["rfm_class"]),
        "rfm_class",
    ),
    Field(
        "scores.matrix",
        CHOICE,
        lambda s: s.state.matrix.value if s.state.matrix else None,
        "scores.matrix",
        tuple(LABELS["matrix"]),
        "matrix",
    ),
    Field("complaints.open", NUMBER, lambda s: s.state.open, "complaints.open"),
    Field("complaints.total", NUMBER, lambda s: s.state.complaints, "complaints.total"),
)


def _identifier(type_: str) -> Field:
    return Field(
        f"identifiers.{type_}",
        TEXTS,
        lambda s: s.identifiers(type_),
        "identifiers",
        params=(("name", type_),),
    )


def _attribute(name: str) -> Field:
    return Field(
        f"attributes.{name}",
        ANY,
        lambda s: s.attribute(name),
        "attributes",
        params=(("name", name),),
    )


def _register(family: str, name: str, kind: str, of: str) -> Field:
    def get(subject: Subject) -> Any:
        write = getattr(subject.state, of).get(name)
        return None if write is None else write.value

    return Field(f"{family}.{name}", kind, get, family, params=(("name", name),))


SURVEYS = ("csat", "nps", "ces")

FIELDS: Mapping[str, Field] = {
    field.name: field
    for field in (
        *_PLAIN,
        *(_identifier(type_) for type_ in TYPES),
        *(_attribute(name) for name in KNOWN_FIELDS),
        *(_register("satisfaction", kind, NUMBER, "answers") for kind in SURVEYS),
    )
}
"""Fields with a name of their own."""

LONGEST_NAME = 100
OPEN_FAMILIES: Mapping[str, Callable[[str], Field]] = {
    "attributes": _attribute,
    "consents": lambda name: _register("consents", name, FLAG, "consents"),
}
"""Families whose members are the customers' own."""


def families() -> Iterable[Field]:
    """What stands for the members of open families in a list."""
    return [make("<name>") for make in OPEN_FAMILIES.values()]


def find_field(name: str) -> Field | None:
    """The field of a name; None where there is none."""
    known = FIELDS.get(name)
    if known is not None:
        return known
    family, _, member = name.partition(".")
    if family in OPEN_FAMILIES and 0 < len(member) <= LONGEST_NAME:
        return OPEN_FAMILIES[family](member)
    return None
