"""Events that are few enough to be written one by one."""

from datetime import datetime
from typing import Any, NamedTuple

import orjson

from deploy.demo.shift import Shift

REAL, MADE_UP = "completejourney", "demo"


class Written(NamedTuple):
    """An event as JSON, and what it is ordered by. Instants in seconds of UTC."""

    instant: int
    id: str
    text: str


class Happening(NamedTuple):
    """Something that happened to a household, at an aware time before the shift."""

    id: str
    source: str
    type: str
    household: int
    at: datetime
    data: dict[str, Any]

    def write(self, shift: Shift) -> Written:
        """The event as our own spelling has it, its time moved."""
        at = shift.moved(self.at)
        event = {
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "time": at.isoformat(),
            "customer": {"member_no": str(self.household)},
            "data": self.data,
        }
        return Written(int(at.timestamp()), self.id, orjson.dumps(event).decode())
