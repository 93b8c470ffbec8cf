"""Made-up complaints, service calls and surveys, which the real data does not have.

All of it has the source "demo" and ids that begin with `demo-`. Every household draws from a
generator of its own, seeded by its number: the same household gets the same events in every run,
with however many others. About one household in twenty complains, one in twelve calls, one in
eight answers surveys; who complained is asked afterwards and is harder to please. Nothing happens
after the data ends, so the latest complaints are still open.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from deploy.demo.events import MADE_UP, Happening

SEED = 20170101

COMPLAINS, COMPLAINS_AGAIN = 0.05, 0.2
CALLS, CALLS_AGAIN = 0.08, 0.3
ANSWERS_SURVEYS = 0.12

COMPLAINTS = {
    "product_quality": "Bought fresh, spoiled by the next day.",
    "checkout": "Charged twice for one item at the checkout.",
    "price": "The shelf price and the receipt do not agree.",
    "staff": "Waited long at the counter and was sent away.",
    "availability": "The advertised offer was sold out by noon.",
}
SEVERITIES, SEVERITY_WEIGHTS = ("low", "medium", "high", "critical"), (40, 40, 16, 4)
RESOLUTIONS = ("refunded", "replaced", "voucher", "explained")
CALL_SUBJECTS = ("opening hours", "loyalty card", "missing coupon", "product range", "receipt copy")
CALL_OUTCOMES = ("answered", "answered", "answered", "call back", "passed on")
CSAT_WEIGHTS, CSAT_WEIGHTS_AFTER_COMPLAINT = (2, 4, 12, 40, 42), (15, 20, 25, 25, 15)
NPS_WEIGHTS = (1, 1, 1, 2, 2, 6, 8, 16, 24, 20, 19)


class Basket(NamedTuple):
    """A real basket that something made up refers to."""

    order_id: str
    store: str
    at: datetime  # aware, New York's


def made_up(baskets: Mapping[int, Sequence[Basket]], end: datetime) -> Iterator[Happening]:
    """What is made up for each household with these baskets, up to `end`; unordered."""
    for household in sorted(baskets):
        story = Story(household, baskets[household])
        yield from (happening for happening in story.tell() if happening.at <= end)


class Story:
    """What one household goes through."""

    def __init__(self, household: int, baskets: Sequence[Basket]) -> None:
        self._household = household
        self._baskets = baskets
        self._random = Random(f"{SEED}:{household}")  # noqa: S311 - a story, not a secret

    def tell(self) -> Iterator[Happening]:
        """Every event of the story. Always draws in the same order."""
        draw = self._random
        complaints = _times(draw, COMPLAINS, COMPLAINS_AGAIN)
        for number in range(1, complaints + 1):
            yield from self._complaint(number)
        for number in range(1, _times(draw, CALLS, CALLS_AGAIN) + 1):
            yield self._call(number)
        if draw.random() < ANSWERS_SURVEYS:
            yield from self._surveys(displeased=complaints > 0)

    def _happening(self, name: str, kind: str, at: datetime, data: dict[str, Any]) -> Happening:
        return Happening(f"demo-{name}-{self._household}", MADE_UP, kind, self._household, at, data)

    def _complaint(self, number: int) -> Iterator[Happening]:
        draw, basket = self._random, self._random.choice(self._baskets)
        complaint = {"complaint_id": f"demo-{self._household}-{number}"}
        category = draw.choice(list(COMPLAINTS))
        severity = draw.choices(SEVERITIES, SEVERITY_WEIGHTS)[0]
        opened = self._working_hours(basket.at, 1, 4)
        answered = self._working_hours(opened, 0, 3)
        escalated = self._working_hours(answered, 0, 3)
        resolved = self._working_hours(escalated, 1, 10)
        is_answered, is_escalated, is_resolved = (
            draw.random() < 0.93,
            draw.random() < (0.5 if severity in {"high", "critical"} else 0.06),
            draw.random() < 0.92,
        )
        resolution, agent = draw.choice(RESOLUTIONS), f"agent-{draw.randint(1, 6)}"
        score = draw.choices(range(1, 6), CSAT_WEIGHTS_AFTER_COMPLAINT)[0]
        name = f"complaint-{number}"
        yield self._happening(
            f"{name}-opened", "complaint.opened", opened,
            {**complaint, "category": category, "severity": severity, "order_id": basket.order_id,
             "store": basket.store, "description": COMPLAINTS[category]},
        )  # fmt: skip
        if not is_answered:
            return
        yield self._happening(
            f"{name}-answered", "complaint.answered", answered,
            {**complaint, "by": agent, "note": "Apologised and looked into it."},
        )  # fmt: skip
        if is_escalated:
            yield self._happening(
                f"{name}-escalated", "complaint.escalated", escalated,
                {**complaint, "by": agent, "note": "Passed on to the store manager."},
            )  # fmt: skip
        if is_resolved:
            yield self._happening(
                f"{name}-resolved", "complaint.resolved", resolved,
                {**complaint, "by": agent, "resolution": resolution},
            )  # fmt: skip
            yield self._happening(
                f"{name}-csat", "survey.answered", self._working_hours(resolved, 1, 3),
                {"survey_id": "after-complaint", "kind": "csat", "score": score,
                 "order_id": basket.order_id},
            )  # fmt: skip

    def _call(self, number: int) -> Happening:
        draw, basket = self._random, self._random.choice(self._baskets)
        return self._happening(
            f"call-{number}", "interaction.recorded", self._working_hours(basket.at, 0, 6),
            {"kind": "call", "channel": "phone", "direction": "inbound",
             "subject": draw.choice(CALL_SUBJECTS), "outcome": draw.choice(CALL_OUTCOMES),
             "handled_by": f"agent-{draw.randint(1, 6)}", "duration_s": draw.randint(40, 900)},
        )  # fmt: skip

    def _surveys(self, *, displeased: bool) -> Iterator[Happening]:
        draw = self._random
        weights = CSAT_WEIGHTS_AFTER_COMPLAINT if displeased else CSAT_WEIGHTS
        for number in range(1, draw.randint(1, 3) + 1):
            basket = draw.choice(self._baskets)
            yield self._happening(
                f"csat-{number}", "survey.answered", self._working_hours(basket.at, 0, 3),
                {"survey_id": "after-visit", "kind": "csat", "order_id": basket.order_id,
                 "score": draw.choices(range(1, 6), weights)[0]},
            )  # fmt: skip
        score = draw.choices(range(11), NPS_WEIGHTS)[0]
        yield self._happening(
            "nps", "survey.answered", self._working_hours(draw.choice(self._baskets).at, 3, 30),
            {"survey_id": "yearly", "kind": "nps", "score": max(0, score - 4 * displeased)},
        )  # fmt: skip

    def _working_hours(self, after: datetime, first_day: int, last_day: int) -> datetime:
        """Some day from `first_day` to `last_day` later, between 9:00 and 18:00, never before."""
        draw = self._random
        day = after + timedelta(days=draw.randint(first_day, last_day))
        at = day.replace(hour=9, minute=0, second=0) + timedelta(seconds=draw.randrange(9 * 3600))
        return at if at > after else at + timedelta(days=1)


def _times(draw: Random, once: float, again: float) -> int:
    return 0 if draw.random() >= once else 1 + (draw.random() < again)
