"""`/v1/scores`: one customer's judgement, the watch list, the summary."""

import asyncio
from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from services.scoring import past, queries, registry
from services.scoring import policies as rules
from services.scoring.api.answers import score_answer
from services.scoring.api.examples import SCORE, SUMMARY
from services.scoring.api.model_answers import model_answer
from services.scoring.api.reads import READS, database_of
from services.scoring.policies import Band, Cell
from services.scoring.projector import forget
from services.scoring.projector.details import describe
from shared.as_of import AsItWas, AsOf, OnBasis, as_it_was
from shared.erasing import erased_among
from shared.errors import NotFound
from shared.http.answers import answer
from shared.http.language import Lang
from shared.http.openapi import Customer, page_of, shown
from shared.http.paging import (
    Page,
    cut_page,
    page_answer,
    parse_sort,
    sorts,
)
from shared.http.texts import OneOf
from shared.identity import find_customer
from shared.words import Language, label

router = APIRouter(prefix="/v1/scores", tags=["scores"], dependencies=READS)

RfmClass = Annotated[
    Annotated[str, OneOf(rules.CLASSES)] | None,
    Query(description="Only this RFM class.", examples=["at_risk"]),
]
MatrixCell = Annotated[
    Cell | None, Query(description="Only this cell of value and activity.", examples=["core"])
]
ChurnBand = Annotated[Band | None, Query(description="Only this band.", examples=["high"])]
Sort = Annotated[
    Annotated[str, OneOf(tuple(sorts(queries.SORTS)))],
    Query(
        description="`churn.probability`, `last_purchase_at`, `rfm.frequency`, `value.spend_year` (in"
        " the customer's main currency) or `satisfaction.score`; `-` before it: greatest first. Of"
        " whom there is nothing to compare comes last either way.",
    ),
]


@router.get("/summary", responses=shown(SUMMARY, "Customers by band and class; the model."))
async def scores_summary(request: Request, language: Lang) -> Response:
    """How many customers there are in each band, class and cell, and how sure the model is."""
    async with database_of(request).snapshot() as conn:
        groups = await queries.count_groups(conn)
        standings = await registry.standings(conn)
        in_force = await registry.find_version(conn, standings.in_force)
    bands: Counter[str | None] = Counter()
    classes: Counter[str | None] = Counter()
    cells: Counter[str | None] = Counter()
    for band, rfm_class, cell, customers in groups:
        bands[band] += customers
        classes[rfm_class] += customers
        cells[cell] += customers
    return answer(
        {
            "total": bands.total(),
            "never_bought": bands[None],
            "by_band": _counts("band", "churn_band", rules.BANDS, bands, language),
            "by_class": _counts("class", "rfm_class", rules.CLASSES, classes, language),
            "by_matrix": _counts("matrix", "matrix", rules.CELLS, cells, language),
            "unclassified": classes[None] - bands[None],
            "model": model_answer(in_force, standings, language) if in_force else None,
        }
    )


def _counts(
    key: str,
    kind: str,
    codes: tuple[str, ...],
    counts: Counter[str | None],
    language: Language,
) -> list[dict[str, Any]]:
    return [
        {key: code, "label": label(kind, code, language), "customers": counts[code]}
        for code in codes
    ]


@router.get("/{customer}", responses=shown(SCORE, "The customer's scores."))
async def read_score(
    request: Request,
    customer: Customer,
    language: Lang,
    as_of: AsOf = None,
    basis: OnBasis = "business",
) -> Response:
    """Every score of one customer, with reasons, evidence and the nearest change. With `as_of` in the same shape as
    it stood then. Of who was erased, now or since, it is what is left: `erased` says so."""
    if as_of is not None:
        then = await as_it_was(request, past.THEN, customer, as_of, basis)
        was = await _as_left(request, then)
        [details] = describe([(was.state, was.view)], past.as_of(then.policies, then.clock))
        return answer(score_answer(was, details, language))
    async with database_of(request).read() as conn:
        scored = await queries.find_score(conn, await find_customer(conn, customer))
        in_force = await queries.policies_in_force(conn)
    if scored is None:
        raise NotFound("customer_not_found")
    [details] = describe([(scored.state, scored.view)], in_force)
    return answer(score_answer(scored, details, language))


async def _as_left(request: Request, then: AsItWas) -> queries.Scored:
    """How somebody stood: of who was erased since, as far as they are not forgotten."""
    async with database_of(request).read() as conn:
        gone = await erased_among(conn, then.parts)
    state, view = then.state, then.view
    if len(gone) == len(then.parts):
        state = forget(state)
        view = past.THEN.derive(state, then.clock, then.policies)
    return queries.Scored(str(then.head), state, view)


@router.get(
    "",
    responses=shown(page_of(SCORE), "The list, greatest risk first."),
)
async def list_scores(
    request: Request,
    language: Lang,
    page: Page,
    churn_band: ChurnBand = None,
    rfm_class: RfmClass = None,
    matrix: MatrixCell = None,
    sort: Sort = "-churn.probability",
) -> Response:
    """The watch list: customers by risk, by value or by satisfaction, also within one band, class or
    cell."""
    filters = queries.Filters(churn_band=churn_band, rfm_class=rfm_class, matrix=matrix)
    field, descending = parse_sort(sort, queries.SORTS)
    async with database_of(request).read() as conn:
        found = await queries.list_by(
            conn,
            filters.where(),
            queries.SORTS[field][0],
            descending=descending,
            after=page.after(sort, queries.SORTS[field][1]),
            limit=page.limit + 1,
        )
        total = await queries.count_by(conn, filters.where()) if page.count else None
        in_force = await queries.policies_in_force(conn)
    shown_items, next_cursor = cut_page(
        found, page.limit, lambda last: (sort, last.sorted_by, last.customer_id)
    )
    judged = [(scored.state, scored.view) for scored in shown_items]
    described = await asyncio.to_thread(describe, judged, in_force)
    pairs = zip(shown_items, described, strict=True)
    items = [score_answer(scored, details, language) for scored, details in pairs]
    return answer(page_answer(items, next_cursor, total))
