"""`/v1/prospects` and `/v1/sources`: who has not bought yet, and where customers come from."""

import asyncio
from datetime import datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from services.scoring import policies as rules
from services.scoring import prospect_queries as queries
from services.scoring.api.answers import CAME, events_path
from services.scoring.api.prospect_answers import (
    gate_answer,
    note_of,
    prospect_answer,
    quality_answer,
    tally_answer,
)
from services.scoring.api.prospect_examples import PROSPECT, SOURCES, SUMMARY
from services.scoring.api.reads import READS, database_of
from services.scoring.projector.details import describe
from services.scoring.prospect_queries import Costs, Filters, Spent, Tally
from services.scoring.queries import count_by, list_by, policies_in_force
from services.scoring.screening.policy import CLASSES, HORIZONS
from services.scoring.screening.words import CLASSES as CLASS_WORDS
from services.scoring.screening.words import NOTES
from shared.errors import FieldError, Unprocessable
from shared.http.answers import answer
from shared.http.language import Lang
from shared.http.openapi import kernel_of, page_of, shown
from shared.http.paging import (
    Between,
    Page,
    TimeRange,
    cut_page,
    decode_cursor,
    page_answer,
    parse_sort,
    sorts,
)
from shared.http.texts import OneOf, Words
from shared.words import say

router = APIRouter(tags=["prospects"], dependencies=READS)

MOST_DAYS = 1100
"""Three years: the longest period that sources are counted over."""
YEAR = timedelta(days=365)

Source = Annotated[
    Annotated[str, Words(120)] | None,
    Query(description="Only of this source; empty: of whom none was said.", examples=["referral"]),
]
OfClass = Annotated[
    Annotated[str, OneOf(CLASSES)] | None, Query(alias="class", description="Only this class.")
]
Least = Annotated[
    float | None,
    Query(
        ge=0, le=1, allow_inf_nan=False, description="Likely to buy within 90 days from so much on."
    ),
]
Sort = Annotated[
    Annotated[str, OneOf(tuple(sorts(queries.SORTS)))],
    Query(
        description="`probability` (within 90 days), `probability_28`, `expected_spend` (in the currency"
        " of most who were won) or `first_seen_on`; `-` before it: greatest first. Of whom nothing is"
        " known yet comes last either way.",
    ),
]


@router.get("/v1/prospects", responses=shown(page_of(PROSPECT), "Prospects, the likeliest first."))
async def list_prospects(
    request: Request,
    language: Lang,
    page: Page,
    between: Between,
    source: Source = None,
    prospect_class: OfClass = None,
    min_probability: Least = None,
    sort: Sort = "-probability",
) -> Response:
    """Who was seen and has never bought: how likely they are to, and what they would be worth. `from`
    and `to` bound the day on which they were first seen."""
    start, end = (None if at is None else _day(request, at) for at in (between.start, between.end))
    filters = Filters(
        source=source,
        prospect_class=prospect_class,
        min_probability=min_probability,
        from_day=start,
        to_day=end,
    )
    field, descending = parse_sort(sort, queries.SORTS)
    async with database_of(request).read() as conn:
        found = await list_by(
            conn,
            filters.where(),
            queries.SORTS[field][0],
            descending=descending,
            after=page.after(sort, queries.SORTS[field][1]),
            limit=page.limit + 1,
        )
        total = await count_by(conn, filters.where()) if page.count else None
        in_force = await policies_in_force(conn)
    items, next_cursor = cut_page(
        found, page.limit, lambda last: (sort, last.sorted_by, last.customer_id)
    )
    judged = [(one.state, one.view) for one in items]
    described = await asyncio.to_thread(describe, judged, in_force)
    shown_items = [
        {
            "customer_id": one.customer_id,
            "at": details.prospect.kept.at,
            **prospect_answer(details.prospect, language),
            "events": events_path(one.customer_id, *CAME),
        }
        for one, details in zip(items, described, strict=True)
        if details.prospect is not None
    ]
    return answer(page_answer(shown_items, next_cursor, total))


@router.get(
    "/v1/prospects/summary", responses=shown(SUMMARY, "Prospects by class; how good it is.")
)
async def prospects_summary(request: Request, language: Lang) -> Response:
    """How many prospects there are in each class, what they are judged by, and how good that was on the
    last period that is over, beside one rate for all."""
    async with database_of(request).read() as conn:
        counts = await queries.count_classes(conn)
        in_force = await policies_in_force(conn)
    model = rules.screening(in_force)
    return answer(
        {
            "total": sum(counts.values()),
            "unclassified": counts.get(None, 0),
            "by_class": [
                {
                    "class": code,
                    "label": say(CLASS_WORDS, code, language),
                    "prospects": counts.get(code, 0),
                }
                for code in CLASSES
            ],
            "model": rules.label(in_force, rules.PROSPECTS),
            "method": None if model is None else model.method,
            "note": note_of(model, language),
            "fitted_at": None if model is None else model.fitted_at,
            "seen": None if model is None else model.seen,
            "won": None if model is None else model.won,
            "overall": []
            if model is None
            else [
                {"horizon_days": days, "probability": rate}
                for days, rate in zip(HORIZONS, model.overall, strict=True)
            ],
            "quality": [] if model is None else [quality_answer(one) for one in model.quality],
            "gate": None if model is None or model.gate is None else gate_answer(model.gate),
        }
    )


@router.get("/v1/sources", responses=shown(SOURCES, "Sources, most seen first, by month."))
async def list_sources(request: Request, page: Page, between: Between, language: Lang) -> Response:
    """Where customers came from: of those first seen in a period, how many were won, how soon, what they
    spend at first, and what each cost. Without `from` and `to`: the last twelve months; three years at
    most. At most the newest 200,000 of a period are counted: `from` then says from when on, and a `note`
    how to count the others. Months are those of the setting TIMEZONE where an event names no offset of
    its own."""
    asked = _period(request, between)
    today = _day(request, kernel_of(request).clock())
    after = decode_cursor(page.cursor, tuple[queries.Minor, str]) if page.cursor else None
    async with database_of(request).snapshot() as conn:
        days = (await queries.counted_from(conn, asked, queries.MOST_SEEN), asked[1])
        costs = await queries.costs(conn, days)
        costly = sorted({source for source, _ in costs})
        found = await queries.tallies(
            conn, days, today, costly=costly, after=after, limit=page.limit + 1
        )
        items, next_cursor = cut_page(
            found, page.limit, lambda last: (last.seen, last.source or "")
        )
        names = [one.source or "" for one in items]
        months = await queries.monthly(conn, days, today, names)
        spent = await queries.first_spend(conn, days, today, names)
        total = await queries.count_sources(conn, days, costly) if page.count else None
    made = [_source(one, months, spent, costs) for one in items]
    note = None
    if days != asked:
        note = say(NOTES, "newest", language, most=queries.MOST_SEEN, day=_date(days[0]))
    head = {
        "from": _date(days[0]),
        "to": _date(days[1]),
        "timezone": kernel_of(request).settings.timezone,
        "note": note,
    }
    return answer({**head, **page_answer(made, next_cursor, total)})


def _source(tally: Tally, months: list[Tally], spent: Spent, costs: Costs) -> dict[str, Any]:
    name = tally.source or ""
    of_month = {one.month: one for one in months if (one.source or "") == name}
    for source, month in costs:
        if source == name and month not in of_month:
            of_month[month] = Tally(tally.source, month, 0, 0, 0, 0, 0, None)
    return {
        "source": tally.source,
        **tally_answer(tally, _spend(spent, name, None), queries.cost_of(costs, name, None)),
        "by_month": [
            {
                "month": month,
                **tally_answer(
                    one, _spend(spent, name, month), queries.cost_of(costs, name, month)
                ),
            }
            for month, one in sorted(of_month.items(), key=lambda pair: pair[0] or "")
        ],
    }


def _spend(spent: Spent, source: str, month: str | None) -> list[tuple[str, int, int]]:
    """Currency, customers, minor units."""
    found = ((key, value) for key, value in spent.items() if key[:2] == (source, month))
    return sorted((currency, *value) for (_, _, currency), value in found)


def _day(request: Request, at: datetime) -> int:
    """Ordinal of the local date of a moment, by the setting TIMEZONE."""
    try:
        return at.astimezone(ZoneInfo(kernel_of(request).settings.timezone)).toordinal()
    except OverflowError:
        return at.toordinal()


def _period(request: Request, between: TimeRange) -> tuple[int, int]:
    """The first day, and the day after the last one. Raises Unprocessable: longer than three years."""
    end = between.end or kernel_of(request).clock() + timedelta(days=1)
    last = _day(request, end)
    if between.start is None:
        try:
            first = _day(request, end - YEAR)
        except OverflowError:
            first = 1
    else:
        first = _day(request, between.start)
    if last - first > MOST_DAYS:
        raise Unprocessable(
            "validation_failed", errors=[FieldError("?from", "too_long", {"limit": MOST_DAYS})]
        )
    return first, max(first, last)


def _date(day: int) -> Any:
    return datetime.fromordinal(day).date()
