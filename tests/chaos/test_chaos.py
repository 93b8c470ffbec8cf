"""Eight faults with every oracle, on real servers; and what must hold of the harness itself."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest

from deploy.local.kafka import KafkaServer
from deploy.local.state import ROOT
from tests.chaos.faults import FAULTS, merge_storm
from tests.chaos.ledger import USER, Command, Ledger, Merge, key_of
from tests.chaos.observer import Line, Seen
from tests.chaos.oracle import Oracle, fold
from tests.chaos.planted import DEFECTS
from tests.chaos.proxy import Proxy
from tests.chaos.run import Report, drawn, one_fault, run, summary
from tests.chaos.workload import Stream

SEEDS = Path(__file__).with_name("seeds.txt")
SEED = 20261122
ALWAYS = [6, 1, 5, 10, 4]
"""The relay sends again, a kill, the network, poison, PostgreSQL."""


def kept() -> list[tuple[int, list[int]]]:
    """Seeds of failures with the kinds of faults that brought them to light."""
    lines = [line.partition("#")[0].split() for line in SEEDS.read_text().splitlines()]
    return [(int(line[0]), [int(n) for n in line[1].split(",")]) for line in lines if line]


@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.timeout(600)
async def test_nothing_is_lost_or_doubled():
    """Five faults that are always the same, and three of a failure that there was: each day another one."""
    missing = KafkaServer.missing()
    if missing and os.environ.get("CI"):
        pytest.fail(f"CI needs Kafka: {missing}")
    if missing:
        pytest.skip(f"NO KAFKA, NO CHAOS: {missing}")
    failures = kept()
    seed, kinds = failures[datetime.now(UTC).toordinal() % len(failures)]
    report = await run(SEED, [*ALWAYS, *drawn(seed, 3, kinds)])
    assert not report.wrong, summary(report)
    assert len(report.faults) == 8
    assert report.rounds > 8
    assert report.repeated > 0, "nothing was sent twice"


def test_the_seeds_name_faults_that_there_are():
    assert all(set(kinds) <= FAULTS.keys() for _, kinds in kept())
    assert drawn(7, 50, None) == drawn(7, 50, None)


async def test_what_is_not_there_is_not_broken_and_not_counted():
    report = Report(7, "kafka")
    storm = next(n for n, (fault, _) in FAULTS.items() if fault is merge_storm)
    bench = SimpleNamespace(generator=SimpleNamespace(merging=False), random=Random(7))
    await one_fault(bench, None, storm, report)
    assert report.faults == []


def test_the_defects_can_still_be_planted():
    """Fails where what they change is written otherwise by now."""
    for defect in DEFECTS.values():
        for file, old, _ in defect.changes:
            assert (ROOT / file).read_text().count(old) == 1, (file, old)


async def _echo(reader, writer):
    while data := await reader.read(100):
        writer.write(data)


@pytest.fixture
async def proxied():
    """A proxy before a server that says everything again, and a connection through it."""
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    proxy = Proxy("echo", lambda: asyncio.open_connection("127.0.0.1", port))
    await proxy.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"1")
    assert await reader.readexactly(1) == b"1"
    yield proxy, reader, writer
    writer.transport.abort()
    await proxy.stop()
    server.close()


async def test_a_deaf_proxy_throws_answers_away(proxied):
    proxy, reader, writer = proxied
    proxy.deaf = True
    writer.write(b"2")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.1)
    proxy.heal()
    writer.write(b"3")
    assert await reader.readexactly(1) == b"3"


async def test_a_frozen_proxy_keeps_everything(proxied):
    proxy, reader, writer = proxied
    proxy.freeze()
    writer.write(b"2")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.1)
    proxy.heal()
    assert await reader.readexactly(1) == b"2"


async def test_a_reset_ends_connections_and_a_half_open_one_says_nothing(proxied):
    proxy, reader, writer = proxied
    proxy.half_open()
    writer.write(b"2")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.1)
    other, sending = await asyncio.open_connection("127.0.0.1", proxy.port)
    sending.write(b"3")
    assert await other.readexactly(1) == b"3"
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        await other.readexactly(1)
    sending.transport.abort()


# The oracle ----------------------------------------------------------------------------------------


def _line(sequence, event, id_=None, origin="interaction"):
    return Line(0, origin, sequence, {"id": id_ or f"i{sequence}", **event})


def _published(event, subject="c1"):
    return {**event, "sourceid": event["id"], "subject": subject, "time": event["time"]}


def _identified(name, subject="c1"):
    type_, _, value = name.partition(":")
    data = {"identifiers": {type_: value}}
    return {
        "type": "identifiers.added",
        "source": "tenure/interaction",
        "subject": subject,
        "data": data,
    }


@pytest.fixture
def told():
    """A ledger with one event that was acknowledged, and the lines of a log that has it."""
    stream = Stream(1)
    event = stream.bought(stream.people[0])
    ledger = Ledger(sent={key_of(event): event}, acknowledged={key_of(event)})
    lines = [_line(1, _identified(stream.people[0].name)), _line(2, _published(event))]
    return ledger, event, lines


def _log_of(told, lines):
    ledger, event, _ = told
    seen = Seen(lines=lines, timeline={key_of(event): 1})
    return sorted({text[:2] for text in Oracle(ledger).check(seen)})


def test_the_oracle_is_content_with_a_log_that_is_right(told):
    assert _log_of(told, told[2]) == ["O2"]  # but there is no row of the customer


def test_it_sees_what_is_lost_doubled_or_somebody_elses(told):
    _, event, (first, second) = told
    assert "O1" in _log_of(told, [first])
    assert "O1" in _log_of(told, [first, second, _line(3, _published(event))])
    assert "O1" in _log_of(told, [first, _line(2, _published(event, "c2"))])
    again = _line(2, _published(event))
    assert _log_of(told, [first, second, again]) == ["O2"]


def test_it_sees_holes_and_two_events_under_one_number(told):
    ledger, event, (first, _) = told
    assert any("goes from 1 to 3" in one for one in Oracle(ledger).check_log(
        [first, _line(3, _published(event))]
    ))  # fmt: skip
    late = [first, _line(3, _published(event)), _line(2, _published(event))]
    assert len(Oracle(ledger).check_log(late)) == 1, "what fills the hole later is no second one"
    assert any("two events" in one for one in Oracle(ledger).check_log(
        [first, _line(1, _identified("member_no:M1"), "other")]
    ))  # fmt: skip


def test_it_sees_what_is_said_twice(told):
    ledger, _, _ = told
    said = {
        "type": "lifecycle.changed",
        "source": "tenure/profile",
        "subject": "c1",
        "data": {"state": "new", "previous": None},
    }
    found = Oracle(ledger).check_log([_line(1, said), _line(2, said)])
    assert [text[:2] for text in found] == ["O3"]


def test_it_sees_poison_that_is_nowhere(told):
    ledger, _, lines = told
    ledger.poison[b"?"] = "bytes"
    assert "O7" in _log_of(told, lines)


def test_a_merge_that_somebody_made_must_hold(told):
    ledger, event, lines = told
    name, other = f"member_no:{event['customer']['member_no']}", "member_no:M77"
    ledger.merges.append(Merge((name, other), "made", "m"))
    oracle = Oracle(ledger)
    oracle.check_log([*lines, _line(3, _identified(other, "c2"))])
    oracle._rows(Seen(customers=[{"id": "c1", "merged_from": []}, {"id": "c2", "merged_from": []}]))
    assert any("does not hold" in text for text in oracle._wrong)


def test_a_cookie_that_named_who_was_erased_may_be_somebody_else_afterwards():
    """So a merge of those whom it named before cannot be told by the name any more."""
    cookie, member, other = "anonymous_id:a-1-x", "member_no:M1", "member_no:M2"

    def found(customer: dict[str, str]) -> list[str]:
        sent = {("shop", "e1"): {"customer": customer}}
        oracle = Oracle(Ledger(sent=sent, merges=[Merge((cookie, other), "made", "m")]))
        said = [
            _identified(cookie, "c1"),
            _identified(other, "c2"),
            _identified(member, "c3"),
            {**_identified(member, "c3"), "type": "customer.erased", "data": {}},
            _identified(cookie, "c4"),
        ]
        oracle.check_log(_line(n, one) for n, one in enumerate(said, start=1))
        oracle._o1(Seen())
        oracle._wrong.clear()
        oracle._check_merges({"c1": "c1", "c2": "c1", "c4": "c4"})
        return oracle._wrong

    assert found({"member_no": "M1", "anonymous_id": "a-1-x"}) == []
    assert any("does not hold" in text for text in found({"anonymous_id": "a-1-x"}))


def test_of_many_who_want_what_one_can_have_one_gets_it():
    """Whom a lost answer left in doubt may have it too, but no second one."""

    def found(served: int, *won: int) -> list[str]:
        race = [Command("customer.edited", "n", f"m{n}", {"owner": f"m{n}"}, 2) for n in range(3)]
        for n in (won or (0,))[:served]:
            race[n].done = True
        oracle = Oracle(Ledger(commands=race, races=[race]))
        edited = {"type": "customer.edited", "source": "tenure/profile", "subject": "c1"}
        oracle.check_log(
            _line(at, {**edited, "data": {"changes": {"owner": f"m{n}"}}}, f"p{at}", "profile")
            for at, n in enumerate(won, start=1)
        )
        oracle._o4()
        return oracle._wrong

    assert found(1, 2) == found(0, 1) == found(0) == []
    assert any("2 won" in text for text in found(1, 0, 2))
    assert any("0 won" in text for text in found(1))


def test_who_was_taken_for_many_names_nobody():
    """What a shared tablet does goes to a customer without a name; and what any other one does never."""
    stream = Stream(1)
    stranger = stream.strangers[0]
    event = stream._interaction(stranger)[0]

    def found(taken_for: int) -> list[str]:
        linked = [
            {**event, "id": f"l{n}", "customer": {**stranger.customer, "member_no": f"M{n}"}}
            for n in range(taken_for)
        ]
        ledger = Ledger(sent={key_of(one): one for one in (event, *linked)})
        oracle = Oracle(ledger)
        oracle.check_log([_line(1, _published(event, "nameless"))])
        oracle._o1(Seen(timeline={key_of(event): 1}))
        return oracle._wrong

    assert found(4) == []
    assert any("nobody's" in text for text in found(2))


def test_who_was_one_with_another_user_is_who_has_the_user_id():
    """A cookie that was merged with somebody and then tells a user id of its own is a customer with that user id."""
    stream = Stream(1)
    person = next(one for one in stream.people if one.name.startswith("cookie:"))
    event = stream._interaction(person)[0]

    def found(user_id: str) -> list[str]:
        oracle = Oracle(Ledger(sent={key_of(event): event}))
        said = _identified(person.name, "new")
        said["data"]["identifiers"] = {"user_id": user_id}
        oracle.check_log([_line(1, said), _line(2, _published(event, "new"))])
        oracle._o1(Seen(timeline={key_of(event): 1}))
        return oracle._wrong

    assert found(f"{USER}{person.name}") == []
    assert any("nobody's" in text for text in found(f"{USER}member_no:M1"))


def test_the_fold_counts_versions_refunds_and_cancellations():
    def event(number, type_, **data):
        time = f"2026-01-0{number}T00:00:00+00:00"
        return {"id": f"e{number}", "source": "s", "type": type_, "time": time, "data": data}

    cny = {"amount": "5.00", "currency": "CNY"}
    told = [
        event(1, "purchase.completed", order_id="a", total=cny),
        event(3, "purchase.completed", order_id="a", total={**cny, "amount": "7.00"}),
        event(2, "purchase.refunded", order_id="a", amount={**cny, "amount": "1.50"}),
        event(4, "purchase.completed", order_id="b", total=cny),
        event(5, "purchase.cancelled", order_id="b"),
    ]
    found = fold(told, [])
    assert (found["orders"], str(found["spend"]["CNY"]), found["last"].day) == (1, "5.50", 3)
