"""When a delivery is tried again, and when not."""

from datetime import UTC, datetime, timedelta

import pytest

from services.interaction.webhooks.patterns import TEST
from services.interaction.webhooks.trying import (
    DELAYS,
    Answer,
    Verdict,
    answered,
    asked_for,
    judge,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BOUGHT = "purchase.completed"
REFUSED = answered(500)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_taken(status):
    assert judge(BOUGHT, 1, answered(status), NOW, 0.0) == Verdict("delivered")


@pytest.mark.parametrize(
    "answer",
    [*map(answered, (100, 301, 302, 400, 404, 429, 500, 503)), Answer("timeout"), Answer("tls")],
)
def test_not_taken(answer):
    assert judge(BOUGHT, 1, answer, NOW, 0.0).status == "pending"


def test_the_schedule():
    waits = [judge(BOUGHT, n, REFUSED, NOW, 0.0).next_at - NOW for n in range(1, 10)]
    assert waits == list(DELAYS) == [
        timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2),
        timedelta(hours=5), timedelta(hours=10), timedelta(hours=14), timedelta(hours=20),
        timedelta(hours=24),
    ]  # fmt: skip
    assert judge(BOUGHT, 10, REFUSED, NOW, 0.0) == Verdict("failed")
    assert judge(BOUGHT, 10, answered(200), NOW, 0.0) == Verdict("delivered")


def test_what_failed_together_does_not_come_back_together():
    waits = {judge(BOUGHT, 2, REFUSED, NOW, n / 10).next_at - NOW for n in range(11)}
    assert (len(waits), min(waits), max(waits)) == (11, timedelta(minutes=5), timedelta(minutes=6))


def test_gone_is_for_good():
    assert judge(BOUGHT, 1, answered(410), NOW, 0.0) == Verdict("failed")


def test_a_test_is_tried_once():
    assert judge(TEST, 1, REFUSED, NOW, 0.0) == Verdict("failed")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("Fri, 20 Nov 2026 12:01:00 GMT", 60),
        ("Fri, 20 Nov 2026 11:00:00 GMT", 0),
        ("99999999999999999999", 86400),
        ("Fri, 20 Nov 2099 12:01:00 GMT", 86400),
        *(
            (text, 0)
            for text in ("", "-5", "1.5", "soon", "٣", "Fri, 20 Nov 2026 12:01:00", "1 Jan 0000")
        ),
    ],
)
def test_retry_after(text, seconds):
    assert asked_for(text, NOW) == timedelta(seconds=seconds)


def test_an_endpoint_may_ask_for_more_time_and_not_for_less():
    assert judge(BOUGHT, 1, answered(429, "600"), NOW, 0.0).next_at == NOW + timedelta(minutes=10)
    assert judge(BOUGHT, 3, answered(503, "1"), NOW, 0.0).next_at == NOW + timedelta(minutes=30)
