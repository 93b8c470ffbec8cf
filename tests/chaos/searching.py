"""Looking for whoever was erased wherever anything is kept, and whether all others are still there."""

import asyncio
import random
import subprocess
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from tests.chaos.forgotten import OF_BROWSERS, Forgotten
from tests.chaos.plant import Plant
from tests.chaos.stores import Answers, in_databases, in_logs

ASKED_AGAIN = 5
"""Of those erased before, how many are asked for again."""
LIVING = 5
REBUILT = ("profile", "interaction")
REBUILD_SECONDS = 120


class Search:
    """Keeps whom it has looked for."""

    def __init__(self, here: Plant, forgotten: Forgotten) -> None:
        self._here = here
        self._forgotten = forgotten
        self._random = random.Random(9)
        self._known: set[str] = set()
        self.new: list[str] = []
        """Parts that were erased since the last time."""

    async def look(self) -> list[str]:
        """Everywhere, as it is."""
        self.new = sorted(self._forgotten.erased.keys() - self._known)
        self._known |= set(self.new)
        return await self._everywhere("as it is")

    async def look_again(self, quiet: Callable[[], Awaitable[object]]) -> list[str]:
        """When the rows are made anew."""
        wrong = await self._rebuilt()
        await quiet()
        return wrong + await self._everywhere("made anew")

    async def _everywhere(self, when: str) -> list[str]:
        forgotten = self._forgotten
        stored = await in_databases(self._here)
        forgotten.check_found(stored, when)
        forgotten.check_found(in_logs(self._here), when)
        if not stored["profile: profile"] & forgotten.living():
            forgotten.wrong.append("O9: nobody is found in the rows of profile")
        answers = Answers(self._here)
        forgotten.check_found(await answers.of_lists(), when)
        before = sorted(forgotten.erased.keys() - set(self.new))
        again = self._random.sample(before, min(len(before), ASKED_AGAIN))
        for part in [*self.new, *again]:
            at = datetime.fromisoformat(forgotten.erased[part][0]["time"])
            then = (at.astimezone(UTC) - timedelta(milliseconds=1)).isoformat()
            forgotten.check_found(await answers.of_customer(part, as_of=then), f"{when}, {part}")
        for identifier in sorted(forgotten.free()):
            browser = identifier.startswith(OF_BROWSERS)
            if found := await answers.finds(identifier, may_be_others=browser):
                forgotten.wrong.append(f"O9: {when}: {identifier} was erased: {found}")
        for identifier, customer in sorted(forgotten.named().items()):
            if missing := await answers.misses(identifier):
                forgotten.wrong.append(f"O9: {when}: {identifier} is {customer}'s: {missing}")
        await self._living(answers)
        wrong, forgotten.wrong = forgotten.wrong + answers.wrong, []
        return wrong

    async def _living(self, answers: Answers) -> None:
        """Of some of the others all is there."""
        forgotten = self._forgotten
        living = forgotten.readable()
        for customer in self._random.sample(sorted(living), min(len(living), LIVING)):
            now = datetime.now(UTC).isoformat()
            found = await answers.of_customer(customer, as_of=now)
            if lacking := living[customer] - found["/v1/timelines/{customer}"]:
                forgotten.wrong.append(f"O9: the timeline of {customer} lacks {sorted(lacking)}")

    async def _rebuilt(self) -> list[str]:
        wrong = []
        for service in REBUILT:
            process = self._here.run(f"services.{service}.rebuild")
            try:
                code = await asyncio.to_thread(process.wait, REBUILD_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                code = -1
            if code:
                said = self._here.said(f"services.{service}.rebuild")
                wrong.append(f"O8: the rebuild of {service}: {code}: {said}")
        return wrong
