"""What segments cost an event: `python -m tests.campaign.bench [SEGMENTS]`. Prints, asserts nothing.

The same rules of the same customer are asked in several ways, in turns, so that a busy machine is as unfair to
each: as every event asks them; one by one, as a preview does; as a person would write them in Python, once from
numbers that lie ready (the bare limit) and once from the state; and by `rule-engine`, where it is installed. It is
nothing that Tenure needs: put it into an environment of its own, with this one on PYTHONPATH.
"""

import sys
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from services.campaign.projector import derive
from services.campaign.projector.segments import segments_in_force
from services.campaign.projector.state import Audience
from services.campaign.projector.subject import Subject
from tests.campaign.folding import ZONE, fold, segments
from tests.strategies import START, bought, make_event

ROUNDS = 100
Ask = Callable[[], Any]


def _rule(number: int) -> dict[str, object]:
    return {
        "all": [
            {"field": "purchases.count", "op": ">=", "value": number % 40},
            {"field": "purchases.spend", "op": ">=", "value": str(10 * number)},
            {"not": {"field": "tags", "op": "contains", "value": f"tag-{number}"}},
            {
                "count": {"type": "purchase.completed", "within_days": 1 + number % 90},
                "op": "<",
                "value": 5,
            },
        ]
    }


def _ready(subject: Subject, most: int) -> dict[str, Any]:
    """All that the rules look at, worked out beforehand."""
    state = subject.state
    counted = {
        f"within_{1 + number % 90}": subject.counted("purchase.completed", 1 + number % 90)
        for number in range(most)
    }
    spend = state.money[subject.currency or ""].spend
    return {"orders": state.orders, "spend": spend, "tags": subject.tags, **counted}


def _limit(number: int) -> Callable[[Mapping[str, Any]], bool]:
    """One rule by hand, over what lies ready."""
    orders, spend, tag, window = (
        number % 40,
        1000 * number,
        f"tag-{number}",
        f"within_{1 + number % 90}",
    )
    return lambda known: (
        known["orders"] >= orders
        and known["spend"] >= spend
        and tag not in known["tags"]
        and known[window] < 5
    )


def _by_hand(number: int) -> Callable[[Audience, int, str], bool]:
    """One rule by hand, over the state."""
    orders, spend, tag, days = number % 40, 1000 * number, f"tag-{number}", 1 + number % 90

    def holds(state: Audience, today: int, currency: str) -> bool:
        return (
            state.orders >= orders
            and state.money[currency].spend >= spend
            and not (tag in state.marks or tag in state.derived)
            and sum(
                times
                for day, times in state.counts["purchase.completed"].days.items()
                if today - days < day <= today
            )
            < 5
        )

    return holds


def _peer(known: Mapping[str, Any], most: int) -> tuple[str, Ask | None]:
    """The rules as rule-engine reads them, over what lies ready."""
    try:
        import rule_engine
    except ImportError:
        return "rule-engine (not installed)", None
    asked = [
        rule_engine.Rule(
            f"orders >= {n % 40} and spend >= {1000 * n} and not ('tag-{n}' in tags)"
            f" and within_{1 + n % 90} < 5"
        )
        for n in range(most)
    ]
    thing = {**known, "tags": list(known["tags"])}
    return f"rule-engine {rule_engine.__version__}", lambda: [one.matches(thing) for one in asked]


def _microseconds(ask: Ask) -> float:
    started = time.perf_counter()
    ask()
    return (time.perf_counter() - started) * 1e6


def main(most: int) -> None:
    """The fastest of many rounds each, and how they compare."""
    state = fold(
        make_event(bought(order_id=str(n)), time=START + timedelta(days=n), number=n + 1)
        for n in range(50)
    )
    clock = START + timedelta(days=60)
    none, policies = segments(), segments(*(_rule(n) for n in range(most)))
    compiled = segments_in_force(policies)
    subject = Subject(state, clock, ZONE)
    known = _ready(subject, most)
    limits, by_hand = [_limit(n) for n in range(most)], [_by_hand(n) for n in range(most)]
    today, currency = subject.today, subject.currency or ""
    peer, ask_peer = _peer(known, most)

    def one_by_one() -> list[bool]:
        fresh = Subject(state, clock, ZONE)
        return [one.rule.test(fresh) for one in compiled.segments]

    ways: dict[str, Ask | None] = {
        "no segments": lambda: derive(state, clock, none),
        "all segments, and when they are due": lambda: derive(state, clock, policies),
        "members alone": lambda: compiled.members(Subject(state, clock, ZONE)),
        "one by one": one_by_one,
        "by hand, over numbers that lie ready": lambda: [one(known) for one in limits],
        "by hand, over the state": lambda: [one(state, today, currency) for one in by_hand],
        peer: ask_peer,
    }
    answers = {
        name: sum(map(bool, ask()))
        for name, ask in ways.items()
        if ask is not None and "segments" not in name
    }
    answers["members alone"] = len(compiled.members(subject))
    assert len(set(answers.values())) == 1, answers
    times = {
        name: min(_microseconds(ask) for _ in range(ROUNDS))
        for name, ask in ways.items()
        if ask is not None
    }
    limit = times["by hand, over numbers that lie ready"]
    print(f"{most} segments, {answers['one by one']} of them hold")
    for name in ways:
        if name not in times:
            print(f"{name}")
        else:
            each = times[name] / max(most, 1)
            print(
                f"{name}: {times[name]:.0f} us, {each:.2f} us a segment, {times[name] / limit:.2f} times the limit"
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
