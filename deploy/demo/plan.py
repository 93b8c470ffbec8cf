"""Everything of the replay in the order of time, cut into request bodies.

The same package, shift and mode give the same bytes.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from deploy.demo.baskets import Baskets, Lines, Writer, together
from deploy.demo.events import Written
from deploy.demo.extras import Basket, made_up
from deploy.demo.households import campaigns_sent, coupons_redeemed, described
from deploy.demo.shift import Shift, on_the_wall

BODY_BYTES = 3_500_000  # the door takes 4 MiB
WINDOW_BATCHES = 32  # written at a time: a few MB of temporaries instead of hundreds


@dataclass(frozen=True)
class Batch:
    """One request. The checksum tells a batch that was acknowledged from one that only looks so."""

    number: int
    events: int
    body: bytes

    @property
    def checksum(self) -> int:
        """CRC-32 of the body."""
        return crc32(self.body)


@dataclass(frozen=True)
class Plan:
    """All batches, and one real household to show: the one with the most baskets."""

    batches: Sequence[Batch]
    household: str

    @property
    def events(self) -> int:
        """Number of events in all batches."""
        return sum(batch.events for batch in self.batches)


def prepare(lines: Lines, shift: Shift, *, batch_events: int) -> Plan:
    """Write every event of the chosen households into batches of at most `batch_events`."""
    baskets = together(lines)
    households = _by_household(baskets)
    others = _others(households, on_the_wall(lines.last_utc), shift)
    windows = _in_order(baskets, others, shift, WINDOW_BATCHES * batch_events)
    bodies = chain.from_iterable(_cut(window, batch_events) for window in windows)
    return Plan(
        batches=[Batch(number, events, body) for number, (events, body) in enumerate(bodies)],
        household=str(max(households, key=lambda household: len(households[household]))),
    )


def _by_household(baskets: Baskets) -> dict[int, list[Basket]]:
    """Each household's baskets in the order of time."""
    found: dict[int, list[Basket]] = defaultdict(list)
    columns = (baskets.household, baskets.id, baskets.store, baskets.utc)
    for household, basket, store, utc in zip(*(c.tolist() for c in columns), strict=True):
        found[household].append(Basket(str(basket), str(store), on_the_wall(utc)))
    return dict(found)


def _others(
    households: Mapping[int, Sequence[Basket]], end: datetime, shift: Shift
) -> list[Written]:
    """Everything that is not a basket, in the order of time."""
    firsts = {household: baskets[0].at for household, baskets in households.items()}
    happenings = chain(
        described(firsts),
        campaigns_sent(firsts),
        coupons_redeemed(firsts),
        made_up(households, end),
    )
    return sorted(happening.write(shift) for happening in happenings)


def _in_order(
    baskets: Baskets, others: Sequence[Written], shift: Shift, window: int
) -> Iterator[Any]:
    """Merge both by time, a window of JSON texts at a time; of one moment, baskets come last."""
    writer = Writer(baskets, shift)
    bought_at = shift.instants(baskets.utc)
    instants = np.concatenate(([other.instant for other in others], bought_at))
    order = np.argsort(instants, kind="stable")
    for start in range(0, len(order), window):
        here = order[start : start + window]
        rest, bought = here[here < len(others)], here[here >= len(others)] - len(others)
        texts = [pa.array([others[index].text for index in rest.tolist()], pa.string())]
        if len(bought):  # both kinds are in order, so what falls into a window is one stretch
            texts.append(writer.write(int(bought[0]), int(bought[-1]) + 1))
        yield pa.concat_arrays(texts).take(pa.array(_ranks(here)))


def _ranks(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Where each value stands among the sorted values."""
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[np.argsort(values)] = np.arange(len(values))
    return ranks


def _cut(texts: Any, batch_events: int) -> Iterator[tuple[int, bytes]]:
    """Bodies of at most so many events and `BODY_BYTES`, as JSON lists, with their lengths."""
    ends = np.cumsum(pc.binary_length(texts).to_numpy() + 1)
    start = 0
    while start < len(texts):
        sent = int(ends[start - 1]) if start else 0
        fits = int(np.searchsorted(ends, sent + BODY_BYTES, side="right"))
        stop = max(start + 1, min(start + batch_events, fits, len(texts)))
        whole = pa.ListArray.from_arrays([0, stop - start], texts[start:stop])
        yield stop - start, b"[%b]" % pc.binary_join(whole, ",")[0].as_buffer().to_pybytes()
        start = stop
