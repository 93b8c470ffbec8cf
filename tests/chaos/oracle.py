"""What must be so, told from the ledger alone in plain dictionaries. Shares no code with what it checks.

O1  the log holds each acknowledged event once, of the right customer, and nothing that nobody sent
O2  rows are the fold of what is on the log; numbers are dense and all of them seen
O3  what was told last is so, and nothing was told twice in a row
O4  a command was done once, and of many who wanted what one could have one got it
O5  a message is handed over once, and webhooks tell everything (tests/chaos/told.py)
O7  every piece of poison was put aside once, and nothing else
O9  who was erased is known to nobody any more (tests/chaos/forgotten.py)
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tests.chaos.forgotten import OF_RECORD, Forgotten
from tests.chaos.generator import links_of
from tests.chaos.ledger import USER, Event, Key, Ledger, name_of, names_in
from tests.chaos.observer import ORIGINS, Line, Seen
from tests.chaos.told import Told
from tests.chaos.writing import WANTED

RECORDED = {"purchase.completed", "interaction.recorded"}
"""What is recorded by command."""
TOUCHED = ("interaction.", "complaint.", "survey.")
CLASSES = {
    "lifecycle.changed": "state",
    "score.churn_band_changed": "band",
    "score.rfm_class_changed": "rfm_class",
}
SHARED = ("anonymous_id:", "cookie:")
SHARED_BY = 3
"""Who is one with more customers than the limits of the policy say names nobody any more, nor does who is seen
beside such a one again and again; never one who was seen with fewer than this."""
MEMBERS_BOUGHT = 3
"""The segment that is watched: who has bought at least so often."""


class Oracle:
    """Keeps what it has read of the log from one quiet moment to the next."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._heads: Counter[tuple[str, int]] = Counter()
        self._ids: dict[tuple[str, int, int], str] = {}
        self._published: Counter[Key] = Counter()
        self._subjects: dict[Key, str] = {}
        self._names: defaultdict[str, set[str]] = defaultdict(set)
        """Names by our id of the customer."""
        self._beside: defaultdict[str, set[str]] = defaultdict(set)
        """What each name was seen with, itself among them."""
        self._called: dict[str, str] = {}
        """Whose user id it has, by our id of the customer."""
        self._nameless: dict[str, str] = {}
        """The name that stood alone, by our id of the customer."""
        self._decided: list[Event] = []
        self._asked: set[Key] = set()
        """What was recorded by command."""
        self.forgotten = Forgotten(ledger)
        self.told = Told(ledger, WANTED)
        self._said: defaultdict[str, dict[str, Any]] = defaultdict(lambda: {"tags": set()})
        self._wrong: list[str] = []
        self.repeated = 0
        """Records that stood on the log before."""

    def check(self, seen: Seen) -> list[str]:
        """Everything that is wrong at a quiet moment; empty if nothing is."""
        self.check_log(seen.lines)
        self._o1(seen)
        self._o4()
        self._o5(seen)
        rows = self._rows(seen)
        self._o2(seen, rows)
        self._o3(rows, seen)
        self._o7(seen)
        self._o9(seen)
        return self._wrong

    def check_log(self, lines: Iterable[Line]) -> list[str]:
        """What is wrong with the new lines of the log alone, and what the generator has noticed."""
        self._wrong = list(self._ledger.wrong)
        self._ledger.wrong.clear()
        for line in self._first(lines):
            self._read(line)
        return self._wrong

    def _bad(self, oracle: str, what: str) -> None:
        self._wrong.append(f"{oracle}: {what}")

    # The log -------------------------------------------------------------------------------------

    def _first(self, lines: Iterable[Line]) -> Iterable[Line]:
        """Without repeats: each is the next number of its origin and partition, or one that was there before."""
        for line in lines:
            where = line.origin, line.partition
            id_ = line.event["id"]
            if line.sequence <= self._heads[where]:
                self.repeated += 1
                if self._ids.get((*where, line.sequence), id_) != id_:
                    self._bad("O2", f"{where} has two events under the number {line.sequence}")
                continue
            if line.sequence > self._heads[where] + 1:
                head = self._heads[where]
                self._bad("O2", f"{where} goes from {head} to {line.sequence} on the log")
            self._heads[where] = line.sequence
            self._ids[*where, line.sequence] = id_
            yield line

    def _read(self, line: Line) -> None:
        event = line.event
        type_, data, subject = event["type"], event["data"], event.get("subject") or ""
        self.forgotten.read(event, set(line.clear))
        self.told.read(event)
        if "sealed" in event:
            self._bad("O2", f"{type_} of {subject} is sealed with a key that nobody ever had")
        if not event["source"].startswith("tenure/"):
            key = event["source"], event["sourceid"]
            self._published[key] += 1
            self._subjects[key] = subject
            if key not in self._ledger.sent and event["sourceid"] == event["id"]:
                self._asked.add(key)
                self._decided.append(event)
        elif type_ == "identifiers.added":
            identifiers = data.get("identifiers", {})
            for name in names_in(identifiers):
                self._names[subject].add(name)
            if user_id := identifiers.get("user_id"):
                self._called[subject] = user_id.removeprefix(USER)
        elif type_ in {"tag.added", "tag.removed", "customer.edited"}:
            self._decided.append(event)
        elif type_ in CLASSES:
            self._told_class(CLASSES[type_], subject, data)
        elif type_ in {"tag.gained", "tag.dropped"}:
            held, gained = self._said[subject]["tags"], type_ == "tag.gained"
            if (data["tag"] in held) == gained:
                self._bad("O3", f"{subject}: {type_} {data['tag']} again")
            (held.add if gained else held.discard)(data["tag"])
        elif type_ == "customer.numbered":
            if "number" in self._said[subject]:
                self._bad("O3", f"{subject} has two numbers")
            self._said[subject]["number"] = data["number"]

    def _told_class(self, field: str, subject: str, data: Event) -> None:
        said = self._said[subject]
        if data.get(field) == said.get(field) or data.get("previous") != said.get(field):
            now, before = data.get(field), said.get(field)
            self._bad("O3", f"{subject}: {field} {data.get('previous')} -> {now}, it was {before}")
        said[field] = data.get(field)

    def _o1(self, seen: Seen) -> None:
        ledger = self._ledger
        for event in ledger.sent.values():
            for name in (names := names_in(event["customer"])):
                self._beside[name] |= set(names)
        for key, times in self._published.items():
            if times > 1:
                self._bad("O1", f"{key} stands on the log {times} times")
            if key in self._asked:
                continue
            if key not in ledger.sent:
                self._bad("O1", f"{key} is on the log, and nobody sent it")
            else:
                self._check_subject(key)
            if seen.timeline.get(key, 0) != 1:
                self._bad("O1", f"{key} is {seen.timeline.get(key, 0)} times on the timeline")
        for key in ledger.acknowledged - self._published.keys():
            self._bad("O1", f"{key} was acknowledged and is not on the log")
        owners = Counter(
            name
            for part, names in self._names.items()
            if part not in self.forgotten.erased
            for name in names
            if not _weak(name)
        )
        for name, times in owners.items():
            if times > 1:
                self._bad("O1", f"{name} is {times} customers'")

    def _check_subject(self, key: Key) -> None:
        """An event is the customer's whom it names. A stranger's is also one's whom somebody took them for; and one
        who was taken for too many is nobody's: the other names of the event say whose it is, and where it has none, it
        is a customer's who has no name at all. So is what a cookie does that tells its user id when it is already one
        with somebody of another user id: it is somebody else then, who has the user id, and the cookie from then on."""
        event, subject = self._ledger.sent[key], self._subjects[key]
        name, allowed = name_of(event), {name_of(event)}
        for one in names_in(event["customer"]):
            if _weak(one) or self._may_be_shared(one):
                allowed |= self._taken_for(one)
        if not self._names[subject] and name.startswith(SHARED):
            if self._nameless.setdefault(subject, name) != name:
                self._bad("O1", f"{subject} is {name} and {self._nameless[subject]}")
            if not self._may_be_shared(name) and self._called.get(subject) != name:
                self._bad("O1", f"{key} of {name} is nobody's, who was not taken for many")
        elif not allowed & self._names[subject]:
            self._bad("O1", f"{key} of {name} is {subject}'s ({self._names[subject]})")

    def _may_be_shared(self, name: str) -> bool:
        """Whether somebody, or one seen beside them, was seen with so many that they may name nobody any more."""
        beside = {name, *self._taken_for(name)} if name.startswith(SHARED) else ()
        return any(len(self._taken_for(one)) > SHARED_BY for one in beside)

    def _taken_for(self, name: str) -> set[str]:
        """All names that events say are the same customer's as this one."""
        return self._beside.get(name, {name})

    def _o4(self) -> None:
        marks = Counter(_mark(event) for event in self._decided)
        for race in self._ledger.races:
            won = sum(marks[command.mark] for command in race)
            served = sum(command.done for command in race)
            if not served <= won <= 1:
                self._bad("O4", f"{won} won where one could, {served} were told so: {race}")
        for command in self._ledger.commands:
            times = marks.pop(command.mark, 0)
            most = 1 if command.keyed else max(1, command.attempts)
            if not command.done <= times <= most:
                self._bad("O4", f"{command} was done {times} times")
        marks.pop(None, None)
        for mark in marks:
            self._bad("O4", f"nobody asked for {mark}")

    def _o5(self, seen: Seen) -> None:
        told = self.told
        told.check_messages(seen.taken, seen.messages, seen.at, seen.slack)
        told.check_webhooks(seen.received, seen.secret, seen.waiting)
        self._wrong += told.wrong
        told.wrong.clear()

    # Rows ----------------------------------------------------------------------------------------

    def _rows(self, seen: Seen) -> dict[str, tuple[dict[str, Any], set[str]]]:
        """Customers by id, each with the names that are its own."""
        found, whose = {}, {}
        erased = {row["id"]: row for row in seen.erased.values() if row["status"] == "erased"}
        for row in [*seen.customers, *erased.values()]:
            names = set()
            for part in (row["id"], *_ids(row["merged_from"])):
                names |= self._names[part]
                if part in whose:
                    self._bad("O2", f"{part} belongs to {whose[part]} and to {row['id']}")
                whose[part] = row["id"]
            found[row["id"]] = row, names
        for part in self._names.keys() - whose.keys():
            self._bad("O2", f"{part} ({self._names[part]}) is no customer")
        groups = _joined(links_of(self._ledger))
        for id_, (row, names) in found.items():
            if row["merged_from"] and len({groups.get(name, name) for name in names}) > 1:
                self._bad("O2", f"{id_} is {names}, and nobody said that they are one")
        self._check_merges(whose)
        return found

    def _check_merges(self, whose: dict[str, str]) -> None:
        """One that was made and never touched again holds."""
        part_of = {name: part for part, names in self._names.items() for name in names}
        touched = [m for m in self._ledger.merges if m.state in {"asked", "splitting", "split"}]
        doubtful = {name for merge in touched for name in merge.names}
        erased = {name for part in self.forgotten.erased for name in self._names[part]}
        for merge in self._ledger.merges:
            if merge.state != "made" or doubtful & set(merge.names):
                continue
            # A cookie that named one of the erased, too, went with them: it may be somebody new's.
            if any(self._taken_for(name) & erased for name in merge.names):
                continue
            if len({whose.get(part_of[name]) for name in merge.names if name in part_of}) > 1:
                self._bad("O2", f"{merge} does not hold")

    def _o2(self, seen: Seen, rows: dict[str, tuple[dict[str, Any], set[str]]]) -> None:
        for service, checkpoints in seen.checkpoints.items():
            for partition, numbers in checkpoints.items():
                wanted = [self._heads[origin, partition] for origin in ORIGINS]
                if list(numbers) != wanted:
                    self._bad("O2", f"{service} has seen {numbers} of {partition}, not {wanted}")
        events = self._events_of_parts()
        decided = defaultdict(list)
        for event in self._decided:
            decided[event["subject"]].append(event)
        scores = {score["customer_id"]: score for score in seen.scores}
        for id_, (row, names) in rows.items():
            parts = (id_, *_ids(row["merged_from"]))
            wanted = fold(self._kept(events, parts), self._kept(decided, parts))
            shown = shown_of(row, scores.get(id_), id_ in seen.members)
            unknown = self._unknown(parts, seen)
            for field, value in wanted.items():
                if field not in unknown and shown[field] != value:
                    who = f"{id_} {sorted(names)}"
                    self._bad("O2", f"{who}: {field} is {shown[field]}, it must be {value}")

    def _kept(self, events: Mapping[str, list[Event]], parts: Iterable[str]) -> list[Event]:
        """What still counts of the events of some parts: of those who were erased, nothing of their record."""
        return [
            event
            for part in parts
            for event in events.get(part, ())
            if part not in self.forgotten.erased or event["type"] not in OF_RECORD
        ]

    def _unknown(self, parts: Iterable[str], seen: Seen) -> set[str]:
        """What cannot be told of a customer. Whoever was erased is in no list and no segment; and of whom a key was
        lost, what was sealed with it may be gone."""
        erased = self.forgotten.erased.keys() >= set(parts)
        return ({"frequency", "member"} if erased else set()) | (
            {"name", "owner"} if seen.lost & set(parts) else set()
        )

    def _events_of_parts(self) -> dict[str, list[Event]]:
        """Whose each event is. An order is, with all that became of it, the last buyer's."""
        found: defaultdict[str, list[Event]] = defaultdict(list)
        orders: defaultdict[Key, list[tuple[Event, str]]] = defaultdict(list)
        for key in self._published:
            event = self._ledger.sent.get(key)
            if event is None:
                continue
            if event["type"].startswith("purchase."):
                order = event["source"], event["data"]["order_id"]
                orders[order].append((event, self._subjects[key]))
            else:
                found[self._subjects[key]].append(event)
        for told in orders.values():
            told.sort(key=lambda one: datetime.fromisoformat(one[0]["time"]))
            bought = [one for one in told if one[0]["type"] == "purchase.completed"]
            owner = (bought[-1] if bought else told[0])[1]
            found[owner] += [event for event, _ in told]
        return found

    def _o3(self, rows: dict[str, tuple[dict[str, Any], set[str]]], seen: Seen) -> None:
        scores = {score["customer_id"]: score for score in seen.scores}
        for id_, (row, _) in rows.items():
            parts = {id_, *_ids(row["merged_from"])}
            score, said = scores.get(id_), self._said[id_]
            numbers = {self._said[part].get("number") for part in (id_, *_ids(row["merged_from"]))}
            band = score["churn"]["band"] if score and score["churn"] else None
            rfm_class = score["rfm"]["class"] if score and score["rfm"] else None
            pairs = {
                "state": (said.get("state") or "prospect", row["lifecycle"]["state"]),
                "number": (row["number"] in numbers, True),
                "band": (said.get("band"), band),
                "band in profile": (said.get("band"), row["scores"]["churn_band"]),
                "rfm_class": (said.get("rfm_class"), rfm_class),
                "tags": (
                    said["tags"] - manual(row),
                    {one["tag"] for one in row["tags"] if one["origin"] == "derived"},
                ),
            }
            if parts <= self.forgotten.erased.keys():
                pairs = {what: pairs[what] for what in ("state", "number")}
            for what, (told, true) in pairs.items():
                if told != true:
                    self._bad("O3", f"{id_}: {what} was told as {told} and is {true}")

    def _o7(self, seen: Seen) -> None:
        found: Counter[bytes] = Counter()
        for row in seen.put_aside:
            if row["status"] == "applied":
                continue  # by a version that knows its type
            if row["kind"] == "quarantined" and bytes(row["value"]) in self._ledger.poison:
                found[bytes(row["value"])] += 1
                continue
            what = bytes(row["value"])[:300]
            self._bad("O7", f"{row['service']} has put aside ({row['reason']}): {what!r}")
        for value, what in self._ledger.poison.items():
            if found[value] != 1:
                self._bad("O7", f"{what} was put aside {found[value]} times")

    def _o9(self, seen: Seen) -> None:
        forgotten = self.forgotten
        forgotten.lost = seen.lost
        forgotten.check(seen.receipts, seen.slack)
        listed = {row["id"] for row in seen.customers}
        for part in forgotten.erased:
            if seen.keys.get(part, b"none") is not None:
                self._bad("O9", f"{part} was erased, and the key is not destroyed")
            row = seen.erased.get(part)
            if row is None:
                self._bad("O9", f"{part} was erased, and profile does not know")
                continue
            whole = forgotten.erased.keys() >= {row["id"], *_ids(row["merged_from"])}
            if (row["status"] == "erased") != whole or bool(row.get("erased")) != whole:
                self._bad("O9", f"{part} was erased, and is {row['status']}: {row}")
            if whole and (row["name"] or row["identifiers"] or row["id"] in listed):
                self._bad("O9", f"{part} was erased, and is known: {row}")
        self._wrong += forgotten.wrong
        forgotten.wrong.clear()


def _weak(name: str) -> bool:
    return name.startswith("anonymous_id:")


def _ids(merged_from: list[Any]) -> list[str]:
    return [one if isinstance(one, str) else one["id"] for one in merged_from]


def _mark(event: Event) -> str | None:
    data = event["data"]
    if event["type"] == "customer.edited":
        return data.get("changes", {}).get("owner")
    return data.get("order_id") or data.get("handled_by") or data.get("reason")


def _joined(links: Iterable[tuple[str, ...]]) -> dict[str, str]:
    """The name that stands for all that links lead to, by name."""
    stands: dict[str, str] = {}

    def first(name: str) -> str:
        while stands.get(name, name) != name:
            name = stands[name]
        return name

    for names in links:
        for name in names[1:]:
            stands[first(name)] = first(names[0])
    return {name: first(name) for name in list(stands)}


# The fold ----------------------------------------------------------------------------------------


def fold(events: list[Event], decided: list[Event]) -> dict[str, Any]:
    """What the events of one customer, and what was decided about them, come to."""
    asked = [event for event in decided if event["type"] in RECORDED]
    told = sorted([*events, *asked], key=lambda event: datetime.fromisoformat(event["time"]))
    orders, complaints, consents, surveys = {}, {}, {}, None
    touched = name = None
    for event in told:
        type_, data, at = event["type"], event["data"], _utc(event["time"])
        if type_.startswith("purchase."):
            key = event["source"], data["order_id"]
            order = orders.setdefault(key, {"version": None, "refunds": {}, "cancelled": False})
            if type_ == "purchase.completed":
                order["version"], order["at"] = data, at
            elif type_ == "purchase.refunded":
                order["refunds"][data.get("refund_id", event["id"])] = data["amount"]
            else:
                order["cancelled"] = True
        elif type_.startswith("complaint."):
            complaints[data["complaint_id"]] = type_ != "complaint.resolved"
        elif type_ == "consent.changed":
            consents[data["channel"]] = data["granted"]
        elif type_ == "survey.answered":
            surveys = data["score"]
        elif type_ == "customer.described":
            name = data["traits"].get("name", name)
        if type_.startswith(TOUCHED):
            touched = at
    purchases = _purchases(orders.values())
    return {
        **purchases,
        "open": sum(complaints.values()),
        "complaints": len(complaints),
        "consents": consents,
        "nps": surveys,
        "last interaction": touched,
        "name": name,
        **_by_hand(decided),
        "frequency": purchases["orders"] if purchases["last"] else None,
        "member": purchases["orders"] >= MEMBERS_BOUGHT,
    }


def _purchases(orders: Iterable[dict[str, Any]]) -> dict[str, Any]:
    of: defaultdict[str, list[Any]] = defaultdict(lambda: [0, Decimal(0)])
    count, last = 0, None
    for order in orders:
        if order["cancelled"]:
            continue
        if order["version"] is not None:
            count += 1
            last = max(last or order["at"], order["at"])
            of[order["version"]["total"]["currency"]][1] += Decimal(
                order["version"]["total"]["amount"]
            )
        for refund in order["refunds"].values():
            of[refund["currency"]][1] -= Decimal(refund["amount"])
        if order["version"] is not None:
            of[order["version"]["total"]["currency"]][0] += 1
    spend = {code: sums[1] for code, sums in of.items() if any(sums)}
    main = min(spend, key=lambda code: (-of[code][0], code), default=None)
    return {"orders": count, "spend": spend, "main": main, "last": last}


def _by_hand(decided: list[Event]) -> dict[str, Any]:
    """Of each tag, and of the owner, the latest word; of equal ones the greater id's."""
    tags: dict[str, bool] = {}
    owner = None
    for event in sorted(decided, key=lambda event: (_utc(event["time"]), event["id"])):
        if event["type"] in {"tag.added", "tag.removed"}:
            tags[event["data"]["tag"]] = event["type"] == "tag.added"
        elif event["type"] == "customer.edited":
            owner = event["data"].get("changes", {}).get("owner", owner)
    return {"tags": {tag for tag, on in tags.items() if on}, "owner": owner}


def manual(row: dict[str, Any]) -> set[str]:
    """The tags that somebody gave."""
    return {one["tag"] for one in row["tags"] if one["origin"] == "manual"}


def shown_of(row: dict[str, Any], score: dict[str, Any] | None, member: bool) -> dict[str, Any]:
    """The same of what the services answer."""
    purchases = row["purchases"]
    by_currency = purchases["spend_by_currency"]
    rfm = score["rfm"] if score else None
    return {
        "orders": purchases["count"],
        "spend": {code: Decimal(text) for code, text in by_currency.items()},
        "main": purchases["spend"]["currency"] if purchases["spend"] else None,
        "last": _utc(row["last_purchase_at"]),
        "open": row["complaints"]["open"],
        "complaints": row["complaints"]["total"],
        "consents": {one["channel"]: one["granted"] for one in row["consents"]},
        "nps": row["satisfaction"].get("nps"),
        "last interaction": _utc(row["last_interaction_at"]),
        "name": row["name"],
        "tags": manual(row),
        "owner": row["owner"],
        "frequency": rfm["frequency"] if rfm else None,
        "member": member,
    }


def _utc(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
