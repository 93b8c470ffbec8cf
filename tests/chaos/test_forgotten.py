"""Does the harness see whoever should be forgotten and is not? Marks, keys, stores, and O9 on made-up logs."""

import base64
import json
import os
from datetime import UTC, datetime
from random import Random
from types import SimpleNamespace

import asyncpg
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.chaos.forgotten import SERVICES, Forgotten
from tests.chaos.keys import Keys
from tests.chaos.ledger import Erasure, Ledger, key_of
from tests.chaos.marks import marks_in, new_mark, new_phone
from tests.chaos.observer import Line, Seen
from tests.chaos.oracle import Oracle
from tests.chaos.stores import in_databases
from tests.chaos.workload import WORDS, Stream

RANDOM = Random(1)


@pytest.fixture
def mark():
    return new_mark(RANDOM)


# Marks and keys ------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", range(4))
def test_a_mark_is_found_however_it_is_written(mark, before):
    value = os.urandom(before) + mark.encode() + b"\0"
    written = (
        value,
        value.upper(),
        value.hex().encode(),
        base64.b64encode(value),
        base64.urlsafe_b64encode(value).rstrip(b"=") + b'"',
        b"a" + base64.b64encode(base64.b64encode(b"?") + value),
    )
    assert [marks_in(one) for one in written] == [{mark}] * len(written)
    assert marks_in(value.replace(mark[:6].encode(), b"zqmork")) == set()


def test_a_telephone_number_is_a_mark():
    number = new_phone(RANDOM)
    assert marks_in(json.dumps({"phone": number}).encode()) == {number.removeprefix("+86")}


def test_what_was_sealed_is_opened_with_any_key_that_ever_was(mark):
    keys, key = Keys(None), AESGCM.generate_key(256)
    nonce, hidden = os.urandom(12), {"note": mark, "within": {"b": 2}}
    text = AESGCM(key).encrypt(nonce, json.dumps(hidden).encode(), b"c1\0e1")
    sealed = base64.b64encode(nonce + text).decode()
    event = {"id": "e1", "subject": "c1", "data": {"within": {"a": 1}}, "sealed": sealed}
    keys._kept["c1"] = {AESGCM.generate_key(256)}
    assert keys.opened(event) == event
    keys._kept["c1"].add(key)
    assert keys.opened(event)["data"] == {"within": {"a": 1, "b": 2}, "note": mark}
    assert "sealed" in keys.opened({**event, "id": "e2"}), "it is bound to its event"


def test_a_key_is_lost_unless_somebody_destroyed_it():
    keys = Keys(None)
    keys._kept |= {"c1": {b"1"}, "c2": {b"2"}, "c3": {b"3"}, "c4": {b"4", b"5"}}
    keys.held = {"c1": b"1", "c2": None, "c4": b"5"}
    assert keys.lost() == {"c3", "c4"}


# Where one looks -----------------------------------------------------------------------------------


async def test_every_column_of_every_table_is_looked_at(database):
    marks = [new_mark(RANDOM) for _ in range(6)]
    conn = await asyncpg.connect(database)
    await conn.execute(
        "CREATE TABLE one (a text[], b jsonb, c bytea); CREATE SCHEMA other;"
        " CREATE TABLE other.two (a bytea); CREATE TABLE quarantine (kind text, value bytea);"
        " CREATE TEMPORARY TABLE passing (a text) ON COMMIT DELETE ROWS"
    )
    inner = base64.b64encode(marks[2].encode() + b"x" * 90_000)
    await conn.execute("INSERT INTO one VALUES ($1, $2, $3)", [marks[0]], f'"{marks[1]}"', inner)
    await conn.execute("INSERT INTO other.two VALUES ($1)", b"\xff" + marks[3].encode())
    rows = [("parked", marks[4].encode()), ("quarantined", marks[5].encode())]
    await conn.executemany("INSERT INTO quarantine VALUES ($1, $2)", rows)

    async def connect(_name: str) -> asyncpg.Connection:
        return await asyncpg.connect(database)

    for name, kept in (("interaction", {marks[4]}), ("profile", {marks[4], marks[5]})):
        here = SimpleNamespace(urls={name: database}, kafka=None, connect=connect)
        assert await in_databases(here) == {
            f"{name}: one": set(marks[:3]),
            f"{name}: two": {marks[3]},
            f"{name}: quarantine": kept,
        }
    await conn.close()


async def test_what_publishers_sent_is_kept_for_seven_days(database, mark):
    conn = await asyncpg.connect(database)
    await conn.execute("CREATE TABLE inbound (a text); CREATE TABLE customers (a text)")
    for table in ("inbound", "customers"):
        await conn.execute(f"INSERT INTO {table} VALUES ($1)", mark)

    async def connect(_name: str) -> asyncpg.Connection:
        return await asyncpg.connect(database)

    here = SimpleNamespace(urls={"log": database}, kafka=None, connect=connect)
    assert await in_databases(here) == {"log: customers": {mark}}
    here.kafka = "there"
    assert await in_databases(here) == {}
    await conn.close()


def test_everything_that_people_say_has_a_mark_of_its_own():
    stream = Stream(1)
    said = stream.said_by(stream.people[0])
    marks = [marks_in(json.dumps(event["data"]).encode()) for event in said]
    assert all(marks)
    assert len(set().union(*marks)) == sum(map(len, marks))
    assert {event["type"] for event in said} >= {"customer.described", "survey.answered"}
    assert all(marks_in(person.name.encode()) for person in stream.people + stream.strangers)
    assert set(WORDS) >= {event["type"] for event in said} - {"customer.described"}


def test_who_is_lost_is_never_heard_of_again():
    stream = Stream(1)
    name = stream.people[0].name
    for _ in range(50):
        stream.batch(6)
    stream.lose(name)
    sent = [event for _ in range(200) for event in stream.batch(6)]
    assert len(sent) > 500
    assert not [e for e in sent if name == f"member_no:{e['customer'].get('member_no')}"]


# O9 ------------------------------------------------------------------------------------------------

TIME = "2026-01-01T00:00:00Z"


class Told:
    """A log on which somebody said something, and was erased: x, then y, who has the same member number."""

    def __init__(self) -> None:
        self.stream = Stream(1)
        self.person = self.stream.people[0]
        self.ledger = Ledger()
        self.events = [self.stream._described(self.person)[0] for _ in range(3)]
        self.ledger.sent = {key_of(event): event for event in self.events}
        at = datetime(2026, 1, 1, tzinfo=UTC)
        self.erasure = Erasure(self.person.name, ("x",), at, 10.0, 1, "made", "E", done=20.0)
        self.ledger.erasures = [self.erasure]
        self.forgotten = Forgotten(self.ledger)
        for part in ("x", "y"):
            identifiers = {"member_no": self.person.customer["member_no"]}
            self.own("identifiers.added", part, identifiers=identifiers)
        self.own("customer.erased", "x", erasure="E", by="somebody")
        for service in SERVICES:
            self.own("customer.forgotten", "x", erasure="E", service=service)
        self.receipt = {"id": "E", "status": "done", "parts": [{"customer_id": "x"}]}

    def own(self, type_: str, subject: str, **data) -> None:
        event = {"type": type_, "source": "tenure/profile", "subject": subject, "data": data}
        self.forgotten.read(event, set())

    def says(self, n: int, subject: str, sent: float, taken: float | None) -> set[str]:
        """What they said n-th is sent, accepted and resolved; the marks in it."""
        event = self.events[n]
        key = key_of(event)
        self.ledger.first_sent[key] = sent
        if taken is not None:
            self.ledger.first_acknowledged[key] = taken
        data = {} if subject == "x" else event["data"]
        self.forgotten.read(
            {**event, "sourceid": event["id"], "subject": subject, "data": data}, set()
        )
        return marks_in(json.dumps(event["data"]).encode())

    def wrong(self) -> list[str]:
        self.forgotten.check([self.receipt], slack=0.0)
        return self.forgotten.wrong


@pytest.fixture
def told():
    return Told()


def test_content_where_everything_is_forgotten(told):
    gone, stays = told.says(0, "x", 1, 2), told.says(1, "y", 30, 31)
    told.forgotten.check_found({"a table": stays}, "now")
    assert told.wrong() == []
    assert gone <= told.forgotten.gone()
    assert not stays & told.forgotten.gone()


def test_it_sees_a_mark_that_is_left_though_its_event_was_resolved_later(told):
    gone = told.says(0, "x", 1, 2)
    told.forgotten.check_found({"a table": gone}, "now")
    assert any("a table" in text for text in told.wrong())


def test_identifiers_of_who_came_back_may_stay(told):
    assert not marks_in(told.person.name.encode()) & told.forgotten.gone()
    assert told.forgotten.free() == set()


def test_it_sees_what_anybody_can_read_on_the_log(told, mark):
    told.forgotten.read({"type": "t", "source": "s", "subject": "y", "data": {}}, {mark})
    assert any("to everybody" in text for text in told.wrong())


@pytest.mark.parametrize(
    ("subject", "sent", "taken", "right"),
    [
        ("x", 1, 2, True),
        ("y", 1, 2, False),  # accepted before, and revived
        ("x", 1, 15, True),  # meanwhile: either
        ("y", 1, 15, True),
        ("y", 1, None, True),
        ("x", 25, 26, False),  # sent after the receipt: somebody new
        ("y", 25, 26, True),
    ],
)
def test_whose_an_event_is_depends_on_when_it_came(told, subject, sent, taken, right):
    told.says(0, subject, sent, taken)
    assert (told.wrong() == []) == right


def test_clocks_may_be_apart(told):
    told.says(0, "y", 1, 2)
    told.forgotten.check([told.receipt], slack=9.0)
    assert told.forgotten.wrong == []


@pytest.mark.parametrize(
    "receipt",
    [
        {"status": "running"},
        {"parts": []},
        {"id": "another"},
    ],
)
def test_it_sees_a_receipt_that_is_not_right(told, receipt):
    told.receipt |= receipt
    assert any("receipt" in text for text in told.wrong())


def test_it_sees_who_has_not_forgotten(told):
    told.forgotten._said["E", "x"].remove("scoring")
    assert any("scoring" in text for text in told.wrong())


def test_it_sees_erasures_that_nobody_asked_for_or_that_were_done_twice(told):
    told.own("customer.erased", "y", erasure="F", by="somebody")
    assert any("nobody asked" in text for text in told.wrong())
    told.forgotten.wrong.clear()
    told.erasure.state = "refused"
    assert any("was refused" in text for text in told.wrong())
    told.forgotten.wrong.clear()
    told.erasure.state = "made"
    told.own("customer.erased", "x", erasure="E", by="somebody")
    assert any("was done to" in text for text in told.wrong())


def test_an_erasure_whose_answer_was_lost_may_have_been_done(told):
    told.erasure.id, told.erasure.state = "", "asked"
    assert told.wrong() == []
    assert told.erasure.id == "E"


def test_it_sees_an_erasure_that_is_not_on_the_log(told):
    told.ledger.erasures.append(Erasure("n", ("z",), told.erasure.at, 1.0, 1, "made", "G"))
    assert any("nowhere on the log" in text for text in told.wrong())


def test_of_who_was_erased_counts_what_is_no_record():
    """A complaint and a purchase stay; a name, a consent and a tag go."""
    stream = Stream(1)
    person = stream.people[0]
    events = [stream.bought(person), *stream._described(person), *stream._consent(person)]
    oracle = Oracle(Ledger())
    oracle.forgotten.erased["x"] = []
    tag = {"type": "tag.added"}
    assert oracle._kept({"x": [*events, tag]}, ["x"]) == events[:1]
    assert oracle._kept({"y": [*events, tag]}, ["y", "x"]) == [*events, tag]


def test_the_oracle_sees_a_key_that_is_there_and_a_customer_who_is_shown():
    erased = {"id": "x", "merged_from": [], "status": "erased", "erased": True}
    event = {"type": "customer.erased", "source": "tenure/profile", "subject": "x", "time": TIME}
    line = Line(0, "profile", 1, {"id": "p1", **event, "data": {"erasure": "E", "by": "s"}})

    def found(row: dict, key: bytes | None, listed: bool = False) -> list[str]:
        oracle = Oracle(Ledger())
        oracle.check_log([line])
        row = {"name": None, "identifiers": [], **erased, **row}
        oracle._o9(Seen(erased={"x": row}, keys={"x": key}, customers=[row] if listed else []))
        return [text for text in oracle._wrong if "asked" not in text and "receipt" not in text]

    services = [text for text in found({}, None) if "have not said" not in text]
    assert services == []
    assert any("key" in text for text in found({}, b"key"))
    assert any("is known" in text for text in found({"name": "Anna"}, None))
    assert any("is known" in text for text in found({}, None, listed=True))
    assert any("is active" in text for text in found({"status": "active"}, None))
