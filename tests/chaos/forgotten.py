"""O9: nothing that says who somebody was is left anywhere once the receipt says so; and nobody else is forgotten.

Whose a mark is follows from the log: it is the customer's whose event it stands in. A mark that one erased and one
living customer have may stay: whoever comes back is somebody new, with the same identifiers.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from tests.chaos.ledger import Erasure, Event, Key, Ledger, name_of
from tests.chaos.marks import marks_in

SERVICES = {"interaction", "profile", "scoring", "campaign"}
ALONE = ("member_no:",)
"""Who has such a name shares it with nobody."""
OF_BROWSERS = ("cookie:", "anonymous_id:", "device_id:")
"""Such a name may be somebody else's from one day to the next, of which only interaction knows."""
OF_RECORD = {"customer.described", "consent.changed", "customer.edited", "tag.added", "tag.removed"}
"""What a customer who was erased has no more of; what else there was is still counted."""

Found = Mapping[str, set[str]]


class Forgotten:
    """Fed with the log, opened with keys that nobody else has any more."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._marks: defaultdict[str, set[str]] = defaultdict(set)
        """By our id of the customer: in what they, or people about them, have said."""
        self._told: defaultdict[str, set[str]] = defaultdict(set)
        """Those of them that stand on the log."""
        self.lost: set[str] = set()
        """Customers of whom a key is lost."""
        self._identifiers: defaultdict[str, set[str]] = defaultdict(set)
        self._subjects: dict[Key, str] = {}
        self._said: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        """Who has forgotten, by erasure and part."""
        self.erased: dict[str, list[Event]] = {}
        """What the log says of it, by our id of the part."""
        self.wrong: list[str] = []

    def read(self, event: Event, clear: set[str]) -> None:
        """A line of the log; `clear`: marks that anybody can read there."""
        subject = event.get("subject") or ""
        if clear:
            self._bad(f"{event['type']} of {subject} says {sorted(clear)} to everybody on the log")
        if told := marks_in(orjson.dumps(event)):
            self._told[subject] |= told
            self._marks[subject] |= told
        if event["type"] == "customer.erased":
            self.erased.setdefault(subject, []).append(event)
        elif event["type"] == "customer.forgotten":
            told = event["data"]
            self._said[told["erasure"], subject].append(told["service"])
        elif event["type"] == "identifiers.added":
            identifiers = event["data"].get("identifiers", {}).items()
            self._identifiers[subject] |= {f"{type_}:{value}" for type_, value in identifiers}
        key = event["source"], event.get("sourceid", "")
        sent = self._ledger.sent.get(key)
        if sent is not None:
            self._subjects[key] = subject
            self._marks[subject] |= marks_in(orjson.dumps(sent))

    def _bad(self, what: str) -> None:
        self.wrong.append(f"O9: {what}")

    # Marks ---------------------------------------------------------------------------------------

    def gone(self) -> set[str]:
        """Marks that must not stand anywhere."""
        return self._of(self.erased) - self.living()

    def living(self) -> set[str]:
        """Marks of those whom nobody has erased."""
        return self._of(self._marks.keys() - self.erased.keys())

    def readable(self) -> dict[str, set[str]]:
        """Marks in events of living customers that can be opened, by our id."""
        living = self._told.keys() - self.erased.keys() - self.lost
        return {customer: self._told[customer] for customer in living}

    def _of(self, customers: Iterable[str]) -> set[str]:
        return set().union(*(self._marks[customer] for customer in customers))

    def free(self) -> set[str]:
        """Identifiers that only customers have who were erased."""
        living = [self._identifiers[one] for one in self._identifiers.keys() - self.erased.keys()]
        return set().union(*(self._identifiers[one] for one in self.erased)) - set().union(*living)

    def named(self) -> dict[str, str]:
        """Identifiers by which living customers are found, with our id of each."""
        living = self._identifiers.keys() - self.erased.keys() - self.lost
        return {
            identifier: part
            for part in living
            for identifier in self._identifiers[part]
            if not identifier.startswith(OF_BROWSERS)
        }

    def check_found(self, found: Found, where: str) -> None:
        """Nothing of what was found is anybody's who was erased."""
        gone = self.gone()
        for place, marks in found.items():
            if left := marks & gone:
                whose = sorted(one for one in self.erased if self._marks[one] & left)
                self._bad(f"{where}: {place} has {len(left)} marks of {whose}: {sorted(left)[:3]}")

    # What was asked for --------------------------------------------------------------------------

    def check(self, receipts: Iterable[dict[str, Any]], slack: float) -> None:
        """Each erasure was done once, by everybody, and has its receipt; whoever was met again is somebody new.
        `slack`: seconds by which clocks are apart."""
        listed = {one["id"]: one for one in receipts}
        asked_for = {one.id: one for one in self._ledger.erasures if one.id}
        for erasure, parts in self._by_erasure().items():
            known = asked_for.get(erasure) or self._explained_by(erasure, parts)
            if known is None:
                self._bad(f"nobody asked for the erasure {erasure} of {sorted(parts)}")
            elif known.state == "refused":
                self._bad(f"{known} was refused, and done as {erasure}")
            elif set(parts) != set(known.wanted) or set(parts.values()) != {1}:
                self._bad(f"{known} was done to {dict(parts)}")
            self._check_receipt(erasure, set(parts), listed.get(erasure))
        for erasure in asked_for.keys() - self._by_erasure().keys():
            self._bad(f"{asked_for[erasure]} stands nowhere on the log")
        self._check_lives(slack)

    def _by_erasure(self) -> dict[str, Counter[str]]:
        found: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for part, events in self.erased.items():
            for event in events:
                found[event["data"]["erasure"]][part] += 1
        return found

    def _explained_by(self, id_: str, parts: Iterable[str]) -> Erasure | None:
        """Whoever asked for just this, and was not told what became of it."""
        unclear = [one for one in self._ledger.erasures if not one.id]
        for one in sorted(unclear, key=lambda one: one.state == "refused"):
            if set(one.wanted) == set(parts):
                one.id = id_
                return one
        return None

    def _check_receipt(self, id_: str, parts: set[str], receipt: dict[str, Any] | None) -> None:
        if receipt is None:
            self._bad(f"there is no receipt of {id_}")
            return
        told = {one["customer_id"] for one in receipt["parts"]}
        if receipt["status"] != "done" or told != parts:
            self._bad(f"the receipt of {sorted(parts)} says {receipt}")
        for part in parts:
            if lacking := SERVICES - set(self._said[id_, part]):
                self._bad(f"{sorted(lacking)} have not said that they forgot {part}")

    def _check_lives(self, slack: float) -> None:
        """An event that was accepted before somebody was erased is that one's, whenever it is resolved; one that was
        sent after the receipt is somebody new's."""
        lives = self._lives()
        for key, subject in self._subjects.items():
            name = name_of(self._ledger.sent[key])
            sent = self._ledger.first_sent.get(key)
            if name not in lives or sent is None:
                continue
            taken = self._ledger.first_acknowledged.get(key)
            parts = [part for part, _ in lives[name]]
            number = parts.index(subject) if subject in parts else len(parts)
            times = [erasure for _, erasure in lives[name]]
            least = sum(one.done is not None and one.done + slack < sent for one in times)
            most = sum(taken is None or one.asked < taken + slack for one in times)
            if not least <= number <= most:
                who = "nobody who was erased" if number == len(parts) else subject
                self._bad(
                    f"{key} of {name}, sent at {sent:.2f} and taken at {taken}, is of {who}: {times}"
                )

    def _lives(self) -> dict[str, list[tuple[str, Erasure]]]:
        """Who has had each name and was erased, one after the other."""
        of = {one.id: one for one in self._ledger.erasures if one.id}
        found: defaultdict[str, list[tuple[str, Erasure]]] = defaultdict(list)
        for part, events in self.erased.items():
            erasure = of.get(events[0]["data"]["erasure"])
            for name in self._identifiers[part]:
                if name.startswith(ALONE) and erasure is not None:
                    found[name].append((part, erasure))
        for lives in found.values():
            lives.sort(key=lambda one: one[1].asked)
        return found
