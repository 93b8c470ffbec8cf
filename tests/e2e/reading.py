"""The log of an installation as an onlooker reads it, and what must hold of it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from shared.log import Record
from tests.e2e.workload import Key

OURS = "tenure/"


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of `customers`, where it stands there for the first time."""

    origin: str
    partition: int
    event: dict[str, Any]

    @property
    def key(self) -> Key:
        return self.event["source"], self.event["sourceid"]


def without_repeats(records: Iterable[Record]) -> list[Entry]:
    """Numbers are dense: each event is the next one of its origin and partition, or a repeat of one before."""
    heads: Counter[tuple[str | None, int]] = Counter()
    ids: dict[tuple[str | None, int, int], str] = {}
    found = []
    for record in records:
        where = record.origin, record.partition
        assert record.origin is not None
        assert record.sequence is not None
        event = orjson.loads(record.value)
        if record.sequence <= heads[where]:
            assert ids[*where, record.sequence] == event["id"], "two events under one number"
            continue
        assert record.sequence == heads[where] + 1, f"{where}: a hole before {record.sequence}"
        heads[where] = record.sequence
        ids[*where, record.sequence] = event["id"]
        found.append(Entry(record.origin, record.partition, event))
    return found


def published(entries: Sequence[Entry]) -> Counter[Key]:
    """How often each publisher's event stands on the log."""
    return Counter(entry.key for entry in entries if not entry.event["source"].startswith(OURS))


def publishers_ids(entries: Sequence[Entry]) -> dict[str, Key]:
    """Our ids of publishers' events."""
    return {entry.event["id"]: entry.key for entry in entries}


_CLASS = {
    "lifecycle.changed": "state",
    "score.churn_band_changed": "band",
    "score.rfm_class_changed": "rfm_class",
    "score.matrix_changed": "matrix",
}


def told(entries: Sequence[Entry]) -> dict[str, dict[str, Any]]:
    """What each customer was last said to be; nothing is ever said twice in a row."""
    said: dict[str, dict[str, Any]] = defaultdict(lambda: {"tags": set()})
    for entry in entries:
        type_, data = entry.event["type"], entry.event["data"]
        about = said[entry.event.get("subject", "")]
        if type_ in _CLASS:
            field = _CLASS[type_]
            value = data.get(field)
            assert value != about.get(field), f"{type_} says {value} again"
            assert data.get("previous") == about.get(field)
            about[field] = value
        elif type_ == "tag.gained":
            assert data["tag"] not in about["tags"], f"{data['tag']} is gained twice"
            about["tags"].add(data["tag"])
        elif type_ == "tag.dropped":
            about["tags"].remove(data["tag"])
        elif type_ == "customer.numbered":
            assert "number" not in about, "a customer has two numbers"
            about["number"] = data["number"]
    return said
