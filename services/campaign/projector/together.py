"""The rules of all segments as one Python function, which costs an event a fraction of asking them one by one.

A condition becomes an expression over values; a value that several conditions look at is looked up once. Nothing
of a rule becomes part of the program's text: its constants are variables of the function. What has no expression
here is asked as `Condition.test` asks it, and the answers are always the same.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from services.campaign.projector import fields as kinds
from services.campaign.projector.rules import Condition, Rule, Tree, minor_units, missing_money
from services.campaign.projector.subject import Subject
from shared.language.currencies import DECIMALS

T = TypeVar("T")
_MOST_DECIMALS = max(DECIMALS.values())


@dataclass(frozen=True, slots=True)
class _Value:
    """What a condition looks at. `key` is equal for conditions that look at the same."""

    key: tuple[Any, ...]
    get: Callable[[Subject], Any]


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A condition as Python: `{first}` is where it looks at its value first, `{value}` where it does again, `{a}`
    and `{b}` are its constants."""

    text: str
    value: _Value | None = None
    a: Any = None
    b: Any = None


def together(rules: Iterable[tuple[Rule, T]]) -> Callable[[Subject], list[T]]:
    """What belongs to the rules that hold, in their order."""
    pairs = [(rule.tree, kept) for rule, kept in rules]
    writer = _Writer([leaf for tree, _ in pairs for leaf in _leaves(tree)])
    lines = [f" if {writer.text(tree)}: found(k{n})" for n, (tree, _) in enumerate(pairs)]
    names = writer.names | {f"k{n}": kept for n, (_, kept) in enumerate(pairs)}
    head = ["def ask(s):", " kept = []; found = kept.append; today = s.today; digits = decimals(s)"]
    program = "\n".join((*head, *writer.head, *lines, " return kept"))
    exec(compile(program, "<segments>", "exec"), names)  # noqa: S102 - the text is ours, every constant a variable
    made: Callable[[Subject], list[T]] = names["ask"]
    return made


def _leaves(tree: Tree) -> list[Condition]:
    if isinstance(tree, Condition):
        return [tree]
    return [leaf for node in tree.nodes for leaf in _leaves(node)]


class _Writer:
    """Writes conditions, and remembers what their text names."""

    def __init__(self, conditions: Sequence[Condition]) -> None:
        self.names: dict[str, Any] = {"decimals": _decimals}
        self.head: list[str] = []
        self._values: dict[tuple[Any, ...], str] = {}
        leaves = [_leaf(one) for one in conditions]
        self._asked = Counter(leaf.value.key for leaf in leaves if leaf.value is not None)
        self._known = dict(zip(map(id, conditions), leaves, strict=True))

    def text(self, tree: Tree) -> str:
        if isinstance(tree, Condition):
            return f"({self._leaf(self._known[id(tree)])})"
        if tree.kind == "not":
            return f"(not {self.text(tree.nodes[0])})"
        between = " and " if tree.kind == "all" else " or "
        return f"({between.join(map(self.text, tree.nodes))})"

    def _leaf(self, leaf: _Leaf) -> str:
        first = value = ""
        if leaf.value is not None:
            first, value = self._value(leaf.value)
        a, b = (self._name("c", one) if one is not None else "" for one in (leaf.a, leaf.b))
        return leaf.text.format(first=first, value=value, a=a, b=b)

    def _value(self, value: _Value) -> tuple[str, str]:
        """How it is written first, and again. Where one condition alone looks at it, it is not looked up before."""
        known = self._values.get(value.key)
        if known is not None:
            return known, known
        name, get = f"v{len(self._values)}", self._name("g", value.get)
        self._values[value.key] = name
        if self._asked[value.key] == 1:
            return f"({name} := {get}(s))", name
        self.head.append(f" {name} = {get}(s)")
        return name, name

    def _name(self, letter: str, of: Any) -> str:
        name = f"{letter}{len(self.names)}"
        self.names[name] = of
        return name


def _decimals(subject: Subject) -> int:
    """Of the customer's main currency."""
    return DECIMALS[subject.currency] if subject.currency else 0


_COMPARED: Mapping[str, str] = {
    "=": "{first} == {a}",
    "!=": "{first} != {a}",
    "in": "{first} in {a}",
    "not_in": "{first} not in {a}",
    **{op: f"{{first}} is not None and {{value}} {op} {{a}}" for op in ("<", "<=", ">", ">=")},
    "between": "{first} is not None and {a} <= {value} <= {b}",
}
"""Of values that may be unknown."""
_CONTAINS: Mapping[str, str] = {
    **dict.fromkeys(("=", "contains"), "{a} in {first}"),
    **dict.fromkeys(("!=", "not_contains"), "{a} not in {first}"),
}


def _leaf(condition: Condition) -> _Leaf:
    field, op = condition.field, condition.op
    leaf = _Leaf("{a}(s)", a=condition.test)
    if field is None:
        leaf = _count(condition)
    elif op == "exists":
        pass
    elif field.type == kinds.MONEY:
        leaf = _money(condition)
    elif field.type in (kinds.NUMBER, kinds.TEXT, kinds.CHOICE) and op in _COMPARED:
        leaf = _compared(op, _Value((field.name,), field.get), condition.value)
    elif field.type == kinds.TEXTS and op in _CONTAINS:
        leaf = _Leaf(_CONTAINS[op], _Value((field.name,), field.get), condition.value)
    elif op == "within_days":
        text = "{first} is not None and today - {a} < {value} <= today"
        leaf = _Leaf(text, _Value((field.name, "day"), _day(field.get)), condition.value)
    return leaf


def _compared(op: str, value: _Value, with_: Any) -> _Leaf:
    if op == "between":
        return _Leaf(_COMPARED[op], value, *with_)
    return _Leaf(_COMPARED[op], value, frozenset(with_) if op in ("in", "not_in") else with_)


def _count(condition: Condition) -> _Leaf:
    type_, days = condition.type, condition.within_days
    assert type_ is not None, "a condition names a field or counts a type"
    value = _Value(("count", type_, days), lambda subject: subject.counted(type_, days))
    return _compared(condition.op, value, condition.value)


def _money(condition: Condition) -> _Leaf:
    """Minor units; where no currency is named the bounds are chosen by the decimals of the customer's main one."""
    field, op, currency = condition.field, condition.op, condition.currency
    assert field is not None, "money is a field"
    of, missing = kinds.MONEYS[field.name], missing_money(field.name)
    ends = condition.value if op == "between" else [condition.value]
    bounds: list[Any] = [
        minor_units(Decimal(one), DECIMALS[currency])
        if currency
        else tuple(minor_units(Decimal(one), digits) for digits in range(_MOST_DECIMALS + 1))
        for one in ends
    ]

    def get(subject: Subject) -> int | None:
        found = of(subject, currency or subject.currency)
        return missing if found is None else found

    text = _COMPARED[op]
    if not currency:
        text = text.replace("{a}", "{a}[digits]").replace("{b}", "{b}[digits]")
    return _Leaf(text, _Value((field.name, currency), get), *bounds)


def _day(get: Callable[[Subject], Any]) -> Callable[[Subject], int | None]:
    def day(subject: Subject) -> int | None:
        at = get(subject)
        return None if at is None else subject.zone.day(at)

    return day
