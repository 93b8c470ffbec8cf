"""Ids are new and in order, derived and repeatable; partitions never move."""

import os
import time
from collections import Counter
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import ids
from shared.ids import derived_id, new_id, partition_of


def test_new_ids_are_uuid_version_7():
    before = time.time_ns() // 1_000_000
    made = UUID(new_id())
    after = time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, RFC_4122)
    assert before <= made.int >> 80 <= after + 1


def test_new_ids_grow():
    made = [new_id() for _ in range(20_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert all(UUID(one).version == 7 and str(UUID(one)) == one for one in made)


def test_new_ids_grow_when_the_clock_steps_back(monkeypatch):
    source = ids._UuidSource()
    moments = iter([2_000, 2_000, 1_000, 3_000])
    monkeypatch.setattr(ids.time, "time_ns", lambda: next(moments) * 1_000_000)
    made = [source.next() for _ in range(4)]
    assert made == sorted(set(made))
    assert [UUID(one).int >> 80 for one in made] == [2_000, 2_000, 2_000, 3_000]


def test_the_same_millisecond_may_run_over(monkeypatch):
    """All random bits set: the next id moves on to the next millisecond."""
    source = ids._UuidSource()
    monkeypatch.setattr(ids.time, "time_ns", lambda: 7 * 1_000_000)
    monkeypatch.setattr(ids.os, "urandom", lambda size: b"\xff" * size)
    first, second = UUID(source.next()), UUID(source.next())
    assert (first.int >> 80, second.int >> 80) == (7, 8)
    assert (second.version, second.variant) == (7, RFC_4122)


def test_a_forked_process_makes_other_ids(monkeypatch):
    """Also in the same millisecond, and after the same number of ids."""
    source = ids._UuidSource()
    monkeypatch.setattr(ids.time, "time_ns", lambda: 7 * 1_000_000)
    source.next()
    receiving, sending = os.pipe()
    child = os.fork()
    if not child:
        os.write(sending, source.next().encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(receiving, 36).decode()
    os.close(receiving)
    os.close(sending)
    assert UUID(theirs).int >> 80 == 7
    assert theirs != source.next()


def test_derived_ids_repeat():
    cause = "01934b5c-7a00-7000-8000-000000000001"
    assert derived_id(cause, "number") == "df7578e5-97f0-59b4-a83c-e1efbf979cb6"
    assert derived_id(cause, "number") != derived_id(cause, "tag")
    assert derived_id(cause.upper(), "number") == derived_id(cause, "number")
    with pytest.raises(ValueError, match="badly formed"):
        derived_id("A-1", "number")


@pytest.mark.parametrize(
    ("key", "partitions", "expected"),
    [
        ("01934b5c-7a00-7000-8000-000000000001", 8, 3),
        ("01934b5c-7a00-7000-8000-000000000001", 32, 3),
        ("01934b5c-7a00-7000-8000-000000000002", 8, 6),
        ("01934b5c-7a00-7000-8000-000000000002", 32, 14),
    ],
)
def test_partitions_never_move(key, partitions, expected):
    assert partition_of(key, partitions) == expected


@settings(deadline=None)
@given(st.text(), st.integers(1, 64))
def test_every_key_has_a_partition(key, partitions):
    assert 0 <= partition_of(key, partitions) < partitions


def test_partitions_are_even():
    counts = Counter(partition_of(new_id(), 8) for _ in range(8_000))
    assert all(800 < counts[partition] < 1_200 for partition in range(8))
