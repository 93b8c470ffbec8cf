"""A rule: JSON over a customer's facts, judged once, then a tree of Python closures.

What is not known equals nothing: `!=`, `not_in` and `not_contains` hold, every other operator does not.
"""

import operator
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from services.campaign.projector import fields as kinds
from services.campaign.projector.evolve import COUNTED
from services.campaign.projector.fields import Field, find_field
from services.campaign.projector.subject import Subject
from shared.language.currencies import DECIMALS
from shared.moments import micros

DEEPEST = 8
MOST_CONDITIONS = 64
MOST_VALUES = 200
LONGEST_TEXT = 256
MOST_DAYS = 366
"""Of a count: by local day, so much is remembered."""
MOST_DAYS_AGO = 36_600
MOST_BYTES = 16 * 1024
"""Of a rule as JSON."""

Test = Callable[[Subject], bool]
Turn = Callable[[Subject], int | None]
"""The next local day on which time alone may change an answer; None: none."""


class Fault(Exception):  # noqa: N818 - it says what is wrong with a rule
    """One thing that is wrong: a pointer inside the rule, and a code with its parameters."""

    def __init__(self, pointer: str, code: str, **params: Any) -> None:
        super().__init__(code)
        self.pointer = pointer
        self.code = code
        self.params = params


@dataclass(frozen=True, slots=True)
class Condition:
    """A leaf. `field` is None where it counts events."""

    pointer: str
    op: str
    value: Any
    """As the rule says it."""
    test: Test
    field: Field | None = None
    currency: str | None = None
    type: str | None = None
    within_days: int | None = None
    turn: Turn | None = None
    turn_key: tuple[Any, ...] = ()
    """Equal for leaves that time changes at the same moments."""


@dataclass(frozen=True, slots=True)
class Node:
    """`all` or `any` of several, or `not` of one."""

    kind: str
    nodes: tuple["Tree", ...]


Tree = Node | Condition
_NEVER = Node("any", ())
"""In the place of what is wrong."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, ready to be asked; of many rules, `together` asks faster."""

    test: Test
    tree: Tree
    conditions: tuple[Condition, ...]


def compile_rule(rule: Any) -> Rule:
    """Judge and compile. Raises `Faults` with all that is wrong."""
    builder = _Builder()
    tree = builder.node(rule, "", 1)
    if len(builder.conditions) > MOST_CONDITIONS:
        builder.faults.append(Fault("", "too_many_conditions", limit=MOST_CONDITIONS))
    if builder.faults:
        raise Faults(builder.faults)
    return Rule(_test(tree), tree, tuple(builder.conditions))


class Faults(Exception):  # noqa: N818 - it says what is wrong with a rule
    """Everything that is wrong with a rule."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(", ".join(f"{one.pointer} {one.code}" for one in faults))
        self.faults = tuple(faults)


def _step(pointer: str, name: str | int) -> str:
    return f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"


def _test(tree: Tree) -> Test:
    if isinstance(tree, Condition):
        return tree.test
    tests = [_test(node) for node in tree.nodes]
    match tree.kind:
        case "not":
            inner = tests[0]
            return lambda subject: not inner(subject)
        case "all":
            return _all(tests)
        case _:
            return _any(tests)


class _Builder:
    """Walks a rule, collecting conditions and what is wrong."""

    def __init__(self) -> None:
        self.conditions: list[Condition] = []
        self.faults: list[Fault] = []

    def node(self, node: Any, pointer: str, depth: int) -> Tree:
        try:
            return self._node(node, pointer, depth)
        except Fault as fault:
            if len(self.faults) < 100:
                self.faults.append(fault)
            return _NEVER

    def _node(self, node: Any, pointer: str, depth: int) -> Tree:
        if not isinstance(node, dict):
            raise Fault(pointer, "not_an_object")
        if depth > DEEPEST:
            raise Fault(pointer, "rule_too_deep", limit=DEEPEST)
        found = [name for name in ("all", "any", "not", "field", "count") if name in node]
        if not found:
            self._unknown(node, pointer, ())
            raise Fault(pointer, "no_condition")
        kind = found[0]
        if kind in ("all", "any"):
            self._unknown(node, pointer, (kind,))
            return self._several(node[kind], _step(pointer, kind), depth, kind)
        if kind == "not":
            self._unknown(node, pointer, (kind,))
            return Node(kind, (self.node(node[kind], _step(pointer, kind), depth + 1),))
        return self._leaf(node, pointer, kind)

    def _unknown(self, node: Mapping[str, Any], pointer: str, known: Sequence[str]) -> None:
        for name in node:
            if name not in known:
                self.faults.append(Fault(_step(pointer, name), "unknown_field"))

    def _several(self, nodes: Any, pointer: str, depth: int, kind: str) -> Tree:
        if not isinstance(nodes, list):
            raise Fault(pointer, "not_a_list")
        if not nodes:
            raise Fault(pointer, "too_short", limit=1)
        if len(nodes) > MOST_CONDITIONS:
            raise Fault(pointer, "too_long", limit=MOST_CONDITIONS)
        made = [self.node(one, _step(pointer, n), depth + 1) for n, one in enumerate(nodes)]
        return made[0] if len(made) == 1 else Node(kind, tuple(made))

    def _leaf(self, node: Mapping[str, Any], pointer: str, kind: str) -> Tree:
        known = (
            ("field", "op", "value", "currency") if kind == "field" else ("count", "op", "value")
        )
        self._unknown(node, pointer, known)
        made = _count(node, pointer) if kind == "count" else _field(node, pointer)
        self.conditions.append(made)
        return made


def _all(tests: list[Test]) -> Test:
    def test(subject: Subject) -> bool:
        for one in tests:  # noqa: SIM110 - a generator would cost more than the tests
            if not one(subject):
                return False
        return True

    return test


def _any(tests: list[Test]) -> Test:
    def test(subject: Subject) -> bool:
        for one in tests:  # noqa: SIM110 - a generator would cost more than the tests
            if one(subject):
                return True
        return False

    return test


# Leaves -------------------------------------------------------------------------------------------


def _count(node: Mapping[str, Any], pointer: str) -> Condition:
    what, place = node["count"], _step(pointer, "count")
    if not isinstance(what, dict):
        raise Fault(place, "not_an_object")
    for name in what:
        if name not in ("type", "within_days"):
            raise Fault(_step(place, name), "unknown_field")
    type_ = what.get("type")
    if "type" not in what:
        raise Fault(_step(place, "type"), "missing")
    if type_ not in COUNTED:
        raise Fault(_step(place, "type"), "not_allowed", allowed=", ".join(COUNTED))
    days = what.get("within_days")
    if "within_days" in what:
        days = _whole(days, _step(place, "within_days"), MOST_DAYS)
    op = _op(node, pointer, kinds.COUNT_OPERATORS)
    value = _value(node, pointer)
    holds = _number(op, value, _step(pointer, "value"))
    return Condition(
        pointer=pointer,
        op=op,
        value=value,
        test=lambda subject: holds(subject.counted(type_, days)),
        type=type_,
        within_days=days,
        turn=None if days is None else _count_turn(type_, days),
        turn_key=("count", type_, days),
    )


def _count_turn(type_: str, within: int) -> Turn:
    """A day enters a window when it comes, and leaves it `within` days later."""

    def turn(subject: Subject) -> int | None:
        days, today = subject.days(type_).days, subject.today
        place = bisect_right(days, today - within)
        if place == len(days):
            return None
        leaves = days[place] + within
        if days[place] > today:
            return days[place]
        # The window's first day leaves it, unless a day that is ahead of the clock comes before that.
        comes = bisect_right(days, today)
        return min(leaves, days[comes]) if comes < len(days) else leaves

    return turn


def _field(node: Mapping[str, Any], pointer: str) -> Condition:
    name, place = node["field"], _step(pointer, "field")
    if not isinstance(name, str):
        raise Fault(place, "not_a_string")
    field = find_field(name)
    if field is None:
        raise Fault(place, "unknown_field")
    op = _op(node, pointer, kinds.OPERATORS[field.type])
    currency = _currency(node, pointer, field)
    value = node.get("value", True) if op == "exists" else _value(node, pointer)
    place, turn = _step(pointer, "value"), None
    if op == "exists":
        test = _exists(field, currency, value, place)
    elif field.type == kinds.MONEY:
        test = _money(field, op, value, currency, place)
    elif field.type == kinds.TIME:
        test, turn = _time(field, op, value, place)
    else:
        holds, get = _JUDGES[field.type](op, value, place, field), field.get

        def test(subject: Subject) -> bool:
            return holds(get(subject))

    return Condition(
        pointer=pointer,
        op=op,
        value=value,
        test=test,
        field=field,
        currency=currency,
        turn=turn,
        turn_key=("field", name, value) if turn else (),
    )


def _op(node: Mapping[str, Any], pointer: str, allowed: Sequence[str]) -> str:
    if "op" not in node:
        raise Fault(_step(pointer, "op"), "missing")
    op = node["op"]
    if not isinstance(op, str) or op not in allowed:
        raise Fault(_step(pointer, "op"), "not_allowed", allowed=", ".join(allowed))
    return op


def _value(node: Mapping[str, Any], pointer: str) -> Any:
    if "value" not in node:
        raise Fault(_step(pointer, "value"), "missing")
    return node["value"]


def _currency(node: Mapping[str, Any], pointer: str, field: Field) -> str | None:
    if "currency" not in node:
        return None
    place, currency = _step(pointer, "currency"), node["currency"]
    if field.type != kinds.MONEY:
        raise Fault(place, "unknown_field")
    if not isinstance(currency, str):
        raise Fault(place, "not_a_string")
    if currency not in DECIMALS:
        raise Fault(place, "unknown_currency")
    return currency


def _exists(field: Field, currency: str | None, value: Any, place: str) -> Test:
    if not isinstance(value, bool):
        raise Fault(place, "not_a_boolean")
    get: Callable[[Subject], Any] = field.get
    if currency is not None:
        of = kinds.MONEYS[field.name]
        get = lambda subject: of(subject, currency)  # noqa: E731

    def test(subject: Subject) -> bool:
        found = get(subject)
        return (found is not None and found not in (frozenset(), [], "")) is value

    return test


# Values, by type ----------------------------------------------------------------------------------

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
Holds = Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _a_number(value: Any, place: str) -> int | float:
    if not _is_number(value):
        raise Fault(place, "not_a_number")
    number: int | float = value
    return number


def _whole(value: Any, place: str, most: int) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # as JSON Schema has it, 7.0 is an integer
    if not isinstance(value, int) or isinstance(value, bool):
        raise Fault(place, "not_an_integer")
    if value < 1:
        raise Fault(place, "too_small", limit=1)
    if value > most:
        raise Fault(place, "too_big", limit=most)
    return value


def _a_text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise Fault(place, "not_a_string")
    if not value:
        raise Fault(place, "too_short", limit=1)
    if len(value) > LONGEST_TEXT:
        raise Fault(place, "too_long", limit=LONGEST_TEXT)
    return value


def _list(value: Any, place: str, judge: Callable[[Any, str], Any]) -> list[Any]:
    if not isinstance(value, list):
        raise Fault(place, "not_a_list")
    if not value:
        raise Fault(place, "too_short", limit=1)
    if len(value) > MOST_VALUES:
        raise Fault(place, "too_long", limit=MOST_VALUES)
    return [judge(one, _step(place, n)) for n, one in enumerate(value)]


def _pair(value: Any, place: str, judge: Callable[[Any, str], Any]) -> tuple[Any, Any]:
    """Both ends of `between`, which are included."""
    if not isinstance(value, list):
        raise Fault(place, "not_a_list")
    if len(value) != 2:
        code = "too_short" if len(value) < 2 else "too_long"
        raise Fault(place, code, limit=2)
    low, high = (judge(one, _step(place, n)) for n, one in enumerate(value))
    if high < low:
        raise Fault(_step(place, 1), "too_small", limit=value[0])
    return low, high


def _number(op: str, value: Any, place: str, _field: Field | None = None) -> Holds:
    if op == "between":
        low, high = _pair(value, place, _a_number)
        return lambda found: found is not None and low <= found <= high
    if op in ("in", "not_in"):
        return _among(op, frozenset(_list(value, place, _a_number)))
    number = _a_number(value, place)
    if op == "!=":
        return lambda found: found != number
    compare = _COMPARE[op]
    return lambda found: found is not None and compare(found, number)


def _among(op: str, values: frozenset[Any]) -> Holds:
    if op == "in":
        return lambda found: found in values
    return lambda found: found not in values


def _text(op: str, value: Any, place: str, field: Field) -> Holds:
    if op in ("in", "not_in"):
        return _among(op, frozenset(_list(value, place, _judge_text(field))))
    text = _judge_text(field)(value, place)
    match op:
        case "=":
            return lambda found: found == text
        case "!=":
            return lambda found: found != text
        case "contains":
            return lambda found: found is not None and text in found
        case "not_contains":
            return lambda found: found is None or text not in found
        case _:
            return lambda found: found is not None and found.startswith(text)


def _judge_text(field: Field) -> Callable[[Any, str], str]:
    def judge(value: Any, place: str) -> str:
        text = _a_text(value, place)
        if field.type == kinds.CHOICE and text not in field.values:
            raise Fault(place, "not_allowed", allowed=", ".join(field.values))
        return text

    return judge


def _texts(op: str, value: Any, place: str, _field: Field) -> Holds:
    if op in ("in", "not_in"):
        values = frozenset(_list(value, place, _a_text))
        if op == "in":
            return lambda found: not values.isdisjoint(found)
        return values.isdisjoint
    text = _a_text(value, place)
    match op:
        case "=" | "contains":
            return lambda found: text in found
        case "!=" | "not_contains":
            return lambda found: text not in found
        case _:
            return lambda found: any(one.startswith(text) for one in found)


def _flag(op: str, value: Any, place: str, _field: Field) -> Holds:
    if not isinstance(value, bool):
        raise Fault(place, "not_a_boolean")
    if op == "=":
        return lambda found: found is value
    return lambda found: found is not value


def _a_scalar(value: Any, place: str) -> Any:
    return value if isinstance(value, bool) or _is_number(value) else _a_text(value, place)


def _an_ordered(value: Any, place: str) -> Any:
    return value if _is_number(value) else _a_text(value, place)


def _key(value: Any) -> Any:
    """True is no 1 here, though Python says so."""
    return (type(value) is bool, value)


def _any_value(op: str, value: Any, place: str, _field: Field) -> Holds:
    """An attribute may be anything; what cannot be compared is not equal, smaller or greater."""
    if op in ("contains", "not_contains", "starts_with"):
        return _any_text(op, _a_text(value, place))
    if op in ("in", "not_in"):
        values = frozenset(map(_key, _list(value, place, _a_scalar)))
        wanted = op == "in"
        return lambda found: (_hashable(found) and _key(found) in values) is wanted
    if op in ("=", "!="):
        scalar, wanted = _key(_a_scalar(value, place)), op == "="
        return lambda found: (_key(found) == scalar) is wanted
    if op == "between":
        if isinstance(value, list) and len({_is_number(one) for one in value}) > 1:
            raise Fault(place, "invalid")
        low, high = _pair(value, place, _an_ordered)
        return lambda found: _alike(found, low) and low <= found <= high
    bound, compare = _an_ordered(value, place), _COMPARE[op]
    return lambda found: _alike(found, bound) and compare(found, bound)


def _hashable(found: Any) -> bool:
    return not isinstance(found, list)


def _alike(found: Any, bound: Any) -> bool:
    return _is_number(found) if _is_number(bound) else isinstance(found, str)


def _any_text(op: str, text: str) -> Holds:
    """Text within text, or one of a list."""
    if op == "starts_with":
        return lambda found: isinstance(found, str) and found.startswith(text)
    wanted = op == "contains"
    return lambda found: (isinstance(found, str | list) and text in found) is wanted


_JUDGES: Mapping[str, Callable[[str, Any, str, Field], Holds]] = {
    kinds.NUMBER: _number,
    kinds.TEXT: _text,
    kinds.CHOICE: _text,
    kinds.TEXTS: _texts,
    kinds.FLAG: _flag,
    kinds.ANY: _any_value,
}

# Money --------------------------------------------------------------------------------------------

_AMOUNT = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,6})?", re.ASCII)


def _an_amount(value: Any, place: str) -> Decimal:
    if not isinstance(value, str):
        raise Fault(place, "not_a_string")
    if not _AMOUNT.fullmatch(value):
        raise Fault(place, "invalid_amount")
    return Decimal(value)


def _money(field: Field, op: str, value: Any, currency: str | None, place: str) -> Test:
    """Compared in minor units: of the currency named, else of the customer's main one. Nothing bought in it
    is an amount of 0, but no average."""
    ends = _pair(value, place, _an_amount) if op == "between" else (_an_amount(value, place),) * 2
    of, missing = kinds.MONEYS[field.name], missing_money(field.name)
    scaled: dict[str | None, tuple[Any, Any]] = {}
    compare = _COMPARE.get(op)

    def test(subject: Subject) -> bool:
        code = currency or subject.currency
        bounds = scaled.get(code)
        if bounds is None:
            digits = DECIMALS[code] if code else 0
            bounds = scaled[code] = (minor_units(ends[0], digits), minor_units(ends[1], digits))
        found = of(subject, code)
        if found is None:
            found = missing
        if found is None:
            return op == "!="
        if compare is not None:
            return compare(found, bounds[0])
        return found != bounds[0] if op == "!=" else bounds[0] <= found <= bounds[1]

    return test


def missing_money(name: str) -> int | None:
    """What an amount is in a currency in which nothing was bought."""
    return 0 if name == "purchases.spend" else None


def minor_units(amount: Decimal, digits: int) -> Decimal | int:
    """Of a currency with so many decimals; a whole number as an int, which compares faster."""
    exact = amount * Decimal(10) ** digits
    whole = int(exact)
    return whole if whole == exact else exact


# Times --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class _Bound:
    """A moment (microseconds since 1970), or a local date (ordinal)."""

    at: int
    is_day: bool

    def of(self, subject: Subject, at: int) -> int:
        """A time in this bound's own measure."""
        return subject.zone.day(at) if self.is_day else at


def _a_moment(value: Any, place: str) -> _Bound:
    if not isinstance(value, str):
        raise Fault(place, "not_a_string")
    try:
        if len(value) == 10:
            return _Bound(date.fromisoformat(value).toordinal(), is_day=True)
        at = datetime.fromisoformat(value.upper())
        if at.tzinfo is not None:
            return _Bound(micros(at.astimezone(UTC)), is_day=False)
    except (ValueError, OverflowError):
        pass
    raise Fault(place, "not_a_time")


def _time(field: Field, op: str, value: Any, place: str) -> tuple[Test, Turn | None]:
    get = field.get
    if op == "within_days":
        days = _whole(value, place, MOST_DAYS_AGO)
        return _within(get, days), _within_turn(get, days)
    if op == "between":
        if isinstance(value, list) and len({len(str(one)) == 10 for one in value}) > 1:
            raise Fault(place, "invalid")
        low, high = _pair(value, place, _a_moment)

        def between(subject: Subject) -> bool:
            at = get(subject)
            return at is not None and low.at <= low.of(subject, at) <= high.at

        return between, None
    bound, compare = _a_moment(value, place), operator.lt if op == "before" else operator.gt

    def test(subject: Subject) -> bool:
        at = get(subject)
        return at is not None and compare(bound.of(subject, at), bound.at)

    return test, None


def _within(get: Callable[[Subject], Any], days: int) -> Test:
    def test(subject: Subject) -> bool:
        at = get(subject)
        return at is not None and subject.today - days < subject.zone.day(at) <= subject.today

    return test


def _within_turn(get: Callable[[Subject], Any], days: int) -> Turn:
    def turn(subject: Subject) -> int | None:
        at = get(subject)
        if at is None:
            return None
        day = subject.zone.day(at)
        if day > subject.today:
            return day
        return day + days if day + days > subject.today else None

    return turn
