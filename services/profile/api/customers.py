"""`/v1/customers`: the whole picture of a customer, the list, the summary, the path of states."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from services.profile import projector, queries
from services.profile.api.answers import customer_answer, etag, step_answer
from services.profile.api.examples import CUSTOMER, PATH, SUMMARY, TAGS
from services.profile.api.scores import Scoring
from services.profile.projection import PROFILE
from services.profile.projector import Profile
from services.profile.projector.lifecycle import STATES
from services.profile.projector.rules import BUILT_IN_LIFECYCLE
from services.profile.words import tag_label
from shared.access import require
from shared.as_of import AsOf, Basis, OnBasis, as_it_was
from shared.codec import Event
from shared.database import uuid_of
from shared.erasing import erased_among
from shared.http.answers import answer
from shared.http.language import Lang, language_of_scope
from shared.http.openapi import Customer, kernel_of, page_of, shown
from shared.http.paging import (
    Page,
    cut_page,
    decode_cursor,
    page_answer,
    parse_sort,
    sorts,
)
from shared.http.shortcuts import Shortcut
from shared.http.texts import OneOf
from shared.moments import micros, moment
from shared.projection import Projection
from shared.reading import WAIT_FOR, read_manners
from shared.words import Language, label
from shared.words.labels import LABELS

_reader = require("read")
router = APIRouter(tags=["customers"], dependencies=[Depends(_reader), Depends(read_manners)])

_Text = Annotated[str | None, Query(max_length=200)]


_State = Annotated[str, OneOf(tuple(LABELS["lifecycle"]))]
_Band = Annotated[str, OneOf(tuple(LABELS["churn_band"]))]
_Class = Annotated[str, OneOf(tuple(LABELS["rfm_class"]))]


async def filters_of(
    state: Annotated[
        _State | None, Query(description="Lifecycle state.", examples=["mature"])
    ] = None,
    tag: Annotated[
        list[str] | None,
        Query(description="Repeatable: all must hold.", examples=[["behaviour:night-owl"]]),
    ] = None,
    owner: _Text = None,
    region: _Text = None,
    industry: _Text = None,
    churn_band: Annotated[_Band | None, Query(examples=["high"])] = None,
    rfm_class: Annotated[_Class | None, Query(examples=["at_risk"])] = None,
    currency: Annotated[
        str | None, Query(max_length=3, description="Main currency.", examples=["CNY"])
    ] = None,
    q: Annotated[
        str | None,
        Query(max_length=200, description="Part of name (pinyin too), number or identifier."),
    ] = None,
    erased: Annotated[
        bool, Query(description="Those who were erased, whom no other list has.")
    ] = False,
) -> queries.Filters:
    """The filters of the list, as a dependency."""
    return queries.Filters(
        state=state,
        tags=tuple(tag or ()),
        owner=owner,
        region=region,
        industry=industry,
        churn_band=churn_band,
        rfm_class=rfm_class,
        currency=currency,
        q=q,
        erased=erased,
    )


Filtered = Annotated[queries.Filters, Depends(filters_of)]
Sort = Annotated[
    Annotated[str, OneOf(tuple(sorts(queries.SORTS)))],
    Query(
        description="`purchases.count`, `purchases.spend`, `last_purchase_at`, `first_contact_at` or"
        " `name`; `-` before it: greatest first. Who has no value comes last either way. Spend is"
        " compared as a number in each customer's main currency: filter by `currency` to compare"
        " like with like.",
    ),
]


@router.get("/v1/customers/summary", responses=shown(SUMMARY, "Customers by class."))
async def summarise_customers(request: Request, language: Lang) -> Response:
    """How many customers there are: in all, by state, tag, churn band and RFM class."""
    async with kernel_of(request).database.snapshot() as conn:
        states = await queries.count_by(conn, "lifecycle")
        bands = await queries.count_by(conn, "churn_band")
        classes = await queries.count_by(conn, "rfm_class")
        tags = await queries.count_tags(conn)
    return answer(
        {
            "total": sum(states.values()),
            "states": _counts("state", "lifecycle", STATES, states, language),
            "tags": _tag_counts(tags, language),
            "churn_bands": _counts(
                "band", "churn_band", tuple(LABELS["churn_band"]), bands, language
            ),
            "rfm_classes": _counts(
                "class", "rfm_class", tuple(LABELS["rfm_class"]), classes, language
            ),
        }
    )


def _counts(
    key: str, kind: str, codes: tuple[str, ...], counts: dict[str | None, int], language: Language
) -> list[dict[str, Any]]:
    return [
        {key: code, "label": label(kind, code, language), "count": counts.get(code, 0)}
        for code in codes
    ]


def _tag_counts(counts: dict[str, int], language: Language) -> list[dict[str, Any]]:
    return [
        {"tag": tag, "label": tag_label(tag, language), "count": count}
        for tag, count in counts.items()
    ]


@router.get("/v1/tags", responses=shown(TAGS, "All tags, the most frequent first."))
async def list_tags(request: Request, language: Lang, page: Page) -> Response:
    """Every tag that a customer has or that can be derived, with its number of customers."""
    after = decode_cursor(page.cursor, tuple[int, str]) if page.cursor else None
    async with kernel_of(request).database.read() as conn:
        counts = await queries.count_tags(conn)
    counts |= {code: 0 for code in LABELS["tag"] if code not in counts}
    found = sorted((-count, tag) for tag, count in counts.items())
    if after is not None:
        found = [place for place in found if place > after]
    shown_, next_cursor = cut_page(found, page.limit, tuple)
    items = _tag_counts({tag: -count for count, tag in shown_}, language)
    return answer(page_answer(items, next_cursor, len(counts) if page.count else None))


@router.get("/v1/customers/{customer}", responses=shown(CUSTOMER, "The whole picture."))
async def read_customer(
    request: Request,
    customer: Customer,
    language: Lang,
    include: Annotated[
        Literal["scores"] | None,
        Query(description="Scoring's own numbers too, of now.", examples=["scores"]),
    ] = None,
    as_of: AsOf = None,
    basis: OnBasis = "business",
) -> Response:
    """One customer, whole: record, habits, tags, lifecycle, classes, complaints, consents. With `as_of` in the same
    shape as it stood then."""
    if as_of is not None:
        return answer(await _as_it_was(request, customer, as_of, basis, language))
    async with kernel_of(request).database.read() as conn:
        found = await queries.find(conn, customer)
    whole = customer_answer(found, language)
    if include:
        scoring: Scoring = request.app.state.scoring
        authorization = request.headers.get("authorization", "")
        await scoring.add(whole, found.customer_id, authorization, language)
    return answer(whole, headers={"ETag": etag(found.view)})


async def _read_straight(request: Request) -> Response:
    await _reader(request)
    await read_manners(request, request.headers.get(WAIT_FOR))
    language = language_of_scope(request.scope)
    return await read_customer(request, request.path_params["customer"], language)


SHORTCUT = Shortcut("GET", "/v1/customers/{customer}", _read_straight)


async def _as_it_was(
    request: Request, customer: str, at: datetime, basis: Basis, language: Language
) -> dict[str, Any]:
    then = await as_it_was(request, PROFILE, customer, at, basis)
    async with kernel_of(request).database.read() as conn:
        erased = await erased_among(conn, then.parts)
    if erased:
        then = await as_it_was(request, _without(erased), customer, at, basis)
    view = then.view
    if erased.keys() >= set(then.parts):
        view = msgspec.structs.replace(view, status=projector.ERASED, erased=True)
    found = queries.Found(then.head, view, then.told, then.clock)
    return customer_answer(found, language) | {"merged_from": then.parts[1:]}


def _without(erased: Mapping[UUID, datetime]) -> Projection[Any, Any, Any]:
    """The projection where these parts were erased before anything was known of them: what stands in the clear on the
    log and may say who they were is left out as well."""

    def evolve(state: Profile, event: Event) -> Profile:
        at = erased.get(uuid_of(event.subject))
        if at is not None:
            state.erased = micros(at)
        return PROFILE.evolve(state, event)

    return replace(PROFILE, evolve=evolve)


@router.get("/v1/customers/{customer}/lifecycle", responses=shown(PATH, "The path of states."))
async def read_path(request: Request, customer: Customer, language: Lang) -> Response:
    """Every state that the customer has been in, each with since, reason, evidence and policy."""
    async with kernel_of(request).database.snapshot() as conn:
        whole = await queries.find_whole(conn, customer)
    clock = None if whole.clock is None else micros(whole.clock)
    rules = whole.state.walker.rules or BUILT_IN_LIFECYCLE
    policy = f"lifecycle@{rules.version}"
    steps = projector.path(whole.state.items, whole.state.contacts.earliest(), clock, rules)
    turns_at = projector.turns_at(whole.state, clock)
    return answer(
        {
            "customer_id": whole.customer_id,
            "policy": policy,
            "due_at": None if turns_at is None else moment(turns_at),
            "items": [step_answer(step, policy, language) for step in steps],
        }
    )


@router.get(
    "/v1/customers",
    responses=shown(page_of(CUSTOMER), "The list."),
)
async def list_customers(
    request: Request,
    language: Lang,
    page: Page,
    filters: Filtered,
    sort: Sort = "-last_purchase_at",
) -> Response:
    """Customers by any combination of filters, all of which must hold."""
    column, descending = parse_sort(sort, queries.SORTS)
    async with kernel_of(request).database.read() as conn:
        found = await queries.list_customers(
            conn,
            filters,
            column,
            descending=descending,
            after=page.after(sort, queries.SORTS[column][1]),
            limit=page.limit + 1,
        )
        total = await queries.count_customers(conn, filters) if page.count else None
    shown_items, next_cursor = cut_page(
        found, page.limit, lambda last: (sort, last.sorted_by, last.customer_id)
    )
    items = [customer_answer(one, language) for one in shown_items]
    return answer(page_answer(items, next_cursor, total))
