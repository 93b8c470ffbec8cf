"""O5: what leaves the house. A message is handed over once and said to be what became of it; whoever wants to be told
of events is told of each, and can know that it was us."""

import base64
import hmac
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import orjson

from tests.chaos.ledger import Erasure, Event, Ledger
from tests.chaos.letters import CAP, MAIL_SECONDS, Received, Taken

Row = Mapping[str, Any]

OUTCOMES = {
    "sent": "message.sent",
    "uncertain": "message.uncertain",
    "failed": "message.failed",
    "withheld": "message.withheld",
    "cancelled": "message.withheld",
}
"""What is said of a message, by how it stands."""
TAKEN, LATER, REFUSED = 250, 451, 550
ALLOWED = {
    TAKEN: {"sent", "uncertain"},
    None: {"uncertain"},
    LATER: {"scheduled", "sending", "uncertain", "withheld", "cancelled"},
    REFUSED: {"failed", "uncertain"},
}
"""How a message may stand, by what the server answered last; who sent it may have died before it was written down."""
UNTOLD = {"scheduled", "sending", "uncertain", "withheld", "cancelled"}
"""The same of a message that never came to the server."""
WAITS_SECONDS = 30.0
"""How long ago something may have been due that is not done."""
CAUGHT_SECONDS = 1.0
"""More than a message takes on its way."""


def is_wanted(type_: str, patterns: Iterable[str]) -> bool:
    return any(
        type_ == one or (one.endswith("*") and type_.startswith(one[:-1])) for one in patterns
    )


def is_ours(one: Received, secret: str) -> bool:
    """Whether one of the signatures is that of whoever has the secret (standardwebhooks.com)."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    head = f"{one.headers.get('webhook-id')}.{one.headers.get('webhook-timestamp')}."
    made = base64.b64encode(hmac.digest(key, head.encode() + one.body, "sha256")).decode()
    return f"v1,{made}" in one.headers.get("webhook-signature", "").split()


class Told:
    """Fed with the log; what came in, and how messages stand, is looked at when everything is quiet."""

    def __init__(self, ledger: Ledger, patterns: Sequence[str]) -> None:
        self._ledger = ledger
        self._patterns = patterns
        self._events: dict[str, Event] = {}
        """Those that somebody wants, by id."""
        self._said: defaultdict[str, list[str]] = defaultdict(list)
        """Of each message."""
        self.wrong: list[str] = []
        self.stands: Counter[str] = Counter()
        """How many messages stood how, and how many webhooks came."""

    def read(self, event: Event) -> None:
        """A line of the log."""
        type_ = event["type"]
        if type_ in OUTCOMES.values():
            self._said[event["data"]["message_id"]].append(type_)
        about = event.get("subject") and event.get("history") is None
        if about and is_wanted(type_, self._patterns):
            self._events[event["id"]] = event

    def _bad(self, what: str) -> None:
        self.wrong.append(f"O5: {what}")

    # Messages ------------------------------------------------------------------------------------

    def check_messages(
        self, taken: Iterable[Taken], rows: Iterable[Row], now: datetime, slack: float
    ) -> None:
        """`rows`: messages as they stand, at `now`. `slack`: seconds by which clocks are apart."""
        found = {str(row["id"]): row for row in rows}
        self.stands = Counter(
            " ".join(filter(None, (row["status"], row["reason"]))) for row in found.values()
        )
        handed: defaultdict[str, list[Taken]] = defaultdict(list)
        for one in taken:
            handed[one.id].append(one)
        for id_ in found.keys() | handed.keys():
            self._check_handed(id_, handed[id_])
            row = found.get(id_)
            if row is not None:
                self._check_row(row, handed[id_], now - timedelta(seconds=WAITS_SECONDS + slack))
            elif not self._gone(handed[id_][0].at):
                self._bad(f"message {id_} was handed over, and nobody knows of it")
        for id_ in self._said.keys() - found.keys():
            self._bad(f"message {id_} is {self._said[id_]} on the log, and nobody knows of it")
        self._check_commands(found, handed)
        self._check_cap(found, handed)
        for erasure in self._ledger.erasures:
            self._check_erased(erasure, found, handed)

    def _gone(self, at: float) -> bool:
        """Whether what was asked for at that time may be gone with campaign's last seconds."""
        return any(one.service == "campaign" and at <= one.until for one in self._ledger.restored)

    def _check_handed(self, id_: str, taken: Sequence[Taken]) -> None:
        for first, second in pairwise(taken):
            if first.code != LATER:
                self._bad(
                    f"message {id_} was handed over again after"
                    f" {first.code or 'an outcome that nobody knows'}: {first}, {second}"
                )

    def _check_row(self, row: Row, taken: Sequence[Taken], late: datetime) -> None:
        id_, status, reason = str(row["id"]), row["status"], row["reason"]
        allowed = ALLOWED[taken[-1].code] if taken else UNTOLD
        unreadable = reason == "unreadable" and self._lost_keys()
        if status not in allowed and not (status == "failed" and unreadable):
            last = taken[-1].code or "nothing" if taken else "never asked"
            self._bad(f"message {id_} is {status} ({reason}); the server answered: {last}")
        since = {"scheduled": row["due_at"], "sending": row["until"]}.get(status)
        if since is not None and since < late:
            self._bad(f"message {id_} is {status} ({reason}) since {since}")
        said = [OUTCOMES[status]] if status in OUTCOMES else []
        if self._said[id_] != said:
            self._bad(f"message {id_} is {status}, and said to be {self._said[id_]}")

    def _lost_keys(self) -> bool:
        return any(one.service == "keyring" for one in self._ledger.restored)

    def _check_commands(self, rows: Mapping[str, Row], handed: Mapping[str, list[Taken]]) -> None:
        """Each was done once, whoever asked how often."""
        letters = {one.command.mark: one for one in self._ledger.letters}
        done = [one for one in letters.values() if one.id]
        ids: defaultdict[str, set[str]] = defaultdict(set)
        for letter in done:
            ids[letter.command.mark].add(letter.id)
        for one in (one for taken in handed.values() for one in taken):
            if one.mark not in letters:
                self._bad(f"nobody asked for what was sent: {one}")
            ids[one.mark].add(one.id)
        for mark, those in ids.items():
            if len(those) > 1:
                self._bad(f"{letters.get(mark)} is {len(those)} messages: {sorted(those)}")
        for letter in done:
            if letter.id not in rows and not self._gone(letter.at):
                self._bad(f"{letter} was acknowledged, and nobody knows of it")
        more = rows.keys() - {one.id for one in done}
        if len(more) > len(letters) - len(done):
            self._bad(f"there are messages that nobody asked for: {sorted(more)}")

    def _check_cap(self, rows: Mapping[str, Row], handed: Mapping[str, list[Taken]]) -> None:
        sent: defaultdict[str, set[str]] = defaultdict(set)
        for id_, row in rows.items():
            may_be_read = any(one.code in {TAKEN, None} for one in handed.get(id_, ()))
            if row["purpose"] == "marketing" and (may_be_read or row["status"] == "sent"):
                sent[str(row["customer_id"])].add(id_)
        for customer, those in sent.items():
            if len(those) > CAP:
                self._bad(f"{customer} was sent {len(those)} of marketing: {sorted(those)}")

    def _check_erased(
        self, erasure: Erasure, rows: Mapping[str, Row], handed: Mapping[str, list[Taken]]
    ) -> None:
        """What was on its way when somebody was erased may arrive, and nothing else."""
        if erasure.done is None:
            return
        late = erasure.done + MAIL_SECONDS + CAUGHT_SECONDS
        for id_, taken in handed.items():
            row = rows.get(id_)
            if row is not None and str(row["customer_id"]) in erasure.wanted:
                for one in taken:
                    if one.at > late:
                        self._bad(f"{erasure} is done, and {one} was sent")

    # Webhooks ------------------------------------------------------------------------------------

    def check_webhooks(
        self, received: Iterable[Received], secret: str, waiting: Iterable[str]
    ) -> None:
        """`waiting`: ids of events of which something is due later."""
        under: defaultdict[str, set[str]] = defaultdict(set)
        of: defaultdict[str, set[str]] = defaultdict(set)
        heard: Counter[str] = Counter()
        for one in received:
            if not is_ours(one, secret):
                self._bad(f"a webhook is signed by somebody else: {one}")
                continue
            event = self._event_of(one)
            if event is not None:
                id_ = one.headers["webhook-id"]
                under[event].add(id_)
                of[id_].add(event)
                heard[event] += one.status == 200
        self.stands["webhooks"] = len(of)
        for what in (under, of):
            for one, others in what.items():
                if len(others) > 1:
                    self._bad(f"{one} came with {sorted(others)}: an event has one webhook-id")
        for id_ in self._events.keys() - +heard - set(waiting):
            event = self._events[id_]
            tried = "was tried" if id_ in under else "was never tried"
            self._bad(f"nobody was told of {event['type']} {id_} of {event['subject']}; it {tried}")

    def _event_of(self, one: Received) -> str | None:
        """The id of the event that came, where it is one that is wanted."""
        said = orjson.loads(one.body)
        told = said["data"]
        event = self._events.get(told["id"])
        if event is None:
            self._bad(f"a webhook tells of {said['type']} {told['id']}, which nobody wants")
            return None
        for name in ("type", "source"):
            if told[name] != event[name]:
                self._bad(f"a webhook tells of {name} {told[name]}, it is {event[name]}: {told}")
        return told["id"]
