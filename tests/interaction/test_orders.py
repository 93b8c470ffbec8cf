"""Settling orders: whatever comes in which order, consumers end with the same sums."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.interaction.orders import Fact, Order, Told, order_key, settle
from shared import codec
from shared.language import Contribution, effect
from shared.language.money import major

START = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
ALICE, BOB, CAROL = (f"01890000-0000-7000-8000-00000000000{n}" for n in (1, 2, 3))


def at(day: int) -> datetime:
    return START + timedelta(days=day)


def event_id(number: int) -> str:
    return f"01890000-0000-7000-9000-{number:012d}"


def money(minor: int, currency: str = "CNY") -> dict[str, str]:
    return {"amount": major(minor, currency), "currency": currency}


def fact(number: int, type_: str, day: int, customer: str, **data: object) -> Fact:
    return Fact(
        event_id(number),
        f"purchase.{type_}",
        at(day),
        480,
        customer,
        orjson.dumps({"order_id": "A-1", **data}),
    )


def bought(number: int, day: int, minor: int, customer: str = ALICE, **data: object) -> Fact:
    return fact(number, "completed", day, customer, total=money(minor), **data)


def refunded(number: int, day: int, minor: int, customer: str = ALICE, **data: object) -> Fact:
    return fact(number, "refunded", day, customer, amount=money(minor), **data)


def cancelled(number: int, day: int, customer: str = ALICE) -> Fact:
    return fact(number, "cancelled", day, customer)


@dataclass
class Consumers:
    """What consumers hold who only subtract `before` and add `after`, per customer."""

    held: Counter[tuple[str, bytes]] = field(default_factory=Counter)

    def hear(self, told: Told, cause: Fact) -> None:
        """Through the log's own spelling, as a projection meets it."""
        value = codec.encode(
            id=cause.event_id,
            type=told.type,
            subject=told.customer,
            time=cause.time,
            receivedtime=cause.time,
            utcoffset=cause.utcoffset,
            source="shop",
            sourceid="s-1",
            data=told.data,
        )
        event = codec.decode(
            value, origin="interaction", sequence=1, partition=0, offset=0, recordedtime=cause.time
        )
        settled = effect(event)
        if settled.before is not None:
            self.held[told.customer, msgspec.json.encode(settled.before)] -= 1
        if settled.after is not None:
            self.held[told.customer, msgspec.json.encode(settled.after)] += 1
        assert min(self.held.values(), default=0) >= 0, "taken away what was never told"

    def orders(self) -> dict[str, Contribution]:
        """Customer -> what they hold; an order is one customer's alone."""
        held = {key: count for key, count in self.held.items() if count}
        assert set(held.values()) <= {1}
        found = {
            customer: msgspec.json.decode(value, type=Contribution) for customer, value in held
        }
        assert len(found) == len(held)
        return found


def run(facts: Sequence[Fact]) -> tuple[Order, dict[str, Contribution], list[Told]]:
    order, consumers, everything = Order(), Consumers(), []
    for one in facts:
        order, told = settle(order, one)
        for event in told:
            consumers.hear(event, one)
        everything += told
    return order, consumers.orders(), everything


def spend(facts: Sequence[Fact]) -> tuple[int, dict[str, int]]:
    """(orders counted, spend) of the one customer who holds the order."""
    _, held, _ = run(facts)
    [counts] = held.values()
    return counts.orders, counts.spend


def settled_of(told: Told) -> dict[str, object]:
    return orjson.loads(told.data)["settled"]


def test_an_order_that_comes_once_passes_as_it_was_sent():
    sent = bought(1, 0, 3580)
    order, held, told = run([sent])
    assert told == [Told("purchase.completed", ALICE, sent.data)]
    assert held[ALICE].spend == {"CNY": 3580}
    assert (order.told, order.customer) == (held[ALICE], ALICE)


def test_the_same_order_again_corrects_it():
    _, held, told = run([bought(1, 0, 3580), bought(2, 1, 3000)])
    assert [one.type for one in told] == ["purchase.completed", "purchase.corrected"]
    assert (held[ALICE].orders, held[ALICE].spend) == (1, {"CNY": 3000})
    assert held[ALICE].time == at(1)
    assert settled_of(told[1])["before"]["spend"] == {"CNY": 3580}


def test_an_older_version_that_comes_late_changes_nothing():
    _, held, told = run([bought(2, 1, 3000), bought(1, 0, 3580)])
    assert held[ALICE].spend == {"CNY": 3000}
    assert told[1].type == "purchase.corrected"
    assert settled_of(told[1])["before"] == settled_of(told[1])["after"]


def test_refunds_reduce_and_may_go_below_zero():
    assert spend([bought(1, 0, 3000), refunded(2, 1, 1000)]) == (1, {"CNY": 2000})
    assert spend([bought(1, 0, 3000), refunded(2, 1, 3000)]) == (1, {"CNY": 0})
    assert spend([bought(1, 0, 3000), refunded(2, 1, 4000)]) == (1, {"CNY": -1000})


def test_a_refund_in_another_currency_is_kept_apart():
    back = fact(2, "refunded", 1, ALICE, amount=money(500, "USD"))
    assert spend([bought(1, 0, 3000), back]) == (1, {"CNY": 3000, "USD": -500})


def test_a_refund_named_twice_counts_once_and_its_later_version_holds():
    first, again = refunded(2, 1, 1000, refund_id="R-1"), refunded(3, 2, 800, refund_id="R-1")
    for facts in ([bought(1, 0, 3000), first, again], [bought(1, 0, 3000), again, first]):
        assert spend(facts) == (1, {"CNY": 2200})
    assert spend([bought(1, 0, 3000), first, refunded(3, 2, 800)]) == (1, {"CNY": 1200})


def test_a_refund_before_its_purchase():
    _, held, told = run([refunded(1, 1, 1000)])
    assert (held[ALICE].orders, held[ALICE].spend) == (0, {"CNY": -1000})
    _, held, told = run([refunded(1, 1, 1000), bought(2, 0, 3000)])
    assert (held[ALICE].orders, held[ALICE].spend) == (1, {"CNY": 2000})
    assert [one.type for one in told] == ["purchase.refunded", "purchase.completed"]


def test_a_cancelled_order_counts_for_nothing_whenever_it_was_cancelled():
    facts = [bought(1, 0, 3000), refunded(2, 1, 1000), cancelled(3, 2)]
    for start in range(3):
        _, held, _ = run(facts[start:] + facts[:start])
        assert held == {}
    assert run([cancelled(1, 0)])[1] == {}
    assert run([cancelled(1, 0), bought(2, 5, 3000)])[1] == {}, "also what comes after it"
    assert run([bought(1, 0, 3000), cancelled(2, 1), refunded(3, 2, 500)])[1] == {}


def test_another_customer_takes_the_order_over():
    _, held, told = run([bought(1, 0, 3000), bought(2, 1, 3000, BOB)])
    assert list(held) == [BOB]
    here, away = told[1:]
    assert (away.type, away.customer, away.derived) == ("purchase.corrected", ALICE, True)
    assert settled_of(away).keys() == {"before", "elsewhere"}
    assert (here.type, here.customer, here.derived) == ("purchase.corrected", BOB, False)
    assert settled_of(here).keys() == {"after"}


def test_an_older_version_of_another_customer_takes_nothing():
    _, held, told = run([bought(2, 1, 3000, BOB), bought(1, 0, 3000, ALICE)])
    assert list(held) == [BOB]
    assert [(one.customer, one.derived) for one in told] == [(BOB, False), (ALICE, False)]
    assert settled_of(told[1]) == {}


def test_refunds_and_cancellations_change_it_for_whom_it_belongs_to():
    _, held, told = run([bought(1, 0, 3000), refunded(2, 1, 500, BOB)])
    assert held[ALICE].spend == {"CNY": 2500}
    assert [(one.type, one.customer, one.derived) for one in told[1:]] == [
        ("purchase.refunded", BOB, False),
        ("purchase.refunded", ALICE, True),
    ]
    _, held, told = run([bought(1, 0, 3000), cancelled(2, 1, BOB)])
    assert held == {}
    assert [(one.customer, one.derived) for one in told[1:]] == [(BOB, False), (ALICE, True)]


def test_of_an_unknown_purchase_whoever_was_refunded_first_has_the_refunds():
    first, later = refunded(1, 1, 500, ALICE), refunded(2, 2, 300, BOB)
    for facts in ([first, later], [later, first]):
        _, held, _ = run(facts)
        assert {who: counts.spend for who, counts in held.items()} == {ALICE: {"CNY": -800}}


def test_a_purchase_takes_its_order_from_whoever_was_refunded_before():
    _, held, _ = run([refunded(1, 1, 500, BOB), bought(2, 0, 3000, ALICE)])
    assert list(held) == [ALICE]
    assert held[ALICE].spend == {"CNY": 2500}


def test_what_was_sent_stays_beside_what_it_counts_for():
    sent = bought(2, 1, 3000, items=[{"category": "Tea"}], colour="red")
    _, _, told = run([bought(1, 0, 3580), sent])
    data = orjson.loads(told[1].data)
    assert data.pop("settled")["after"]["categories"] == {"Tea": 1}
    assert data == orjson.loads(sent.data)


def test_an_order_is_a_publishers():
    data = b'{"order_id":"A-1","total":{"amount":"1.00","currency":"CNY"}}'
    assert len(order_key("till", data)) == 16
    assert order_key("till", data) == order_key("till", b'{"order_id": "A-1", "more": [1]}')
    assert order_key("till", data) != order_key("web", data)
    assert order_key("till", data) != order_key("till", b'{"order_id":"A-2"}')


def test_an_order_survives_being_stored():
    order, _, _ = run([bought(1, 0, 3000), refunded(2, 1, 500), bought(3, 2, 2500)])
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(order), type=Order) == order


def test_an_order_that_was_kept_without_its_refunds_customers_is_still_read():
    order, _, _ = run([refunded(1, 1, 500, BOB)])
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(order))
    for line in kept["refunds"].values():
        del line["customer"]
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(kept), type=Order)
    after, told = settle(again, refunded(2, 2, 300, BOB))
    assert (after.customer, [one.customer for one in told]) == (BOB, [BOB])


customers = st.sampled_from((ALICE, BOB, CAROL))
amounts = st.integers(0, 50_000)
baskets = st.fixed_dictionaries(
    {},
    optional={
        "coupons": st.just(["WELCOME"]),
        "channel": st.sampled_from(("store", "online")),
        "store": st.just("7"),
        "items": st.lists(
            st.sampled_from(({"category": "Tea"}, {"category": "Milk"}, {})), max_size=3
        ),
    },
)


@st.composite
def orders(draw: st.DrawFn) -> list[Fact]:
    """Everything that can be said of one order: no two of its events at the same time."""
    days = draw(st.lists(st.integers(0, 400), min_size=1, max_size=7, unique=True))
    facts = []
    for number, day in enumerate(days, 1):
        kind = draw(st.sampled_from("VVVRRC"))
        customer = draw(customers)
        if kind == "V":
            facts.append(bought(number, day, draw(amounts), customer, **draw(baskets)))
        elif kind == "R":
            named = draw(st.sampled_from(({}, {"refund_id": "R-1"}, {"refund_id": "R-2"})))
            back = money(draw(st.integers(1, 9_000)), draw(st.sampled_from(("CNY", "CNY", "USD"))))
            facts.append(fact(number, "refunded", day, customer, amount=back, **named))
        else:
            facts.append(cancelled(number, day, customer))
    return facts


def expected(facts: Sequence[Fact]) -> tuple[int, dict[str, int], datetime] | None:
    """What an order comes to, said in other words: (orders, spend in minor units, time)."""
    if any(one.type == "purchase.cancelled" for one in facts):
        return None
    versions = [one for one in facts if one.type == "purchase.completed"]
    refunds: dict[str, Fact] = {}
    for one in sorted(facts, key=lambda one: one.time):
        if one.type == "purchase.refunded":
            refunds[orjson.loads(one.data).get("refund_id", one.event_id)] = one
    spent: Counter[str] = Counter()
    currencies = set()
    for one in (max(versions, key=lambda one: one.time),) if versions else ():
        total = orjson.loads(one.data)["total"]
        spent["CNY"] += int(total["amount"].replace(".", ""))
        currencies.add("CNY")
    for one in refunds.values():
        back = orjson.loads(one.data)["amount"]
        spent[back["currency"]] -= int(back["amount"].replace(".", ""))
        currencies.add(back["currency"])
    decisive = versions or list(refunds.values())
    time = max(v.time for v in versions) if versions else min(one.time for one in decisive)
    return len(versions[:1]), {currency: spent[currency] for currency in currencies}, time


@given(st.data())
def test_any_order_of_arrival_comes_to_the_same(data: st.DataObject):
    facts = data.draw(orders())
    _, held, _ = run(facts)
    order, again, _ = run(data.draw(st.permutations(facts)))
    assert again == held
    wanted = expected(facts)
    if wanted is None:
        assert (held, order.told) == ({}, None)
        return
    [counts] = held.values()
    assert (counts.orders, counts.spend, counts.time) == wanted
    assert order.told == counts


@given(orders())
def test_the_customer_of_the_latest_version_has_the_order(facts: list[Fact]):
    versions = [one for one in facts if one.type == "purchase.completed"]
    refunds = [one for one in facts if one.type == "purchase.refunded"]
    order, held, _ = run(facts)
    if versions:
        assert order.customer == max(versions, key=lambda one: one.time).customer
    assert set(held) <= {order.customer}
    assert order.customer in {one.customer for one in (versions or refunds or facts)}


@given(orders())
def test_every_fact_is_told_to_whom_it_names_and_beside_it_to_whom_it_changes_something_for(
    facts: list[Fact],
):
    order = Order()
    for one in facts:
        order, told = settle(order, one)
        assert [event.customer for event in told if not event.derived] == [one.customer]
        assert len({event.customer for event in told}) == len(told)
        for event in told:
            settled = orjson.loads(event.data).get("settled", {})
            assert settled.get("elsewhere", False) == event.derived
            assert not event.derived or settled.get("before") != settled.get("after")


def test_the_model_notices_a_version_that_is_counted_twice(monkeypatch):
    """The properties above hold consumers to what they were told, not the resolver to itself."""
    consumers = Consumers()
    sent = bought(1, 0, 3000)
    for _ in range(2):
        consumers.hear(Told("purchase.completed", ALICE, sent.data), sent)
    with pytest.raises(AssertionError):
        consumers.orders()
