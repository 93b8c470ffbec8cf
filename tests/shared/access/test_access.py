import asyncio

import asyncpg
import pytest
import structlog

from shared.access import Access
from shared.access.keys import new_key, register, revoke
from shared.errors import Unavailable
from tests.shared.http.conftest import build, client_of


class Time:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture(autouse=True)
def _quiet():
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
def time():
    return Time()


@pytest.fixture
async def access(access_url, time):
    access = Access(access_url, now=time)
    await access.open()
    yield access
    await access.close()


async def test_a_key_and_a_stranger(access, conn):
    raw = new_key()
    await register(conn, raw, name="tills", scopes=["publish"])
    assert (await access.caller_of(raw)).name == "tills"
    assert await access.caller_of(new_key()) is None
    assert await access.caller_of("not\0a key at all, at all") is None
    assert await access.reachable()


async def test_a_verdict_is_kept_for_two_seconds_and_no_longer(access, conn, time):
    raw = new_key()
    assert await access.caller_of(raw) is None
    key_id = await register(conn, raw, name="late", scopes=["read"])
    time.seconds += 1.9
    assert await access.caller_of(raw) is None
    time.seconds += 0.2
    assert (await access.caller_of(raw)).name == "late"
    await revoke(conn, key_id)
    time.seconds += 1.9
    assert (await access.caller_of(raw)).name == "late"
    time.seconds += 0.2
    assert await access.caller_of(raw) is None


async def test_a_revoked_key_opens_no_route_after_two_seconds(access, conn, time):
    raw = new_key()
    key_id = await register(conn, raw, name="late", scopes=["read"])
    app = build()
    app.state.kernel.access = access
    async with client_of(app) as client:
        client.headers["Authorization"] = f"Bearer {raw}"
        assert (await client.get("/v1/secrets")).status_code == 200
        await revoke(conn, key_id)
        time.seconds += 2.1
        answer = await client.get("/v1/secrets")
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")


async def test_the_database_away(access, conn, time):
    raw = new_key()
    await register(conn, raw, name="tills", scopes=["publish"])
    await access.caller_of(raw)
    await conn.execute("ALTER TABLE api_key RENAME TO gone")
    assert (await access.caller_of(raw)).name == "tills"
    time.seconds += 2.1
    for key in (raw, new_key()):
        with pytest.raises(Unavailable) as caught:
            await access.caller_of(key)
        assert caught.value.headers["Retry-After"] == "1"
    assert not await access.reachable()
    await conn.execute("ALTER TABLE gone RENAME TO api_key")
    assert (await access.caller_of(raw)).name == "tills"


async def test_a_connection_that_the_server_ended_is_replaced(access, conn, time):
    raw = new_key()
    await register(conn, raw, name="tills", scopes=["publish"])
    await access.caller_of(raw)
    await conn.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'access'"
    )
    time.seconds += 3
    try:
        caller = await access.caller_of(raw)
    except Unavailable:  # the end of the connection was noticed only by asking
        caller = await access.caller_of(raw)
    assert caller.name == "tills"


async def test_it_opens_while_nothing_listens():
    access = Access("postgresql://nobody@127.0.0.1:1/access")
    await access.open()
    with pytest.raises(Unavailable):
        await access.caller_of(new_key())
    assert not await access.reachable()
    await access.close()
    await access.close()


async def test_a_server_that_never_answers_costs_two_seconds():
    async def silent(_reader, writer):
        await asyncio.sleep(30)
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    access = Access(f"postgresql://nobody@127.0.0.1:{port}/access")
    async with asyncio.timeout(4):
        with pytest.raises(Unavailable):
            await access.caller_of(new_key())
    await access.close()
    server.close()


class Counting(Access):
    """Counts questions, and lets them wait until the test says so."""

    def __init__(self) -> None:
        super().__init__("postgresql://unused")
        self.asked = 0
        self.go = asyncio.Event()

    async def _find(self, key_hash: bytes):
        self.asked += 1
        await self.go.wait()
        if key_hash[0] % 2:
            raise asyncpg.ConnectionDoesNotExistError("lost")


async def test_many_requests_with_one_key_ask_once():
    access = Counting()
    raw = new_key()
    requests = [asyncio.create_task(access.caller_of(raw)) for _ in range(50)]
    await asyncio.sleep(0)
    requests.pop().cancel()
    access.go.set()
    verdicts = await asyncio.gather(*requests, return_exceptions=True)
    assert access.asked == 1
    assert len({type(verdict) for verdict in verdicts}) == 1


async def test_strangers_do_not_fill_the_memory():
    access = Counting()
    access.go.set()
    for _ in range(5000):
        await asyncio.gather(access.caller_of(new_key()), return_exceptions=True)
    assert len(access._verdicts._entries) <= 2048
    assert access._asking == {}


async def test_a_mistake_of_ours_is_not_called_away(access, conn):
    await conn.execute("ALTER TABLE api_key DROP COLUMN scopes")
    with pytest.raises(asyncpg.UndefinedColumnError):
        await access.caller_of(new_key())
