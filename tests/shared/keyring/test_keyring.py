"""Keys are made once, remembered for a while, and destroyed for good."""

import asyncio
import json
import os
from uuid import UUID

import orjson
import pytest

from shared import migrations
from shared.codec import encode
from shared.errors import is_passing
from shared.ids import new_id
from shared.keyring import Keyring
from shared.keyring.__main__ import main
from shared.keyring.sealing import Unreadable
from shared.language import CustomerDescribed
from shared.log import Entry
from shared.numbered import Numbered
from shared.own_events import own_event
from tests.shared.test_codec import TIME, read

SECONDS = 60.0


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def url(database):
    await migrations.upgrade("keyring", database)
    return database


@pytest.fixture
async def rings(url):
    """Makes keyrings as several processes have them."""
    made: list[Keyring] = []

    def make(now=None) -> Keyring:
        made.append(Keyring(url, seconds=SECONDS, **({"now": now} if now else {})))
        return made[-1]

    yield make
    for one in made:
        await one.close()


def described(customer: str, name: str = "李雷") -> tuple[int, Entry]:
    value = encode(
        id=new_id(),
        type="customer.described",
        subject=customer,
        time=TIME,
        receivedtime=TIME,
        source="crm",
        sourceid=os.urandom(4).hex(),
        data=orjson.dumps({"traits": {"name": name, "region": "Shanghai"}}),
    )
    return 3, Entry(key=customer, value=value, personal=True)


async def name_of(ring: Keyring, value: bytes) -> str | None:
    event = read(value)
    await ring.reveal([(event, value)])
    assert isinstance(event.data, CustomerDescribed)
    [whole] = await ring.open([value])
    assert json.loads(whole)["data"]["traits"].get("name") == event.data.traits.get("name")
    return event.data.traits.get("name")


async def test_sealed_by_one_process_and_opened_by_another(rings):
    someone, else_ = new_id(), new_id()
    plain = own_event("profile", "customer.numbered", _numbered(), TIME, subject=someone)
    entries = [described(someone), (1, plain), described(else_, "Han Meimei"), described(someone)]
    sealed = await rings().seal(entries)
    assert [place for place, _ in sealed] == [3, 1, 3, 3]
    assert sealed[1][1] == plain
    assert not any(entry.personal for _, entry in sealed)
    assert not any(b"\xe6\x9d\x8e" in entry.value or b"Han" in entry.value for _, entry in sealed)
    other = rings()
    assert [await name_of(other, sealed[n][1].value) for n in (0, 2, 3)] == [
        "李雷",
        "Han Meimei",
        "李雷",
    ]


def _numbered():
    from shared.language import CustomerNumbered

    return CustomerNumbered(number="C2026000001")


async def test_two_processes_that_make_a_key_at_once_have_the_same(rings):
    someone = new_id()
    made = await asyncio.gather(*(rings().seal([described(someone)]) for _ in range(8)))
    reader = rings()
    assert {await name_of(reader, sealed[0][1].value) for sealed in made} == {"李雷"}


async def test_destroyed_it_opens_nothing_and_there_is_no_other(rings):
    someone, other = new_id(), new_id()
    ring = rings()
    [(_, mine)], [(_, theirs)] = (
        await ring.seal([described(someone)]),
        await ring.seal([described(other)]),
    )
    await ring.destroy([UUID(someone)])
    assert await ring.destroyed([UUID(someone), UUID(other)]) == {UUID(someone)}
    for reader in (ring, rings()):
        assert await name_of(reader, mine.value) is None
        assert await name_of(reader, theirs.value) == "李雷"
        [(_, again)] = await reader.seal([described(someone)])
        assert "sealed" not in json.loads(again.value)
        assert json.loads(again.value)["data"] == {"traits": {"region": "Shanghai"}}
    await ring.destroy([UUID(someone)])  # once more is no more
    assert await ring.destroyed([UUID(someone)]) == {UUID(someone)}


async def test_a_text_of_ones_own(rings):
    """What is no event: a message, say."""
    someone, other, ring = UUID(new_id()), UUID(new_id()), rings()
    text = await ring.lock(someone, b"Dear Li Lei", "m-1")
    assert text is not None
    assert b"Lei" not in text
    reader = rings()
    assert await reader.unlock(someone, text, "m-1") == b"Dear Li Lei"
    assert await reader.unlock(other, text, "m-1") is None
    await ring.lock(other, b"", "m-1")
    for customer, about in ((someone, "m-2"), (other, "m-1")):
        with pytest.raises(Unreadable):
            await rings().unlock(customer, text, about)
    await ring.destroy([someone])
    assert await rings().unlock(someone, text, "m-1") is None
    assert await ring.lock(someone, b"Dear Li Lei", "m-3") is None


async def test_who_never_had_a_key_gets_none_after_an_erasure(rings):
    someone, ring = new_id(), rings()
    await ring.destroy([UUID(someone)])
    [(_, entry)] = await rings().seal([described(someone)])
    assert "sealed" not in json.loads(entry.value)


async def test_another_process_remembers_a_key_for_so_long(rings):
    someone, time = new_id(), Time()
    [(_, entry)] = await rings().seal([described(someone)])
    reader = rings(time)
    assert await name_of(reader, entry.value) == "李雷"
    await rings().destroy([UUID(someone)])
    time.now = SECONDS - 0.1
    assert await name_of(reader, entry.value) == "李雷"
    time.now = SECONDS
    assert await name_of(reader, entry.value) is None


async def test_somebody_elses_ciphertext_is_counted_and_left(rings):
    someone, other = new_id(), new_id()
    ring = rings()
    [(_, entry)] = await ring.seal([described(someone)])
    await ring.seal([described(other)])
    forged = json.loads(entry.value) | {"subject": other}
    assert await name_of(ring, json.dumps(forged).encode()) is None


async def test_away_is_a_reason_to_pause():
    ring = Keyring("postgresql://nobody@127.0.0.1:1/keyring", seconds=SECONDS)
    with pytest.raises(Exception) as away:
        await ring.seal([described(new_id())])
    assert is_passing(away.value)
    await ring.close()


async def test_no_outbox_takes_what_is_in_the_clear():
    with pytest.raises(ValueError, match="personal"):
        await Numbered("outbox").append(None, [described(new_id())], TIME)


async def test_who_was_erased_is_written_down_and_erased_again(
    url, rings, monkeypatch, capsys, tmp_path
):
    """As after a restore from a backup of before: the first keyring stands for what was lost."""
    erased, kept, ring = new_id(), new_id(), rings()
    sealed = await ring.seal([described(erased), described(kept)])
    monkeypatch.setenv("KEYRING_URL", url)
    file = tmp_path / "destroyed"
    file.write_text(f"{erased}\n\n")
    assert await asyncio.to_thread(main, ["destroy", str(file)]) == 0
    capsys.readouterr()
    assert await asyncio.to_thread(main, ["destroyed"]) == 0
    assert capsys.readouterr().out == f"{erased}\n"
    assert [await name_of(rings(), one.value) for _, one in sealed] == [None, "李雷"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [([], 2), (["destroy"], 2), (["destroyed", "x"], 2), (["destroy", "/nonexistent"], 1)],
)
def test_the_command_says_what_is_wrong(arguments, code, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("KEYRING_URL", "postgresql://nobody@127.0.0.1:1/keyring")
    assert main(arguments) == code
    assert capsys.readouterr().err
    bad = tmp_path / "bad"
    bad.write_text("Li Lei")
    assert main(["destroy", str(bad)]) == 1
    assert main(["destroyed"]) == 1
    monkeypatch.delenv("KEYRING_URL")
    assert main(["destroyed"]) == 2


async def test_every_keyring_has_a_name_of_its_own(url, rings):
    first = await rings().uuid()
    assert first == await rings().uuid()
    assert UUID(first)
