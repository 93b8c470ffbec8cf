"""`/v1/recommendations`: what a customer needs again, what is new to them, what goes together."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from services.scoring import offer_queries as queries
from services.scoring.api import offers
from services.scoring.api.fit_answers import tried
from services.scoring.api.offer_examples import AUDIENCE, RECOMMENDATIONS, TOGETHER
from services.scoring.api.reads import READS, database_of
from services.scoring.baskets.orders import EPOCH, Known, Level, complained_of, known_of
from services.scoring.offer_queries import Learnt, Shopper
from services.scoring.offering.making import ENOUGH, Advice, Prospect, prospects_in
from services.scoring.recommend.recommender import Recommender
from services.scoring.recommend.view import Lists, Reason, Suggestion
from services.scoring.recommend.words import KINDS, explain
from services.scoring.words import OFFERS
from shared.database import ReadConnection
from shared.errors import NotFound
from shared.grouping import parts_of
from shared.http.answers import answer
from shared.http.language import Lang
from shared.http.openapi import Customer, kernel_of, page_of, shown
from shared.http.paging import Page, cut_page, decode_cursor, page_answer
from shared.identity import find_customer
from shared.moments import moment
from shared.words import Language, say

router = APIRouter(prefix="/v1/recommendations", tags=["recommendations"], dependencies=READS)

MOST = 50
LONGEST_EXCUSE = 50
"""Items named that were left out."""
OfLevel = Annotated[Level, Query(description="What is recommended: products or categories.")]
Which = Annotated[
    Literal["again", "new"] | None,
    Query(alias="list", description="Only this list; without it both."),
]
Limit = Annotated[int, Query(ge=1, le=MOST, description="Items of each list.")]
Item = Annotated[
    str,
    Path(description="A product's id, or with `level=category` a category.", examples=["P9"]),
]


@dataclass(frozen=True, slots=True)
class Asked:
    """A customer as they stand: their history at a level, and what not to name."""

    shopper: Shopper
    at: datetime
    today: int
    known: Known
    sore: dict[str, str]


def _asked(shopper: Shopper, level: Level, clock: datetime, zone: str) -> Asked:
    """Days are the customer's own, by the offset of their last order; else the installation's."""
    newest = max((order.time for order in shopper.orders), default=None)
    at = shopper.at or clock
    at = at if newest is None else max(at, moment(newest))
    if shopper.utcoffset is not None:
        today = (at.astimezone(UTC) + timedelta(minutes=shopper.utcoffset)).toordinal()
    else:
        today = at.astimezone(ZoneInfo(zone)).toordinal()
    sore = complained_of(shopper.grievances, shopper.orders)
    if level == "category":
        sore = {
            line.category: sore[line.product]
            for order in shopper.orders
            for line in order.lines
            if line.category is not None and line.product is not None and line.product in sore
        }
    day = today - EPOCH
    return Asked(shopper, at, day, known_of(shopper.orders, level, day), sore)


@router.get(
    "/together/{item:path}",
    responses=shown(page_of(TOGETHER), "What is often bought on the same visit."),
)
async def list_together(
    request: Request,
    item: Item,
    page: Page,
    language: Lang,
    level: OfLevel = "product",
) -> Response:
    """What customers often buy on the same day as this, best first: by how much more often than
    chance would have it. Empty for what is bought too rarely to tell."""
    after = decode_cursor(page.cursor, tuple[int])[0] if page.cursor else 0
    async with database_of(request).read() as conn:
        _, advice = await _of_item(request, conn, level, item)
    found = advice.recommender.together(item, limit=MOST)
    rest = list(enumerate(found, start=1))[max(after, 0) :]
    shown_, next_cursor = cut_page(rest, page.limit, lambda last: (last[0],))
    items = [
        {
            "rank": rank,
            "item": one.item,
            "name": advice.names.get(one.item),
            "visits": one.visits,
            "lift": round(one.lift, 3),
            "confidence": one.confidence,
            "text": say(
                OFFERS,
                "together",
                language,
                percent=round(100 * one.confidence, 1),
                times=round(one.lift, 1),
            ),
        }
        for rank, one in shown_
    ]
    return answer(page_answer(items, next_cursor, len(found) if page.count else None))


@router.get(
    "/audience/{item:path}",
    responses=shown(page_of(AUDIENCE), "Whom to offer it to, the likeliest first."),
)
async def list_audience(
    request: Request,
    item: Item,
    page: Page,
    language: Lang,
    level: OfLevel = "product",
    which: Which = None,
) -> Response:
    """The customers to offer an item to, the likeliest first: at most 200, as they were ranked when
    the model was made. Left out is who has bought it or complained about it since."""
    after = max(decode_cursor(page.cursor, tuple[int])[0], 0) if page.cursor else 0
    async with database_of(request).read() as conn:
        _, advice = await _of_item(request, conn, level, item)
        body = await queries.find_prospects(conn, level, item)
        prospects = list(enumerate(prospects_in(body) if body else [], start=1))
        wanted = [
            (place, one)
            for place, one in prospects
            if place > after and which in {None, _list(one)}
        ]
        ranked = {one[0] for _, one in prospects}
        of = (level, advice.recommender)
        found = await _standing(request, conn, wanted, ranked, item, of, page.limit + 1)
    shown_, next_cursor = cut_page(found, page.limit, lambda last: (last[0],))
    items = [
        {
            "rank": place,
            "customer_id": customer,
            "list": _list(one),
            "label": say(OFFERS, f"list_{_list(one)}", language),
            "score": one[2],
            "chance": one[3],
        }
        for place, customer, one in shown_
    ]
    total = None
    if page.count:
        total = sum(which in {None, _list(one)} for _, one in prospects)
    return answer(page_answer(items, next_cursor, total))


def _list(one: Prospect) -> str:
    return "new" if one[1] else "again"


async def _standing(
    request: Request,
    conn: ReadConnection,
    wanted: Sequence[tuple[int, Prospect]],
    ranked: set[bytes],
    item: str,
    of: tuple[Level, Recommender],
    limit: int,
) -> list[tuple[int, UUID, Prospect]]:
    """The first of these who are still to be asked. Of customers who are one since, the first."""
    kernel, seen = kernel_of(request), set[UUID]()
    level, recommender = of
    found: list[tuple[int, UUID, Prospect]] = []
    for place, one in wanted:
        if len(found) >= limit:
            break
        part = UUID(bytes=one[0])
        parts = await parts_of(conn, part)
        if parts[0] in seen or (parts[0] != part and parts[0].bytes in ranked):
            continue
        seen.add(parts[0])
        shopper = await queries.find_shopper(
            conn, part, kernel.service.version, kernel.settings.partitions
        )
        if shopper is None or shopper.erased:
            continue
        asked = _asked(shopper, level, kernel.clock(), kernel.settings.timezone)
        if item in asked.sore or _bought_since(recommender, asked, item, one):
            continue
        found.append((place, parts[0], one))
    return found


def _bought_since(recommender: Recommender, asked: Asked, item: str, one: Prospect) -> bool:
    """Whether it is new to them no more; or, of what they buy again, was just bought."""
    if one[1]:
        return item in asked.known.last
    return item in recommender.just_bought(asked.known.history, today=asked.today)


async def _of_item(
    request: Request, conn: ReadConnection, level: Level, item: str
) -> tuple[Learnt, Advice]:
    """The model, which knows the item. Raises NotFound."""
    found = await offers.advice(request, conn, level)
    if found is None or item not in found[1].recommender.index:
        raise NotFound("item_not_found")
    return found


@router.get(
    "/{customer}",
    responses=shown(RECOMMENDATIONS, "Both lists, each item with its reason."),
)
async def read_recommendations(
    request: Request,
    customer: Customer,
    language: Lang,
    level: OfLevel = "product",
    which: Which = None,
    limit: Limit = 10,
) -> Response:
    """What the customer may need again, by their own rhythm, and what may be new to them, by what
    goes with what they buy. On neither list is what they just bought or complained about; both are
    named in `left_out`. Who never bought anything is offered what is popular; who was erased is offered
    nothing."""
    kernel = kernel_of(request)
    async with database_of(request).read() as conn:
        shopper = await queries.find_shopper(
            conn,
            await find_customer(conn, customer),
            kernel.service.version,
            kernel.settings.partitions,
        )
        if shopper is None:
            raise NotFound("customer_not_found")
        found = await offers.advice(request, conn, level)
        has_orders = found is not None or await queries.has_orders(conn)
    asked = _asked(shopper, level, kernel.clock(), kernel.settings.timezone)
    content: dict[str, Any] = {
        "customer_id": shopper.customer_id,
        "at": asked.at,
        "level": level,
        "model": None,
        "basis": "nothing",
        "erased": shopper.erased,
        "note": say(OFFERS, _nothing(shopper, has_orders), language),
        "again": [],
        "new": [],
        "left_out": [],
    }
    if found is not None and not shopper.erased:
        learnt, advice = found
        lists, just = await asyncio.to_thread(_ask, advice, asked, limit)
        basis = "own" if asked.known.history.items else "popular"
        content |= {
            "model": model_answer(learnt, level, language),
            "basis": basis,
            "note": _note(learnt, asked, basis, lists, language),
            "again": [_item(one, advice, asked, language) for one in lists.again],
            "new": [_item(one, advice, asked, language) for one in lists.new],
            "left_out": _left_out(advice, asked, just, language),
        }
    if which is not None:
        del content["new" if which == "again" else "again"]
    return answer(content)


def _nothing(shopper: Shopper, has_orders: bool) -> str:
    """Why there is nothing to offer: a code of its words."""
    if shopper.erased:
        return "erased"
    return "not_yet" if has_orders else "no_orders"


def _ask(advice: Advice, asked: Asked, limit: int) -> tuple[Lists, dict[str, int]]:
    history, recommender = asked.known.history, advice.recommender
    just = recommender.just_bought(history, today=asked.today) if history.items else {}
    lists = recommender.for_customer(
        history, today=asked.today, without=set(asked.sore), limit=limit
    )
    return lists, just


def _note(learnt: Learnt, asked: Asked, basis: str, lists: Lists, language: Language) -> str | None:
    if basis == "popular":
        code = "popular" if not asked.shopper.orders else "no_lines"
        return say(OFFERS, code, language)
    if learnt.about["customers"] < ENOUGH:
        return say(OFFERS, "few_customers", language, enough=ENOUGH)
    return None if lists.again or lists.new else say(OFFERS, "nothing_left", language)


def model_answer(learnt: Learnt, level: str, language: Language) -> dict[str, Any]:
    """Which model, made when, and how its ways of ranking did on the last closed 28 days."""
    about = learnt.about
    return {
        "name": f"recommend-{level}@{learnt.version}",
        "version": learnt.version,
        "made_at": learnt.at,
        "trained_to": about["trained_to"],
        "customers": about["customers"],
        "items": about["items"],
        "ranked_by": {"again": about["again_by"], "new": about["new_by"]},
        "quality": tried(learnt, language),
    }


def _item(one: Suggestion, advice: Advice, asked: Asked, language: Language) -> dict[str, Any]:
    catalogue = advice.recommender.model.catalogue
    number = advice.recommender.index[one.item]
    category = int(catalogue.category[number])
    return {
        "rank": one.rank,
        "item": one.item,
        "name": advice.names.get(one.item),
        "category": catalogue.categories[category] if category >= 0 else None,
        "kind": one.kind,
        "label": say(KINDS, one.kind, language),
        "score": round(one.score, 6),
        "chance": one.chance,
        "reason": {
            "code": one.reason.code,
            "text": explain(_named(one.reason, advice), language),
            "params": one.reason.params,
        },
        "evidence": _evidence(one, asked),
    }


def _named(reason: Reason, advice: Advice) -> Reason:
    """People know a product by its name."""
    items = reason.params.get("items")
    if not isinstance(items, list):
        return reason
    named = [advice.names.get(item, item) for item in items]
    return Reason(reason.code, reason.params | {"items": named})


def _evidence(one: Suggestion, asked: Asked) -> list[str]:
    """Orders of it, or of what it goes with."""
    known = asked.known.evidence
    sources = [one.item] if one.item in known else one.reason.params.get("items", [])
    events = [event for source in sources for event in known.get(source, [])]
    return list(dict.fromkeys(events))[:5]


def _left_out(
    advice: Advice, asked: Asked, just: dict[str, int], language: Language
) -> list[dict[str, Any]]:
    sore = [
        {
            "item": item,
            "name": advice.names.get(item),
            "reason": {"code": "complaint", "text": say(OFFERS, "complaint", language)},
            "evidence": [event],
        }
        for item, event in sorted(asked.sore.items())
    ]
    fresh = [
        {
            "item": item,
            "name": advice.names.get(item),
            "reason": {
                "code": "just_bought",
                "text": say(
                    OFFERS,
                    "just_bought",
                    language,
                    since=asked.today - asked.known.last[item],
                    until=until,
                ),
            },
            "evidence": asked.known.evidence[item][:1],
        }
        for item, until in sorted(just.items(), key=lambda pair: (pair[1], pair[0]))
        if item not in asked.sore
    ]
    return [*sore, *fresh][:LONGEST_EXCUSE]
