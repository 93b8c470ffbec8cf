"""What the benchmark reckons with, and that one measurement goes through. No figure is asserted."""

from pathlib import Path

import pytest

from deploy.local.kafka import KafkaServer
from deploy.local.postgres import PostgresServer
from shared import codec
from shared.ids import partition_of
from shared.tables import ORIGINS
from tests.bench import __main__ as bench
from tests.bench.events import FIRST, PARTITIONS, Stream, customer_ids, drawn, entries, share
from tests.bench.loops import bare_loop, our_loop, topic_of
from tests.bench.runner import Goal, Measured, Memory, Sizes, in_turn
from tests.bench.servers import Servers
from tests.bench.table import BEGIN, END, line, table, write_page


def measured(ours, theirs, goal=None) -> Measured:
    return Measured(
        key="P1",
        what="this",
        unit="events/s",
        goal=goal,
        contestants={"tenure": ours, "bare": theirs},
        ratio_of=("tenure", "bare"),
        memory={"worker": Memory(100.0, 90.0, 91.0)},
    )


def test_the_ratio_is_that_of_the_medians():
    one = measured([10.0, 30.0, 20.0], [40.0, 10.0, 20.0])
    assert one.ratio == 1.0
    assert one.ratios == [0.25, 3.0, 1.0]


@pytest.mark.parametrize(
    ("goal", "met"),
    [
        (Goal(">=", 0.5), True),
        (Goal(">=", 0.51), False),
        (Goal("<=", 0.5), True),
        (Goal("<=", 0.49), False),
        (None, None),
    ],
)
def test_a_goal_is_about_the_ratio(goal, met):
    assert measured([1.0], [2.0], goal).met is met


def test_a_goal_without_a_ratio_is_about_the_median():
    one = Measured(
        key="P7", what="", unit="ms", goal=Goal("<=", 20), contestants={"p50": [30, 10, 19]}
    )
    assert one.met is True


async def test_everybody_has_a_turn_in_each_round():
    order: list[str] = []

    def contestant(name):
        async def once() -> float:
            order.append(name)
            return float(len(order))

        return once

    figures = await in_turn(3, {name: contestant(name) for name in "ab"})
    assert "".join(order) == "abbaab"
    assert figures == {"a": [1.0, 4.0, 5.0], "b": [2.0, 3.0, 6.0]}


def test_a_goal_that_was_missed_is_shown_as_missed():
    assert "**missed**" in line(measured([1.0], [2.0], Goal(">=", 0.9)))
    assert "| met |" in line(measured([2.0], [2.0], Goal(">=", 0.9)))


def test_what_failed_is_in_the_table():
    text = table([measured([1.0], [2.0])], {"P3": "no broker"})
    assert "P3 could not be measured: no broker" in text
    assert "| worker (P1, this) | 100 | 90 | 91 |" in text


def test_the_table_has_its_place_in_the_page(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_page(page, "said", "new")
    write_page(page, "said", "newer")
    assert page.read_text() == f"before\n{BEGIN}\n\nsaid\n\nnewer\n\n{END}\nafter\n"
    page.write_text("no place")
    with pytest.raises(ValueError):
        write_page(page, "", "")
    assert BEGIN in bench.PAGE.read_text()


def test_only_names_measurements():
    assert bench.chosen("p4, P1") == ["P1", "P4"]
    assert bench.chosen("") == list(bench.MODULES)
    with pytest.raises(SystemExit):
        bench.chosen("P12")


def test_the_events_are_those_of_the_language():
    """Each is one that a service reads, in its customer's partition, numbered without a hole."""
    stream = Stream(events=300, customers=50, keys="zipf")
    known = set(customer_ids(50))
    last = [0] * PARTITIONS
    types: dict[str, int] = {}
    for partition, entry in entries(stream):
        assert entry.origin in ORIGINS
        assert entry.sequence == last[partition] + 1
        last[partition] += 1
        event = codec.decode(
            entry.value,
            origin=entry.origin,
            sequence=entry.sequence,
            partition=partition,
            offset=entry.sequence - 1,
            recordedtime=FIRST,
        )
        types[event.type] = types.get(event.type, 0) + 1
        if event.subject:
            assert event.subject in known
            assert partition == partition_of(event.subject, PARTITIONS)
    assert types == {
        "clock.ticked": PARTITIONS,
        "purchase.completed": 180,
        "interaction.recorded": 90,
        "survey.answered": 30,
    }
    assert list(entries(stream)) == list(entries(stream))


def test_zipf_s_law_has_few_customers_buy_much():
    _, uniform = _most(Stream(20_000, 1000))
    _, zipf = _most(Stream(20_000, 1000, keys="zipf"))
    assert uniform < 60
    assert zipf > 1500


def _most(stream: Stream) -> tuple[int, int]:
    counts: dict[int, int] = {}
    for customer in drawn(stream):
        counts[int(customer)] = counts.get(int(customer), 0) + 1
    return max(counts.items(), key=lambda item: item[1])


def test_a_share_of_a_topic():
    assert share([600, 400], 100) == [60, 40]
    assert share([6, 4], 1000) == [6, 4]


def test_sizes_choose():
    assert Sizes("tiny").pick(full=1, quick=2, tiny=3) == 3
    assert [Sizes(name).rounds for name in ("full", "quick", "tiny")] == [5, 3, 1]


@pytest.mark.kafka
async def test_the_loop_and_the_bare_limit_take_all_events(
    kafka: KafkaServer, postgres: PostgresServer, tmp_path: Path
):
    here = Servers(tmp_path, postgres, kafka)
    topic = await topic_of(here, Stream(events=600, customers=40))
    for answer in (
        await our_loop(here, topic, "counters", 500, customers=40),
        await bare_loop(here, topic, 500),
    ):
        assert answer["events"] == sum(topic.limits(500))
        assert answer["seconds"] > 0
        assert answer["peak"] > 0
