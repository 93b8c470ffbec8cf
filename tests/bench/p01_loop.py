"""P1: the loop beside the bare limit, with a plain projection and with the services' own."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.bench.events import Stream
from tests.bench.loops import (
    Topic,
    bare_loop,
    main_stream,
    our_loop,
    rate,
    template_of,
    topic_of,
)
from tests.bench.runner import Goal, Measured, Memory, Sizes, in_turn, say
from tests.bench.servers import Servers

SERVICES = ("interaction", "profile", "scoring", "campaign")
MANY = "of many customers"
Answers = dict[str, list[dict[str, Any]]]


def many_stream(sizes: Sizes, keys: str) -> Stream:
    """A million customers, whose rows are there before."""
    return Stream(
        events=sizes.pick(full=200_000, quick=25_000, tiny=2_000),
        customers=sizes.pick(full=1_000_000, quick=50_000, tiny=1_000),
        keys="zipf" if keys == "zipf" else "uniform",
        seed=1,
    )


async def measure(bench: Servers, sizes: Sizes) -> list[Measured]:
    """Lines of the plain projection, of the services', and of memory."""
    figures, answers = await plain(bench, sizes)
    lines = [_line(sizes, name, figures, answers) for name in ("few", "zipf", "uniform")]
    lines += await _services(bench, sizes)
    if sizes.name == "full":
        lines.append(await _long(bench, sizes))
    return lines


async def plain(bench: Servers, sizes: Sizes) -> tuple[dict[str, list[float]], Answers]:
    """Events a second of the counters and of the bare limit, in the three cases; measured once a run."""
    if "p01" not in bench.kept:
        bench.kept["p01"] = await _plain(bench, sizes)
    found: tuple[dict[str, list[float]], Answers] = bench.kept["p01"]
    return found


async def _plain(bench: Servers, sizes: Sizes) -> tuple[dict[str, list[float]], Answers]:
    few = await topic_of(bench, main_stream(sizes))
    events = sizes.pick(full=200_000, quick=25_000, tiny=2_000)
    cases: dict[str, tuple[Topic, int]] = {"few": (few, 0)}
    for keys in ("zipf", "uniform"):
        stream = many_stream(sizes, keys)
        cases[keys] = await topic_of(bench, stream), stream.customers
    answers: Answers = {}
    contestants: dict[str, Callable[[], Awaitable[float]]] = {}
    for case, (topic, customers) in cases.items():
        await template_of(bench, "counters", customers)
        contestants[f"bare {case}"] = _kept(
            answers, f"bare {case}", lambda topic=topic: bare_loop(bench, topic, events)
        )
        contestants[f"tenure {case}"] = _kept(
            answers,
            f"tenure {case}",
            lambda topic=topic, customers=customers: our_loop(
                bench, topic, "counters", events, customers=customers
            ),
        )
    return await in_turn(sizes.rounds, contestants, said=say), answers


def _kept(
    answers: Answers, name: str, work: Callable[[], Awaitable[dict[str, Any]]]
) -> Callable[[], Awaitable[float]]:
    async def once() -> float:
        answer = await work()
        answers.setdefault(name, []).append(answer)
        return rate(answer)

    return once


def _line(sizes: Sizes, case: str, figures: dict[str, list[float]], answers: Answers) -> Measured:
    many = many_stream(sizes, case).customers
    what, goal = {
        "few": (f"{main_stream(sizes).customers:,} customers, uniform", 0.9),
        "zipf": (f"{many:,} customers, Zipf(1.1)", 0.9),
        "uniform": (f"{many:,} customers, uniform", 0.45),
    }[case]
    ours, bare = f"tenure {case}", f"bare {case}"
    return Measured(
        key="P1",
        what=f"loop, plain counters, {what}",
        unit="events/s",
        goal=Goal(">=", goal),
        contestants={"tenure": figures[ours], "bare": figures[bare]},
        ratio_of=("tenure", "bare"),
        note=f"processor time an event: tenure {_cost(answers[ours])}, bare {_cost(answers[bare])}",
        memory={"counters worker": _memory(answers[ours])},
    )


def _cost(answers: list[dict[str, Any]]) -> str:
    """Of the Python process alone."""
    spent = sum(one["processor"] for one in answers) / sum(one["events"] for one in answers)
    return f"{spent * 1e6:.1f} µs"


def _memory(answers: list[dict[str, Any]]) -> Memory:
    last = answers[-1]
    return Memory(max(one["peak"] for one in answers), last.get("early"), last.get("late"))


async def _services(bench: Servers, sizes: Sizes) -> list[Measured]:
    topic = await topic_of(bench, main_stream(sizes))
    events = sizes.pick(full=60_000, quick=8_000, tiny=1_000)
    answers: Answers = {}
    contestants = {
        "bare": _kept(answers, "bare", lambda: bare_loop(bench, topic, events)),
        **{
            name: _kept(answers, name, lambda name=name: our_loop(bench, topic, name, events))
            for name in SERVICES
        },
    }
    figures = await in_turn(sizes.rounds, contestants, said=say)
    return [
        Measured(
            key="P1",
            what=f"loop of {name}",
            unit="events/s",
            goal=Goal(">=", 0.3),
            contestants={name: figures[name], "bare": figures["bare"]},
            ratio_of=(name, "bare"),
            note=f"processor time an event: {_cost(answers[name])}",
            memory={f"{name} worker": _memory(answers[name])},
        )
        for name in SERVICES
    ]


async def _long(bench: Servers, sizes: Sizes) -> Measured:
    """All of the topic once, for the memory of it."""
    stream = main_stream(sizes)
    answer = await our_loop(bench, await topic_of(bench, stream), "counters", stream.events)
    return Measured(
        key="P1",
        what=f"memory over {stream.events:,} events",
        unit="events/s",
        contestants={"tenure": [rate(answer)]},
        note="once",
        memory={"counters worker": _memory([answer])},
    )
