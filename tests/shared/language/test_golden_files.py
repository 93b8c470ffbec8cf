"""Every version of every type that was ever written is still read.

A golden file holds one event as it lay on the log; files are added, never changed. For the present
version of a type it is also exactly what is written today. Run as a program, this file writes the
golden files that are missing.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from shared.codec import decode, encode
from shared.language import EVENT_TYPES
from shared.language.event_type import EventType

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*.json"))
TIME = datetime(2026, 11, 20, 4, 3, 11, tzinfo=UTC)
RECEIVED = datetime(2026, 11, 20, 4, 3, 12, 500_000, tzinfo=UTC)
RECORDED = datetime(2026, 11, 20, 4, 3, 13, tzinfo=UTC)
STREAM_WIDE = {"clock.ticked", "history.closed", "policy.published"}
SETTLED = {
    "before": {
        "event_id": "01934b5c-7a00-7000-8000-00000000000a",
        "time": "2026-11-20T04:03:11Z",
        "utcoffset": 480,
        "orders": 1,
        "spend": {"CNY": 3580},
        "discount": {"CNY": 200},
        "promoted": True,
        "categories": {"Dairy": 1, "Fruit": 1},
        "channel": "store",
        "store": "7",
    },
    "after": {
        "event_id": "01934b5c-7a00-7000-8000-00000000000a",
        "time": "2026-11-20T04:03:11Z",
        "utcoffset": 480,
        "orders": 1,
        "spend": {"CNY": 2580},
        "discount": {},
        "promoted": False,
        "categories": {},
    },
}


def file_of(kind: EventType) -> Path:
    return GOLDEN / f"{kind.name}-{kind.version}.json"


def data_of(kind: EventType) -> dict:
    if kind.name.startswith("purchase."):
        return {**kind.example, "settled": SETTLED}
    return dict(kind.example)


def written(kind: EventType) -> bytes:
    whole = kind.name in STREAM_WIDE
    data = json.dumps(data_of(kind), ensure_ascii=False, separators=(",", ":")).encode()
    return encode(
        id="01934b5c-7a00-7000-8000-00000000000b",
        type=kind.name,
        subject="" if whole else "01934b5c-7a00-7000-8000-00000000000c",
        time=TIME,
        receivedtime=RECEIVED,
        source="store-7/pos",
        sourceid="pos-7-000123",
        data=data,
        utcoffset=480,
        correlationid="01934b5c-7a00-7000-8000-00000000000d",
        causationid="01934b5c-7a00-7000-8000-00000000000e",
        history=None if whole else "demo-2026",
    )


def read(path: Path):
    return decode(
        path.read_bytes().removesuffix(b"\n"),
        origin="interaction",
        sequence=7,
        partition=3,
        offset=41,
        recordedtime=RECORDED,
    )


def subset(small, large) -> bool:
    """Whether the Struct says nothing that the JSON does not; it may leave out what folds skip."""
    if isinstance(small, dict):
        return isinstance(large, dict) and all(
            (value is None and key not in large) or subset(value, large.get(key))
            for key, value in small.items()
        )
    if isinstance(small, list):
        return len(small) == len(large) and all(map(subset, small, large))
    return small == large


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_was_written_is_read(path):
    event = read(path)
    envelope = json.loads(path.read_bytes())
    assert path.stem == envelope["dataschema"].replace("/", "-")
    assert path.stem.rpartition("-")[0] == event.type
    assert (event.id, event.source, event.sourceid) == (
        envelope["id"],
        "store-7/pos",
        "pos-7-000123",
    )
    assert (event.time, event.receivedtime, event.utcoffset) == (TIME, RECEIVED, 480)
    assert (event.correlationid, event.causationid) == (
        envelope["correlationid"],
        envelope["causationid"],
    )
    assert event.subject == envelope.get("subject", "")
    assert type(event.data) is EVENT_TYPES[event.type].struct
    assert subset(json.loads(msgspec.json.encode(event.data)), envelope["data"])


@pytest.mark.parametrize("kind", EVENT_TYPES.values(), ids=lambda kind: kind.name)
def test_what_is_written_today(kind):
    assert file_of(kind).read_bytes().removesuffix(b"\n") == written(kind), "a new version is due"


@pytest.mark.parametrize("kind", EVENT_TYPES.values(), ids=lambda kind: kind.name)
def test_every_version_has_its_file(kind):
    versions = range(1, kind.version + 1)
    assert all((GOLDEN / f"{kind.name}-{version}.json").exists() for version in versions)


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for each in EVENT_TYPES.values():
        if not file_of(each).exists():
            file_of(each).write_bytes(written(each) + b"\n")
