"""Every metric, declared once, with a sentence each. Labels never carry anything about a customer.

`glossary()` lists them for the documentation; `exposition()` is what /metrics answers. Durations
are in seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    generate_latest,
)

CONTENT_TYPE = CONTENT_TYPE_LATEST

registry = CollectorRegistry(auto_describe=True)
ProcessCollector(registry=registry)
GCCollector(registry=registry)

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIZES = (1, 5, 10, 50, 100, 250, 500, 1000, 2500, 5000, 10000)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the glossary."""

    name: str
    type: str
    labels: tuple[str, ...]
    sentence: str


_entries: list[Entry] = []


def _counter(name: str, sentence: str, labels: Sequence[str]) -> Counter:
    _entries.append(Entry(f"tenure_{name}_total", "counter", tuple(labels), sentence))
    return Counter(f"tenure_{name}", sentence, labels, registry=registry)


def _gauge(name: str, sentence: str, labels: Sequence[str]) -> Gauge:
    _entries.append(Entry(f"tenure_{name}", "gauge", tuple(labels), sentence))
    return Gauge(f"tenure_{name}", sentence, labels, registry=registry)


def _histogram(
    name: str, sentence: str, labels: Sequence[str], buckets: Sequence[float] = _FAST
) -> Histogram:
    _entries.append(Entry(f"tenure_{name}", "histogram", tuple(labels), sentence))
    return Histogram(f"tenure_{name}", sentence, labels, buckets=buckets, registry=registry)


def glossary() -> tuple[Entry, ...]:
    """Every metric of ours, in the order of declaration."""
    return tuple(_entries)


def exposition() -> bytes:
    """All samples in Prometheus' text format."""
    return generate_latest(registry)


events_ingested = _counter(
    "events_ingested",
    "Events answered at the door, by verdict (accepted, duplicate, rejected) and type.",
    ["verdict", "type"],
)
lag_events = _gauge(
    "lag_events",
    "Records of a topic's partition (inbound, backfill, customers) that this service has not folded yet.",
    ["service", "topic", "partition"],
)
lag_seconds = _gauge(
    "lag_seconds",
    "How long the last folded record of a topic's partition had waited; 0 when caught up.",
    ["service", "topic", "partition"],
)
batch_events = _histogram(
    "batch_events",
    "Events in one transaction of the loop.",
    ["service", "topic"],
    _SIZES,
)
batch_seconds = _histogram(
    "batch_seconds",
    "Time from the start of a batch's transaction to its commit.",
    ["service", "topic"],
)
events_folded = _counter(
    "events_folded",
    "Events applied by the loop, repeats not counted.",
    ["service", "topic"],
)
events_repeated = _counter(
    "events_repeated",
    "Records skipped because their sequence number had been seen.",
    ["service", "topic"],
)
announcements = _counter(
    "announcements",
    "Announcements appended, by event type.",
    ["service", "type"],
)
outbox_depth = _gauge(
    "outbox_depth",
    "Rows of an outbox's partition that the log has not acknowledged yet.",
    ["service", "partition"],
)
outbox_acknowledged = _gauge(
    "outbox_acknowledged",
    "Number of the last row of an outbox's partition that the log has acknowledged.",
    ["service", "partition"],
)
relay_batches = _counter(
    "relay_batches",
    "Batches that the relay sent, by outcome (acknowledged, failed).",
    ["service", "outcome"],
)
relay_events = _counter(
    "relay_events",
    "Events that the log has acknowledged to the relay.",
    ["service"],
)
clock_age = _gauge(
    "clock_age_seconds",
    "Wall clock minus the latest clock on the log that this partition has folded.",
    ["service", "partition"],
)
keyring_unreadable = _counter(
    "keyring_unreadable",
    "Events whose personal part the customer's key does not open, though it is there: a keyring that is not this"
    " installation's, or damage.",
    [],
)
quarantined = _counter(
    "quarantined",
    "Entries put aside, by kind (quarantined, parked) and reason code.",
    ["service", "kind", "reason"],
)
quarantine_open = _gauge(
    "quarantine_open",
    "Entries put aside that wait for a person, by kind (quarantined, parked); 10,000 in all are counted.",
    ["service", "kind"],
)
paused = _gauge(
    "paused",
    "1 while a partition has stopped to back off, else 0.",
    ["service", "topic", "partition"],
)
stopped = _gauge(
    "stopped",
    "1 while a partition would have to skip something and does not go on, else 0.",
    ["service", "topic", "partition"],
)
pauses = _counter(
    "pauses",
    "Times that a partition stopped to back off, by cause.",
    ["service", "cause"],
)
ready = _gauge(
    "ready",
    "1 while a worker can do all of its work, as its /readyz says, else 0.",
    ["service"],
)
leases_held = _gauge(
    "leases_held",
    "Partitions that this process owns.",
    ["service"],
)
leases_lost = _counter(
    "leases_lost",
    "Partitions taken over by another process while this one still believed to own them.",
    ["service"],
)
due_rows = _gauge(
    "due_rows",
    "Rows of a partition whose time has come and that have not been derived again yet.",
    ["service", "partition"],
)
drift_checks = _counter(
    "drift_checks",
    "Customers folded again from the log and compared with their row, by outcome (same, differs, skipped).",
    ["service", "outcome"],
)
commands = _counter(
    "commands",
    "Commands by name and outcome (done, replayed, refused).",
    ["service", "command", "outcome"],
)
waits = _histogram(
    "waits_seconds",
    "Time that requests waited for a position, by outcome (reached, late, refused).",
    ["service", "outcome"],
)
learnings = _counter(
    "learnings",
    "Trainings that ended, by kind (churn, offering) and outcome (done, impossible, failed).",
    ["service", "kind", "outcome"],
)
http_requests = _counter(
    "http_requests",
    "HTTP requests answered, by method, route template and status.",
    ["service", "method", "route", "status"],
)
http_seconds = _histogram(
    "http_seconds",
    "Time from the arrival of a request to the end of its answer.",
    ["service", "method", "route"],
)
http_in_flight = _gauge(
    "http_in_flight",
    "HTTP requests being answered at this moment.",
    ["service"],
)
http_body_bytes = _gauge(
    "http_body_bytes",
    "Bytes of the bodies of requests being answered at this moment.",
    ["service"],
)
http_refused = _counter(
    "http_refused",
    "HTTP requests refused or given up: too many at once (requests, bytes), too slow (body, answer).",
    ["service", "reason"],
)
messages = _counter(
    "messages",
    "Messages by purpose (marketing, service) and what became of them (sent, uncertain, failed, withheld, cancelled;"
    " postponed and retried: they are still to be sent).",
    ["purpose", "outcome"],
)
message_seconds = _histogram(
    "message_seconds",
    "Time to hand a message over to the mail server, by outcome (sent, uncertain, failed, retried).",
    ["outcome"],
)
webhook_attempts = _counter(
    "webhook_attempts",
    "Webhooks that were tried to be sent, by outcome (delivered, retried, failed, interrupted).",
    ["outcome"],
)
webhook_seconds = _histogram(
    "webhook_seconds",
    "Time that an attempt to send a webhook took.",
    ["outcome"],
    (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0),
)
webhooks_disabled = _counter(
    "webhooks_disabled",
    "Endpoints of webhooks that were given up, by reason (gone: it answered 410; failing: nothing was taken for days).",
    ["reason"],
)
