"""Requests of a caller, and wrong keys of an address: what passes, what waits, what is remembered."""

from uuid import UUID, uuid4

import pytest

from shared.access import Caller
from shared.errors import TooManyRequests
from shared.http.limits import MOST, Buckets, Limits
from shared.settings import KernelSettings
from tests.shared.access.test_access import Time
from tests.shared.http.conftest import ADMIN, READER, build, client_of

TILL = Caller(UUID(int=1), "till", frozenset({"publish"}))
SHOP = Caller(UUID(int=2), "shop", frozenset({"publish"}))


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def limits(clock: Time):
    def make(**settings) -> Limits:
        return Limits(KernelSettings(**settings), clock)

    return make


def passed(limits: Limits, caller: Caller, tries: int) -> int:
    """How many of so many requests pass."""
    count = 0
    for _ in range(tries):
        try:
            limits.pass_caller(caller)
        except TooManyRequests:
            continue
        count += 1
    return count


def test_without_a_limit_all_pass_and_nothing_is_said(limits):
    free = limits()
    assert passed(free, TILL, 1000) == 1000
    assert free.pass_caller(TILL) == []


def test_a_burst_passes_then_as_much_as_comes_back(limits, clock):
    limited = limits(rate_limit_per_second=2, rate_limit_burst=5)
    assert passed(limited, TILL, 10) == 5
    clock.seconds += 0.4
    assert passed(limited, TILL, 10) == 0
    clock.seconds += 1.1
    assert passed(limited, TILL, 10) == 3
    clock.seconds += 1000
    assert passed(limited, TILL, 10) == 5


def test_a_burst_is_one_second_at_least(limits):
    assert passed(limits(rate_limit_per_second=7), TILL, 20) == 7
    assert passed(limits(rate_limit_per_second=0.5), TILL, 20) == 1


def test_callers_do_not_share(limits):
    limited = limits(rate_limit_per_second=1, rate_limit_burst=2)
    assert passed(limited, TILL, 5) == 2
    assert passed(limited, SHOP, 5) == 2


def test_a_key_has_a_rate_of_its_own(limits):
    fast = Caller(UUID(int=3), "fast", frozenset(), rate=50)
    free = Caller(UUID(int=4), "free", frozenset(), rate=0)
    limited = limits(rate_limit_per_second=1)
    assert passed(limited, fast, 200) == 50
    assert passed(limited, free, 200) == 200
    assert passed(limits(), fast, 200) == 50


def test_who_waits_is_told_how_long(limits, clock):
    limited = limits(rate_limit_per_second=0.1)
    limited.pass_caller(TILL)
    clock.seconds += 2
    with pytest.raises(TooManyRequests) as caught:
        limited.pass_caller(TILL)
    assert caught.value.code == "rate_limited"
    assert caught.value.headers["Retry-After"] == "8"
    clock.seconds += 8
    limited.pass_caller(TILL)


def test_memory_is_bounded_and_the_longest_unseen_is_forgotten(clock):
    buckets = Buckets[bytes](clock, most=3)
    for name in (b"a", b"b", b"a", b"c", b"d"):
        buckets.take(name, 1, 2)
    assert len(buckets) == 3
    assert buckets.level(b"a", 1, 2) == 0
    assert buckets.level(b"b", 1, 2) == 2
    assert MOST < 100_000


def scope(client: str, forwarded: str = "") -> dict:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    return {"type": "http", "client": (client, 1), "headers": headers}


def refused(limits: Limits, place: dict, credentials: str = "another") -> bool:
    try:
        limits.pass_address(place, credentials)
    except TooManyRequests as problem:
        return problem.code == "too_many_failures" and int(problem.headers["Retry-After"]) >= 1
    return False


def fail(limits: Limits, place: dict, times: int = 3) -> None:
    for number in range(times):
        limits.wrong(place, f"guess {number}")


def test_an_address_that_guesses_has_to_wait(limits, clock):
    limited = limits(auth_failures_per_minute=3)
    guesser, other = scope("198.51.100.7"), scope("198.51.100.8")
    fail(limited, guesser, 2)
    assert not refused(limited, guesser)
    fail(limited, guesser, 1)
    assert refused(limited, guesser)
    assert not refused(limited, other)
    clock.seconds += 20
    assert not refused(limited, guesser)
    fail(limited, guesser, 1)
    assert refused(limited, guesser)


def test_who_was_right_before_passes_from_there_until_wrong(limits):
    limited = limits(auth_failures_per_minute=3)
    office = scope("198.51.100.7")
    limited.right("good")
    fail(limited, office)
    assert not refused(limited, office, "good")
    assert refused(limited, office, "unseen")
    limited.wrong(office, "good")
    assert refused(limited, office, "good")


def test_off_is_off(limits):
    limited = limits(auth_failures_per_minute=0)
    fail(limited, scope("198.51.100.7"), 100)
    assert not refused(limited, scope("198.51.100.7"))
    assert len(limited._addresses) == 0


def test_strangers_do_not_fill_the_memory(limits):
    limited = limits()
    for number in range(MOST + 500):
        limited.right(str(number))
        limited.wrong(scope(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"), str(uuid4()))
    assert len(limited._good) <= MOST
    assert len(limited._addresses) <= MOST


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (scope("2001:db8::1"), scope("2001:db8::ffff:1"), True),
        (scope("2001:db8::1"), scope("2001:db8:0:1::1"), False),
        (scope("::ffff:198.51.100.7"), scope("198.51.100.7"), True),
        (scope("127.0.0.1", "198.51.100.7"), scope("198.51.100.7"), True),
        (scope("::1", "198.51.100.7"), scope("198.51.100.7"), True),
        (scope("127.0.0.1", "1.1.1.1, 198.51.100.7"), scope("198.51.100.7"), True),
        (scope("127.0.0.1", "198.51.100.7, 127.0.0.1"), scope("198.51.100.7"), True),
        (scope("198.51.100.9", "198.51.100.7"), scope("198.51.100.9"), True),
        (scope("127.0.0.1", "nonsense"), scope("127.0.0.1"), True),
        (scope("127.0.0.1", "198.51.100.7"), scope("127.0.0.1", "198.51.100.8"), False),
        ({"type": "http", "client": None, "headers": []}, scope("198.51.100.7"), False),
    ],
)
def test_whose_address_it_is(limits, first, second, same):
    limited = limits(auth_failures_per_minute=3)
    fail(limited, first)
    assert refused(limited, first)
    assert refused(limited, second) is same


async def ask(client, key: str, path: str = "/v1/secrets", **headers: str):
    return await client.get(path, headers={"Authorization": f"Bearer {key}", **headers})


async def test_over_http(clock):
    app = build(rate_limit_per_second=1, rate_limit_burst=2, language="en")
    app.state.limits = Limits(KernelSettings(rate_limit_per_second=1, rate_limit_burst=2), clock)
    async with client_of(app) as client:
        answers = [await ask(client, READER) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert [a.headers["ratelimit-remaining"] for a in answers] == ["1", "0", "0"]
        assert {a.headers["ratelimit-limit"] for a in answers} == {"2"}
        last = answers[-1]
        assert (last.json()["code"], last.headers["retry-after"]) == ("rate_limited", "1")
        assert last.headers["ratelimit-reset"] == "2"
        assert "1 requests a second" in last.json()["message"]
        assert (await ask(client, ADMIN, "/v1/sales")).status_code == 200
        for path in ("/healthz", "/readyz", "/metrics"):
            for _ in range(5):
                assert (await ask(client, READER, path)).status_code != 429
        clock.seconds += 1
        assert (await ask(client, READER)).status_code == 200


async def test_a_request_counts_once_however_often_the_caller_is_asked_for():
    async with client_of(build(rate_limit_per_second=1, rate_limit_burst=2)) as client:
        assert (await ask(client, ADMIN, "/v1/sales")).headers["ratelimit-remaining"] == "1"


async def test_without_a_limit_no_header_speaks_of_one(client):
    assert "ratelimit-limit" not in (await ask(client, READER)).headers


async def test_guessing_is_slow_and_the_book_is_not_asked(clock):
    app = build(language="zh")
    app.state.limits = Limits(KernelSettings(auth_failures_per_minute=4), clock)
    async with client_of(app) as client:
        here = {"X-Forwarded-For": "198.51.100.7"}
        for _ in range(20):
            assert (await client.get("/v1/secrets", headers=here)).status_code == 401
        assert (await ask(client, READER, **here)).status_code == 200
        for number in range(4):
            assert (await ask(client, f"wrong-{number}", **here)).status_code == 401
        asked = app.state.kernel.access.asked
        for key in ("wrong-5", ADMIN):  # a right guess is answered as a wrong one
            answer = await ask(client, key, **here)
            assert (answer.status_code, answer.json()["code"]) == (429, "too_many_failures")
            assert answer.headers["retry-after"] == "15"
            assert "15 秒" in answer.json()["message"]
        assert app.state.kernel.access.asked == asked
        assert (await ask(client, READER, **here)).status_code == 200
        elsewhere = await ask(client, ADMIN, **{"X-Forwarded-For": "198.51.100.8"})
        assert elsewhere.status_code == 200
        clock.seconds += 15
        assert (await ask(client, ADMIN, **here)).status_code == 200
