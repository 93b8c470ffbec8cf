import asyncio
import io
import json
import logging
import threading

import asyncpg
import pytest
import structlog

from shared.errors import NotFound
from shared.logging import REQUEST_ID, configure, get_logger, reason


@pytest.fixture
def lines():
    """What was written, as parsed lines; the test's own logging comes back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    before = structlog.get_config()
    stream = io.StringIO()
    configure(service="profile", process="worker", level="INFO", stream=stream)

    def read() -> list[dict]:
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    yield read
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


def test_a_line_is_one_json_object(lines):
    get_logger("test.line").info("folded", events=3)
    get_logger("test.line").debug("not at this level")
    (line,) = lines()
    assert line["event"] == "folded"
    assert line["events"] == 3
    assert (line["service"], line["process"], line["level"]) == ("profile", "worker", "info")
    assert line["time"].endswith("Z")


async def test_what_is_merely_told_is_written_at_the_end_of_the_turn(lines):
    log = get_logger("test.turn")
    log.info("one")
    log.info("two")
    assert lines() == []
    await asyncio.sleep(0)
    assert [line["event"] for line in lines()] == ["one", "two"]
    log.info("three")
    log.warning("four")
    logging.getLogger("library").warning("five")
    log.info("six")
    log.error("seven")
    told = ["one", "two", "three", "four", "five", "six", "seven"]
    assert [line["event"] for line in lines()] == told
    await asyncio.sleep(0)
    assert len(lines()) == 7


def test_every_loop_writes_what_it_was_told(lines):
    async def tell(number: int) -> None:
        get_logger("test.loops").info("told", number=number)

    def elsewhere() -> None:
        get_logger("test.loops").info("told", number=2)

    for number in range(2):
        asyncio.run(tell(number))
    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert [line["number"] for line in lines()] == [0, 1, 2]


def test_a_line_names_its_request(lines):
    token = REQUEST_ID.set("00000000-0000-4000-8000-000000000001")
    get_logger("test.request").info("within")
    logging.getLogger("library").warning("within")
    get_logger("test.request").info("about another", request_id="2")
    REQUEST_ID.reset(token)
    get_logger("test.request").info("outside")
    named = [line.get("request_id") for line in lines()]
    assert named == [*["00000000-0000-4000-8000-000000000001"] * 2, "2", None]


def test_an_exception_is_named_without_its_message(lines):
    def fail():
        try:
            {}["alice@example.com"]
        except KeyError as exc:
            raise ValueError("phone +8613800138000") from exc

    try:
        fail()
    except ValueError:
        get_logger("test.exception").error("failed", exc_info=True)
    (line,) = lines()
    assert (line["error"], line["cause"]) == ("ValueError", "KeyError")
    assert line["stack"][-1].endswith(" fail")
    assert "alice" not in json.dumps(line)
    assert "138001" not in json.dumps(line)


def test_libraries_write_the_same_way(lines):
    try:
        int("secret")
    except ValueError:
        logging.getLogger("asyncio").exception("Task exception was never retrieved")
    (line,) = lines()
    assert line["module"] == "asyncio"
    assert line["error"] == "ValueError"
    assert "secret" not in json.dumps(line)


def test_a_value_that_json_cannot_carry_is_named_by_its_type(lines):
    get_logger("test.value").warning("odd", value=object())
    assert lines()[0]["value"] == "object"


def test_reasons_keep_what_cannot_hold_a_customers_value():
    assert reason(ConnectionRefusedError(111, "refused")) == (
        "ConnectionRefusedError: [Errno 111] refused"
    )
    assert reason(NotFound("customer_not_found")) == "NotFound: customer_not_found"
    twice = asyncpg.UniqueViolationError("Key (value)=(alice@example.com) already exists")
    assert reason(twice) == "UniqueViolationError [23505]"
    assert reason(asyncpg.CannotConnectNowError("starting up")) == (
        "CannotConnectNowError [57P03] starting up"
    )
