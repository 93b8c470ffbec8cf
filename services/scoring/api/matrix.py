"""`/v1/matrix/reviews`: who moved when a month was over, and what people say about it."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from services.scoring import policies as rules
from services.scoring import queries, review_queries
from services.scoring.api.answers import matrix_answer, money, verdict_answer
from services.scoring.api.examples import MOVE, PLACED, REVIEW
from services.scoring.api.reads import READS, database_of
from services.scoring.commands import Confirm, Override
from services.scoring.decider import decide
from services.scoring.projection import SCORES
from services.scoring.projector import State
from services.scoring.projector.details import describe
from services.scoring.queries import Scored
from services.scoring.review_queries import Move, Review
from services.scoring.words import REVIEWS, UNKNOWN
from shared.access import Caller, require
from shared.commands import Decision, Outcome, execute, headers_of
from shared.database import ReadConnection
from shared.errors import NotFound
from shared.http.answers import answer
from shared.http.bodies import read_body
from shared.http.etags import IfMatch, check_if_match, etag_of
from shared.http.idempotency import IdempotencyKey, request_hash
from shared.http.language import Lang
from shared.http.openapi import Customer, kernel_of, page_of, shown
from shared.http.openapi import body as body_of
from shared.http.paging import Page, cut_page, decode_cursor, page_answer
from shared.identity import find_customer
from shared.words import Language, label, say

router = APIRouter(prefix="/v1/matrix/reviews", tags=["matrix"])

Month = Annotated[
    str,
    Path(
        pattern=r"^(current|[0-9]{4}-(0[1-9]|1[0-2]))$",
        description="A month that was reviewed, such as `2026-10`; `current`: the one that is not"
        " over yet.",
        examples=["current"],
    ),
]
Sales = Annotated[Caller, Depends(require("sales"))]


@router.get(
    "",
    dependencies=READS,
    responses=shown(page_of(REVIEW), "Months that were reviewed, newest first."),
)
async def list_reviews(request: Request, page: Page, language: Lang) -> Response:
    """The reviews: once a month, when it is over for everybody."""
    before = decode_cursor(page.cursor, tuple[str])[0] if page.cursor else None
    async with database_of(request).read() as conn:
        found = await review_queries.list_reviews(conn, before, page.limit + 1)
        total = await review_queries.count_reviews(conn) if page.count else None
    reviews, next_cursor = cut_page(found, page.limit, lambda last: (last.month,))
    items = [_review_answer(one, language) for one in reviews]
    return answer(page_answer(items, next_cursor, total))


@router.get(
    "/{month}",
    dependencies=READS,
    responses=shown({**REVIEW, **page_of(MOVE)}, "Who moved, from where, to where, and why."),
)
async def read_review(request: Request, month: Month, page: Page, language: Lang) -> Response:
    """One month: who lies in another cell than when the month before was over. `current`: who would
    be listed were it over now."""
    after = decode_cursor(page.cursor, tuple[UUID])[0] if page.cursor else None
    async with database_of(request).read() as conn:
        review = await _known(request, conn, month)
        found = await review_queries.list_moves(conn, review, after, page.limit + 1)
    moves, next_cursor = cut_page(found, page.limit, lambda last: (last.customer_id,))
    items = [_move_answer(one, language) for one in moves]
    return answer({**_review_answer(review, language), **page_answer(items, next_cursor)})


@router.get(
    "/{month}/{customer}",
    dependencies=READS,
    responses=shown(PLACED, "The customer's cell, and what people said about it."),
)
async def read_place(
    request: Request, month: Month, customer: Customer, language: Lang
) -> Response:
    """Where one customer lies now, with the last word of people; its `ETag` is for deciding."""
    async with database_of(request).read() as conn:
        review = await _known(request, conn, month)
        scored = await queries.find_score(conn, await find_customer(conn, customer))
    if scored is None:
        raise NotFound("customer_not_found")
    return await _placed(request, scored, review.month, language)


@router.post(
    "/{month}/{customer}/confirm",
    responses=shown(PLACED, "The cell as the policy finds it holds."),
    openapi_extra=body_of(None, {"reason": "Checked with the account manager"}),
)
async def confirm_cell(
    request: Request,
    month: Month,
    customer: Customer,
    body: Confirm,
    caller: Sales,
    language: Lang,
    key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Response:
    """Confirm the cell as the policy finds it; takes an override back."""
    return await _decide(request, month, customer, body, caller, language, key, if_match)


@router.post(
    "/{month}/{customer}/override",
    responses=shown(PLACED, "The cell as it was decided."),
    openapi_extra=body_of(None, {"matrix": "core", "reason": "A contract for next year is signed"}),
)
async def override_cell(
    request: Request,
    month: Month,
    customer: Customer,
    body: Override,
    caller: Sales,
    language: Lang,
    key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Response:
    """Decide that another cell holds, until somebody confirms or decides again. It is kept with who
    and why, and is shown as an override wherever the cell is."""
    return await _decide(request, month, customer, body, caller, language, key, if_match)


async def _decide(
    request: Request,
    month: str,
    customer: str,
    body: Confirm | Override,
    caller: Caller,
    language: Language,
    key: str | None,
    if_match: str | None,
) -> Response:
    digest = request_hash(request.url.path, await read_body(request))
    async with database_of(request).read() as conn:
        review = await _known(request, conn, month)
        scored = await queries.find_score(conn, await find_customer(conn, customer))
    if scored is None:
        raise NotFound("customer_not_found")
    found = scored.view.matrix.found if scored.view.matrix else None
    deciding = _deciding(body, review.month, found, caller.name, if_match)
    outcome = await execute(
        request,
        SCORES,
        UUID(scored.customer_id),
        deciding,
        said_last=_reviewed_last,
        command="review_matrix",
        key=key,
        digest=digest,
    )
    return await _answer_outcome(request, outcome, review.month, language)


def _deciding(
    command: Confirm | Override, month: str, found: str | None, by: str, if_match: str | None
) -> Callable[[State], Sequence[Decision]]:
    """What is decided once the state is known and locked."""

    def on(state: State) -> list[Decision]:
        check_if_match(if_match, _tag(state))
        events = decide(command, state, month=month, found=found, by=by)
        return [Decision("score.matrix_reviewed", event) for event in events]

    return on


def _reviewed_last(state: State) -> int:
    return state.verdict.at if state.verdict else 0


async def _answer_outcome(
    request: Request, outcome: Outcome, month: str, language: Language
) -> Response:
    async with database_of(request).read() as conn:
        scored = await queries.find_score(conn, UUID(outcome.subject))
    headers, status = headers_of(outcome), outcome.status if outcome.folded else 202
    if scored is None:
        return answer({"customer_id": outcome.subject, "month": month}, status=202, headers=headers)
    return await _placed(request, scored, month, language, status=status, headers=headers)


async def _placed(
    request: Request,
    scored: Scored,
    month: str,
    language: Language,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    async with database_of(request).read() as conn:
        in_force = await queries.policies_in_force(conn)
    [details] = describe([(scored.state, scored.view)], in_force)
    content = {
        "customer_id": scored.customer_id,
        "erased": scored.view.erased,
        "month": month,
        "matrix": matrix_answer(details, scored.view, language),
    }
    tagged = {**(headers or {}), "ETag": _tag(scored.state)}
    return answer(content, status=status, headers=tagged)


def _tag(state: State) -> str:
    verdict = state.verdict
    return etag_of(None if verdict is None else [verdict.at, verdict.event_id])


async def _known(request: Request, conn: ReadConnection, month: str) -> Review:
    found = await review_queries.find_review(conn, month, kernel_of(request).clock())
    if found is None:
        raise NotFound("review_not_found")
    return found


def _review_answer(review: Review, language: Language) -> dict[str, Any]:
    return {
        "month": review.month,
        "at": review.at,
        "policy": review.policy,
        "customers": sum(review.cells.values()),
        "moved": review.moved,
        "first": review.first,
        "by_matrix": [
            {
                "matrix": cell,
                "label": label("matrix", cell, language),
                "customers": review.cells.get(cell, 0),
            }
            for cell in rules.CELLS
        ],
    }


def _move_answer(move: Move, language: Language) -> dict[str, Any]:
    before, now, needed = (
        {
            "spend_year": None
            if spend is None or move.currency is None
            else money(spend, move.currency),
            "active_months": months,
        }
        for spend, months in zip(move.spend, move.months, strict=True)
    )
    return {
        "customer_id": move.customer_id,
        "from": move.before,
        "from_label": _label(move.before, language),
        "to": move.after,
        "to_label": _label(move.after, language),
        "before": before,
        "now": now,
        "needed": needed,
        "text": say(
            REVIEWS,
            "moved",
            language,
            **{"from": _label(move.before, language) or say(UNKNOWN, "cell", language)},
            to=_label(move.after, language) or say(UNKNOWN, "cell", language),
            spend_before=_money_text(before["spend_year"]),
            spend_now=_money_text(now["spend_year"]),
            spend_needed=_money_text(needed["spend_year"]),
            months_before="-" if move.months[0] is None else move.months[0],
            months_now="-" if move.months[1] is None else move.months[1],
            months_needed="-" if move.months[2] is None else move.months[2],
        ),
        "verdict": None if move.verdict is None else verdict_answer(move.verdict),
    }


def _label(cell: str | None, language: Language) -> str | None:
    return None if cell is None else label("matrix", cell, language)


def _money_text(amount: Any) -> str:
    return "-" if amount is None else f"{amount['amount']} {amount['currency']}"
