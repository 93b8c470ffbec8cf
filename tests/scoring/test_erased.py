"""Who was erased keeps their scores, which name nobody, and stands on no list; nothing is decided about them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.backtest.log import Orders
from services.scoring.projection import SCORES
from services.scoring.projector import State, Told, announce, derive, evolve, merge
from services.scoring.reviewing import Occasion, keep, month_before
from services.scoring.screening.task import everybody
from services.scoring.shadowing import count_moves, list_moved
from services.scoring.train.reading import gather
from shared.language import CustomerEdited, CustomerErased, MatrixReviewed
from shared.loop.folding import decode
from tests.campaign.erasing import as_left, erase
from tests.e2e.test_rebuild import rebuild
from tests.scoring.offering.shops import NOW, about, learnt, order, publish
from tests.scoring.projector.folding import folded, settled
from tests.strategies import clocks, histories, make_event, times
from tests.world import World, world

SOME = settings(max_examples=60)
ERASED = CustomerErased(erasure="e-1", by="privacy.office")

_said = st.one_of(
    st.sampled_from(("a fair", "Han Meimei")).map(
        lambda source: CustomerEdited(changes={"source": source, "owner": "chen.li"}, by="li.na")
    ),
    st.just(MatrixReviewed("2026-01", "overridden", "core", "chen.li", "Her brother works here")),
)


@st.composite
def erased_histories(draw: st.DrawFn) -> tuple[list[Any], list[Any]]:
    """What stands before an erasure and what behind it, the erasure first."""
    said = [
        make_event(draw(_said), time=draw(times), number=900 + n, utcoffset=0, origin="profile")
        for n in range(draw(st.integers(1, 4)))
    ]
    events = draw(st.permutations([*draw(histories()), *said]))
    place = draw(st.integers(0, len(events)))
    erasure = make_event(ERASED, time=draw(times), number=950, origin="profile")
    return events[:place], [erasure, *events[place:]]


@given(erased_histories())
@SOME
def test_what_was_folded_is_what_is_folded_once_the_key_is_gone(history):
    """Also where events behind the erasure are still opened, since their key was remembered for a moment."""
    before, after = history
    live = folded([*before, *after])
    assert live == folded(as_left([*before, *after]))
    assert live.erased
    assert live.came.source is None
    assert live.verdict is None or live.verdict.reason == ""


@given(erased_histories(), clocks)
@SOME
def test_what_stays_is_what_was_done_and_what_it_is_called(history, clock):
    """No class changes, so nothing is announced because of it."""
    before, after = history
    whole, left = folded([*before, *after[1:]]), folded([*before, *after])
    for name in set(State.__struct_fields__) - {"came", "verdict", "erased"}:
        assert getattr(left, name) == getattr(whole, name), name
    one, other = derive(whole, clock, {}), derive(left, clock, {})
    assert (one.erased, other.erased) == (False, True)
    assert SCORES.row(other)[-1] is True
    told = Told()
    for said in announce(told, one):
        told = SCORES.tell(told, said)
    assert announce(told, other) == []


@given(erased_histories(), histories())
@SOME
def test_of_several_parts_each_is_forgotten_by_itself(history, others):
    before, after = history
    erased, named, other = map(folded, ([*before, *after], [*before, *after[1:]], others))
    for whole, was in (
        (merge(erased, other), merge(named, other)),
        (merge(other, erased), merge(other, named)),
    ):
        assert not whole.erased
        assert whole.came.source == other.came.source
        assert settled(whole).orders == settled(was).orders
    assert merge(erased, erased).erased


def test_of_whom_nothing_else_is_known():
    left = derive(evolve(State(), make_event(ERASED)), None, {})
    assert (left.erased, left.churn, left.at, left.due_at) == (True, None, None, None)


# Over a running installation.

REVIEWS = "/v1/matrix/reviews"
END = datetime.now(UTC).replace(day=1, hour=12, minute=0, second=0, microsecond=0)
POLICY = {"matrix": {"by": "absolute", "value_from": "500", "active_from": 1}}
MILK, BREAD, TEA = ("milk", "Dairy"), ("bread", "Bakery"), ("tea", "Drinks")
LANGUAGES = pytest.mark.parametrize(("language", "word"), [("en", "erased"), ("zh", "已被删除")])


@pytest.fixture(scope="module")
async def town(postgres):
    """Keys are forgotten at once: nothing is opened any more as soon as it cannot be."""
    services = ["interaction", "profile", "scoring"]
    async with world(
        postgres, services=services, keyring_seconds=0.001, clock_tick_seconds=0.2
    ) as made:
        assert (await made.client("scoring").put("/v1/policies/scoring", json=POLICY)).is_success
        yield made


async def ask(town: World, path: str, language: str = "en", **params: Any) -> Any:
    answer = await town.client("scoring").get(
        path, params=params, headers={"Accept-Language": language}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def known(town: World, *members: str) -> list[str]:
    return [(await ask(town, f"/v1/scores/member_no:{one}"))["customer_id"] for one in members]


async def listed(town: World, path: str = "/v1/scores", **params: Any) -> set[str]:
    """Who stands on a list; it counts as many."""
    found = await ask(town, path, limit=500, count="true", **params)
    assert found.get("total", len(found["items"])) == len(found["items"])
    return {one["customer_id"] for one in found["items"]}


async def test_the_scores_stay_and_the_customer_stands_on_no_list(town):
    await publish(town, [order("L1", 40, MILK), order("L1", 20, MILK), order("L2", 20, MILK)])
    one, other = await known(town, "L1", "L2")
    before = await ask(town, f"/v1/scores/{one}")
    number = (await town.client("profile").get(f"/v1/customers/{one}")).json()["number"]
    summary = await ask(town, "/v1/scores/summary")
    assert {one, other} <= await listed(town)
    await erase(town, one)

    for reference in (one, number):
        after = await ask(town, f"/v1/scores/{reference}")
        assert timeless(after) == timeless(before) | {"erased": True}
    gone = await town.client("scoring").get("/v1/scores/member_no:L1")
    assert (gone.status_code, gone.json()["code"]) == (404, "customer_not_found")
    for sort in ("-churn.probability", "last_purchase_at", "-rfm.frequency", "-value.spend_year"):
        found = await listed(town, sort=sort)
        assert one not in found
        assert other in found
    band = before["churn"]["band"]
    assert one not in await listed(town, churn_band=band)
    then = await ask(town, "/v1/scores/summary")
    assert then["total"] == summary["total"] - 1
    assert _of_band(then, band) == _of_band(summary, band) - 1


def timeless(score: dict[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in score.items() if name != "at"}


def _of_band(summary: dict[str, Any], band: str) -> int:
    [found] = [one["customers"] for one in summary["by_band"] if one["band"] == band]
    return int(found)


async def test_how_they_stood_is_answered_without_what_was_said_of_them(town):
    then = (NOW - timedelta(days=30)).isoformat()
    told = about("customer.described", "T1", "t1", 60, traits={"source": "Han Meimei"})
    await publish(town, [told, order("T1", 10, MILK)])
    [one] = await known(town, "T1")
    was = await ask(town, f"/v1/scores/{one}", as_of=then)
    assert (was["erased"], was["prospect"]["source"]) == (False, "Han Meimei")
    await erase(town, one)
    for basis in ("business", "recorded"):
        at = then if basis == "business" else datetime.now(UTC).isoformat()
        found = await ask(town, f"/v1/scores/{one}", as_of=at, basis=basis)
        assert found["erased"] is True
        assert "Han Meimei" not in str(found)
    assert found["rfm"]["frequency"] == 1
    assert found["rfm"]["monetary"]["amount"] == "10.00"


async def test_prospects_are_not_named_and_sources_count_as_before(town):
    told = [
        about("customer.described", f"P{n}", f"p{n}", 30, traits={"source": "a fair"})
        for n in (1, 2)
    ]
    await publish(town, told)
    one, other = await known(town, "P1", "P2")
    edited = await town.client("profile").patch(f"/v1/customers/{one}", json={"name": "李雷"})
    assert edited.is_success, edited.text
    await town.settled()
    before = await ask(town, "/v1/prospects/summary")
    assert await listed(town, "/v1/prospects", source="a fair") == {one, other}
    seen = await counted(town)
    await erase(town, one)
    assert await listed(town, "/v1/prospects", source="a fair") == {other}
    assert one not in await listed(town, "/v1/prospects")
    assert (await ask(town, "/v1/prospects/summary"))["total"] == before["total"] - 1
    found = await ask(town, f"/v1/scores/{one}")
    assert (found["erased"], found["prospect"]["source"]) == (True, None)
    assert found["prospect"]["first_seen_on"] is not None
    assert await counted(town) == seen, "what is fitted, and how many came, do not change"


async def counted(town: World) -> tuple[int, int]:
    """Those whom prospects are fitted on, and those whom sources are counted over."""
    async with town.kernels["scoring"].database.read() as conn:
        cohort = await everybody(conn)
    items = (await ask(town, "/v1/sources", limit=500))["items"]
    return len(cohort.seen), sum(one["seen"] for one in items)


async def reviewed(town: World, clock: datetime) -> str:
    async with town.kernels["scoring"].database.transaction() as conn:
        await keep(conn, Occasion(month_before(clock), clock))
    return month_before(clock)


async def test_reviews_name_nobody_who_was_erased(town):
    members = [f"V{n}" for n in range(1, 5)]
    await publish(town, [order(one, 3, MILK) for one in members])
    ids = await known(town, *members)
    total = {"amount": "600.00", "currency": "CNY"}
    async with town.kernels["scoring"].database.transaction() as conn:
        await conn.execute("DELETE FROM matrix_review")
    await reviewed(town, END)
    await publish(town, [order(one, 2, MILK, total=total) for one in members])
    assert set(ids) <= await listed(town, f"{REVIEWS}/current")
    cells = (await ask(town, f"{REVIEWS}/current"))["customers"]
    await erase(town, ids[0])
    now = await listed(town, f"{REVIEWS}/current")
    assert (set(ids) - now, ids[0] in now) == ({ids[0]}, False)
    assert (await ask(town, f"{REVIEWS}/current"))["customers"] == cells - 1

    month = await reviewed(town, END + timedelta(days=70))
    moved = await ask(town, f"{REVIEWS}/{month}")
    assert moved["customers"] == cells - 1
    found = {one["customer_id"] for one in moved["items"]}
    assert (set(ids) - found, moved["moved"]) == ({ids[0]}, len(found))
    async with town.kernels["scoring"].database.read() as conn:
        stands = await conn.fetch("SELECT customer_id FROM matrix_standing")
    assert UUID(ids[0]) not in {one["customer_id"] for one in stands}
    await erase(town, ids[1])
    after = await ask(town, f"{REVIEWS}/{month}")
    assert {one["customer_id"] for one in after["items"]} == found - {ids[1]}
    assert after["moved"] == moved["moved"], "how many moved stays as it was found"
    assert ids[1] not in await listed(town, f"{REVIEWS}/current"), "nobody has left their cell"


@LANGUAGES
async def test_nothing_is_decided_about_them(town, language, word):
    member = f"D{language}"
    await publish(town, [order(member, 3, MILK)])
    [one] = await known(town, member)
    place, client = f"{REVIEWS}/current/{one}", town.client("scoring")
    said = {"matrix": "core", "reason": "Her brother works here"}
    assert (await client.post(f"{place}/override", json=said)).is_success
    await town.settled()
    await erase(town, one)
    headers = {"Accept-Language": language}
    for path, body in (("override", said), ("confirm", {"reason": "Checked"})):
        answer = await client.post(f"{place}/{path}", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (409, "customer_erased")
        assert word in answer.json()["message"]
    left = await ask(town, place)
    assert (left["erased"], left["matrix"]["class"]) == (True, "core")
    assert left["matrix"]["override"]["reason"] == "", "what was written of them is gone"


@LANGUAGES
async def test_nothing_is_offered_to_them(town, language, word):
    members = [f"O{language}{n}" for n in range(1, 9)]
    events = [
        order(one, days, MILK, BREAD, *([TEA] if n % 2 else []))
        for n, one in enumerate(members, start=1)
        for days in (70 - n, 42 - n, 14)
    ]
    await publish(town, events)
    ids = await known(town, *members)
    await learnt(town, f"/v1/recommendations/{ids[0]}")
    audience = "/v1/recommendations/audience/tea"
    found = [item["customer_id"] for item in (await ask(town, audience, limit=500))["items"]]
    one = next(customer for customer in found if customer in ids)
    before = await ask(town, f"/v1/recommendations/{one}")
    assert before["erased"] is False
    assert before["again"]
    await erase(town, one)
    rest = [item["customer_id"] for item in (await ask(town, audience, limit=500))["items"]]
    assert rest == [customer for customer in found if customer != one]
    after = await ask(town, f"/v1/recommendations/{one}", language)
    assert (after["erased"], after["again"], after["new"], after["left_out"]) == (True, [], [], [])
    assert word in after["note"]


async def test_a_trial_and_a_shadow_leave_them_out(town):
    await publish(town, [order("S1", 3, MILK), order("S2", 3, MILK)])
    one, other = await known(town, "S1", "S2")
    path = "/v1/policies/scoring?dry_run=true"
    tried = (await town.client("scoring").put(path, json=POLICY)).json()["tried"]
    database = town.kernels["scoring"].database

    async def shadowed() -> tuple[int, int, set[UUID]]:
        async with database.transaction() as conn:
            await conn.execute(
                "UPDATE score SET shadow_version = 9, shadow_probability = 0.5,"
                " shadow_band = CASE churn_band WHEN 'high' THEN 'low' ELSE 'high' END"
                " WHERE customer_id = ANY($1)",
                [UUID(one), UUID(other)],
            )
        async with database.read() as conn:
            moves = await count_moves(conn, 9)
            return (
                moves.customers,
                moves.moved,
                {x.customer_id for x in await list_moved(conn, 9, None, 9)},
            )

    buyers, moved, named = await shadowed()
    assert (moved, named) == (2, {UUID(one), UUID(other)})
    await erase(town, one)
    assert await shadowed() == (buyers - 1, 1, {UUID(other)})
    again = (await town.client("scoring").put(path, json=POLICY)).json()["tried"]
    assert again == tried - 1


async def test_what_is_learnt_from_the_log_needs_no_key(town):
    """Trainings and backtests read it as it stands: the same before and after, and nothing is unreadable."""
    told = about("customer.described", "K1", "k1", 60, traits={"name": "Han Meimei"})
    await publish(town, [told, *(order("K1", days, MILK, BREAD) for days in (30, 20))])
    [one] = await known(town, "K1")
    before = await read_off(town)
    unread, purchases, *_ = before
    assert unread == 0 < purchases
    await erase(town, one)
    assert await read_off(town) == before


async def read_off(town: World) -> tuple[Any, ...]:
    """What trainings read: events that are lost on them, purchases, money; and backtests: lines of orders."""
    log = town.kernels["scoring"].log
    facts = (await gather(log, await log.ends("customers"))).facts()
    orders = Orders()
    for partition, end in (await log.ends("customers")).items():
        for record in await log.read("customers", partition, 0, events=end, size=8 << 20, wait=1):
            orders.fold(decode(record))
    lines = {key: lines for key, lines in orders.lines.items() if key in orders.counted}
    return facts.unread, len(facts.purchases), len(facts.money), lines


async def test_rows_made_anew_are_the_same(town):
    await publish(town, [order("R1", 3, MILK), about("customer.described", "R2", "r2", traits={})])
    ids = await known(town, "R1", "R2")
    for one in ids:
        path = f"/v1/customers/{one}"
        edited = await town.client("profile").patch(path, json={"source": "Han Meimei"})
        assert edited.is_success, edited.text
    await town.settled()
    assert (await ask(town, f"/v1/scores/{ids[1]}"))["prospect"]["source"] == "Han Meimei"
    await erase(town, *ids)
    before = await rows(town)
    await rebuild(town, "scoring")
    await town.settled()
    after = await rows(town)
    for one in map(UUID, ids):
        assert after[one] == before[one]
        assert after[one][0].erased
    assert all(after[one][0] == state for one, (state, *_) in before.items())


async def rows(town: World) -> dict[UUID, tuple[Any, ...]]:
    state = msgspec.msgpack.Decoder(State).decode
    async with town.kernels["scoring"].database.read() as conn:
        found = await conn.fetch("SELECT customer_id, state, view, erased, source FROM score")
    return {
        one["customer_id"]: (state(one["state"]), one["view"], one["erased"], one["source"])
        for one in found
    }


async def test_customers_that_are_one_are_erased_part_by_part(town):
    await publish(town, [order("B1", 30, MILK), order("B2", 20, MILK)])
    one, other = await known(town, "B1", "B2")
    merged = await town.client("profile").post("/v1/merges", json={"parts": [one, other]})
    assert merged.is_success, merged.text
    await town.settled()
    whole = await ask(town, f"/v1/scores/{one}")
    head = whole["customer_id"]
    part = other if head == one else one
    await erase(town, head)
    left = await ask(town, f"/v1/scores/{part}")
    assert (left["erased"], left["rfm"]["frequency"]) == (False, 2)
    assert head in await listed(town)
    await erase(town, part)
    for reference in (one, other):
        gone = await ask(town, f"/v1/scores/{reference}")
        assert (gone["customer_id"], gone["erased"]) == (head, True)
        assert gone["rfm"] == left["rfm"]
    assert head not in await listed(town)
