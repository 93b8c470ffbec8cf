"""What the door has acknowledged, so that an interrupted replay goes on where it was.

One JSON line a fact, only ever appended. Nothing is forced to disk: a lost line means a batch sent
twice, which the door drops.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from deploy.demo.plan import Batch, Plan


class Finished(NamedTuple):
    """A replay that is over."""

    events: int
    household: str


class Ledger:
    """The progress of one replay."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._acknowledged: dict[int, int] = {}
        self.closed = False
        self.finished: Finished | None = None
        text = path.read_text() if path.exists() else ""
        for line in text.splitlines():
            self._read(line)
        self._path = path
        if text and not text.endswith("\n"):
            self._append("\n")  # the last start was killed in mid-line

    def _read(self, line: str) -> None:
        try:
            fact = json.loads(line)
        except ValueError:
            return  # torn by a kill: as if it had not been acknowledged
        match fact:
            case {"batch": int(number), "checksum": int(checksum)}:
                self._acknowledged[number] = checksum
            case {"closed": True}:
                self.closed = True
            case {"finished": int(events), "household": str(household)}:
                self.finished = Finished(events, household)
            case _:
                return

    def _write(self, **fact: Any) -> None:
        self._append(json.dumps(fact) + "\n")

    def _append(self, text: str) -> None:
        with self._path.open("a") as file:
            file.write(text)

    def has(self, batch: Batch) -> bool:
        """Whether exactly this batch was acknowledged."""
        return self._acknowledged.get(batch.number) == batch.checksum

    def acknowledge(self, batch: Batch) -> None:
        """The door has taken the batch."""
        self._acknowledged[batch.number] = batch.checksum
        self._write(batch=batch.number, checksum=batch.checksum)

    def close(self) -> None:
        """The history has been closed."""
        self.closed = True
        self._write(closed=True)

    def finish(self, plan: Plan) -> None:
        """Everything has caught up."""
        self.finished = Finished(plan.events, plan.household)
        self._write(finished=plan.events, household=plan.household)
