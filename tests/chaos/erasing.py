"""Asking that somebody be forgotten, and for the receipt; until there is an answer, under one Idempotency-Key."""

import asyncio
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.chaos.answers import LATER, code_of
from tests.chaos.ledger import Erasure

if TYPE_CHECKING:
    from tests.chaos.generator import Generator

ATTEMPTS = 60
ALL_PARTS, FOR_GOOD = 0.7, 0.4
DONE = "done"


def parts_of(view: dict[str, Any]) -> list[str]:
    """Our ids of all who are one customer, the head first."""
    others = [one if isinstance(one, str) else one["id"] for one in view["merged_from"]]
    return [view["id"], *others]


async def erase(generator: "Generator", name: str, *, for_good: bool = False) -> Erasure | None:
    """Have whoever is called so forgotten, or some of the parts; None where there is nobody to forget.
    `for_good`: nobody sends anything under that name any more."""
    answer = await generator.request("GET", "profile-api", f"/v1/customers/{name}")
    if answer is None or answer.status_code != 200:
        return None
    gone = {part for one in generator.ledger.erasures for part in one.wanted}
    parts = [part for part in parts_of(answer.json()) if part not in gone]
    if not parts:
        return None
    if generator.random.random() > ALL_PARTS:
        parts = generator.random.sample(parts, generator.random.randint(1, len(parts)))
    if for_good:
        generator.lose(name)
    now, at = time.monotonic(), datetime.now(UTC)
    erasure = Erasure(name, tuple(parts), at, now)
    generator.ledger.erasures.append(erasure)
    by_name = len(parts) == 1 and not answer.json()["merged_from"]
    body = {"customer": name} if by_name else {"customer": parts[0], "parts": parts}
    await _ask(generator, erasure, body)
    return erasure


async def _ask(generator: "Generator", erasure: Erasure, body: dict[str, Any]) -> None:
    key = uuid.UUID(int=generator.random.getrandbits(128)).hex
    for _ in range(ATTEMPTS):
        erasure.attempts += 1
        answer = await generator.request(
            "POST", "profile-api", "/v1/erasures", json=body, headers={"Idempotency-Key": key}
        )
        if answer is not None and answer.status_code in {200, 201, 202}:
            erasure.state, erasure.id = "made", answer.json()["id"]
            return
        if answer is not None and answer.status_code not in LATER:
            erasure.state = "refused"
            generator.ledger.outcomes[f"erasure {code_of(answer)}"] += 1
            return
        await asyncio.sleep(generator.random.uniform(0.05, 0.5))


async def look_at_receipts(generator: "Generator") -> bool:
    """Note which erasures are done; answer whether all are."""
    waiting = [one for one in generator.ledger.erasures if one.state == "made" and one.done is None]
    for erasure in waiting:
        answer = await generator.request("GET", "profile-api", f"/v1/erasures/{erasure.id}")
        if answer is not None and answer.status_code == 200 and answer.json()["status"] == DONE:
            erasure.done = time.monotonic()
    if any(one.done is None for one in waiting):
        return False
    # One that was done is not any more where the keyring has its key back.
    answer = await generator.request("GET", "profile-api", "/v1/erasures?status=running")
    return answer is not None and answer.status_code == 200 and not answer.json()["items"]
