"""`/v1/models`: what judging goes by; training, shadow and promotion."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from services.scoring import fits, registry
from services.scoring.api.examples import MODEL, SHADOW, TRAINING
from services.scoring.api.fit_answers import fit_answer
from services.scoring.api.model_answers import model_answer, training_answer
from services.scoring.api.reads import READS, database_of
from services.scoring.commands import MOST_VERSIONS, LookAt, Promote, Train
from services.scoring.policies import BANDS
from services.scoring.promoting import promote, shadow
from services.scoring.queries import Count
from services.scoring.shadowing import Moved, Moves, count_moves, list_moved
from services.scoring.train import running
from shared.access import Caller, require
from shared.commands import Done, Outcome, headers_of, transact
from shared.errors import BadRequest, NotFound
from shared.http.answers import answer
from shared.http.bodies import read_body
from shared.http.idempotency import IdempotencyKey, request_hash
from shared.http.language import Lang
from shared.http.openapi import body as body_of
from shared.http.openapi import kernel_of, page_of, shown
from shared.http.paging import (
    Page,
    PageRequest,
    cut_page,
    decode_cursor,
    encode_cursor,
    page_answer,
)
from shared.words import Language, label

router = APIRouter(prefix="/v1", tags=["models"])

Name = Annotated[str, Path(description="Name of a model.", examples=["churn"])]
Version = Annotated[
    int, Path(ge=0, le=MOST_VERSIONS, description="0: the published default.", examples=[0])
]
Number = Annotated[
    int, Path(ge=1, le=MOST_VERSIONS, description="Number of a training.", examples=[1])
]
Admin = Annotated[Caller, Depends(require("admin"))]


def _check(name: str) -> None:
    """Raises NotFound where there is nothing of that name to train."""
    if name in fits.NAMES:
        raise NotFound("model_not_trainable")
    if name not in registry.MODELS:
        raise NotFound("model_not_found")


@router.get("/models", dependencies=READS, responses=shown(page_of(MODEL), "The models in force."))
async def list_models(request: Request, page: Page, language: Lang) -> Response:
    """Each model in the version that is in force: `churn`, which is trained and promoted, then what is
    fitted by itself."""
    after = decode_cursor(page.cursor, tuple[str])[0] if page.cursor else None
    async with database_of(request).snapshot() as conn:
        now = await registry.standings(conn)
        churn = await registry.find_version(conn, now.in_force)
        found = [await fits.newest_fit(conn, name) for name in fits.NAMES]
    items = [] if churn is None else [model_answer(churn, now, language)]
    items += [fit_answer(one, language) for one in found if one is not None]
    names = [item["name"] for item in items]
    if after is not None and after not in names:
        raise BadRequest("invalid_cursor")
    rest = items if after is None else items[names.index(after) + 1 :]
    shown_, next_cursor = cut_page(rest, page.limit, lambda last: (last["name"],))
    return answer(page_answer(shown_, next_cursor, len(items) if page.count else None))


@router.post(
    "/models/{name}/train",
    status_code=202,
    openapi_extra=body_of(None, {"seed": 0}),
    responses=shown(TRAINING, "The training, which waits for a worker.", status=202),
)
async def train_model(
    request: Request,
    name: Name,
    body: Train,
    caller: Admin,
    language: Lang,
    key: IdempotencyKey = None,
) -> Response:
    """Train a version on the log as it is now. `Location` says where to look how far it is; what is
    in force is not touched. While one is at work: `409`."""
    _check(name)

    async def do(conn: Any, now: Any) -> Done:
        number = await running.ask(conn, name, body.seed, caller.name, now)
        return Done(202, str(number))

    outcome = await _command(request, do, "train_model", key)
    number = int(outcome.subject)
    async with database_of(request).read() as conn:
        found = await running.find_training(conn, name, number)
    if found is None:
        raise NotFound("training_not_found")
    headers = headers_of(outcome) | {"Location": f"/v1/models/{name}/trainings/{number}"}
    return answer(training_answer(found, language), status=202, headers=headers)


@router.get(
    "/models/{name}/trainings",
    dependencies=READS,
    responses=shown(page_of(TRAINING), "Trainings, newest first."),
)
async def list_trainings(request: Request, name: Name, page: Page, language: Lang) -> Response:
    """What was asked for, and what came of it; the newest 200 are kept."""
    _check(name)
    below = decode_cursor(page.cursor, tuple[Count])[0] if page.cursor else None
    async with database_of(request).read() as conn:
        found = await running.list_trainings(conn, name, below, page.limit + 1)
        total = await running.count_trainings(conn, name) if page.count else None
    trainings, next_cursor = cut_page(found, page.limit, lambda last: (last.number,))
    items = [training_answer(one, language) for one in trainings]
    return answer(page_answer(items, next_cursor, total))


@router.get(
    "/models/{name}/trainings/{number}",
    dependencies=READS,
    responses=shown(TRAINING, "One training."),
)
async def read_training(request: Request, name: Name, number: Number, language: Lang) -> Response:
    """How far it is, the version that it made, or why it made none."""
    _check(name)
    async with database_of(request).read() as conn:
        found = await running.find_training(conn, name, number)
    if found is None:
        raise NotFound("training_not_found")
    return answer(training_answer(found, language))


@router.post(
    "/models/{name}/shadow",
    openapi_extra=body_of(None, {"version": 0}),
    responses=shown(SHADOW, "What is looked at from now on."),
)
async def set_shadow(
    request: Request,
    name: Name,
    body: LookAt,
    caller: Admin,
    language: Lang,
    key: IdempotencyKey = None,
) -> Response:
    """Let a version score the live stream beside the one in force. It announces nothing."""
    _check(name)
    kernel = kernel_of(request)

    async def do(conn: Any, now: Any) -> Done:
        partitions = kernel.settings.partitions
        return await shadow(conn, now, body.version, caller.name, partitions)

    outcome = await _command(request, do, "set_shadow", key)
    return await _shadow_answer(request, name, language, outcome)


@router.delete(
    "/models/{name}/shadow",
    responses=shown(SHADOW, "Nothing is looked at any more."),
)
async def end_shadow(request: Request, name: Name, caller: Admin, language: Lang) -> Response:
    """No version scores beside the one in force any longer."""
    _check(name)
    kernel = kernel_of(request)

    async def do(conn: Any, now: Any) -> Done:
        return await shadow(conn, now, None, caller.name, kernel.settings.partitions)

    outcome = await _command(request, do, "end_shadow", None)
    return await _shadow_answer(request, name, language, outcome)


@router.get(
    "/models/{name}/shadow",
    dependencies=READS,
    responses=shown(SHADOW, "What would move, and who."),
)
async def read_shadow(request: Request, name: Name, page: Page, language: Lang) -> Response:
    """What would move if the shadow were in force: customers from band to band, and those who would be
    in another one. `scored` reaches `customers` when everybody was scored by both."""
    _check(name)
    after = decode_cursor(page.cursor, tuple[UUID])[0] if page.cursor else None
    return await _shadow_answer(
        request, name, language, None, after, limit=page.limit, count=page.count
    )


async def _shadow_answer(
    request: Request,
    name: str,
    language: Language,
    outcome: Outcome | None,
    after: UUID | None = None,
    *,
    limit: int = 50,
    count: bool = False,
) -> Response:
    async with database_of(request).snapshot() as conn:
        now = await registry.standings(conn)
        moves = await count_moves(conn, now.shadow)
        found = await list_moved(conn, now.shadow, after, limit + 1)
    moved, next_cursor = cut_page(found, limit, lambda last: (last.customer_id,))
    content = {
        "name": name,
        "in_force": f"{name}@{now.in_force}",
        "shadow": None if now.shadow is None else f"{name}@{now.shadow}",
        "since": now.shadow_since,
        "by": now.shadow_by,
        **_moves_answer(moves, language),
        **page_answer(
            [_moved_answer(one, language) for one in moved],
            next_cursor,
            moves.moved if count else None,
        ),
    }
    if outcome is None:
        return answer(content)
    status = outcome.status if outcome.folded else 202
    return answer(content, status=status, headers=headers_of(outcome))


def _moves_answer(moves: Moves, language: Language) -> dict[str, Any]:
    return {
        "customers": moves.customers,
        "scored": moves.scored,
        "moved": moves.moved,
        "higher": moves.higher,
        "lower": moves.moved - moves.higher,
        "mean_difference": moves.mean_difference,
        "bands": [
            {
                "from": before,
                "from_label": label("churn_band", before, language),
                "to": after,
                "to_label": label("churn_band", after, language),
                "customers": moves.bands.get((before, after), 0),
            }
            for before in BANDS
            for after in BANDS
        ],
    }


def _moved_answer(one: Moved, language: Language) -> dict[str, Any]:
    return {
        "customer_id": one.customer_id,
        "from": one.band,
        "from_label": label("churn_band", one.band, language),
        "probability": one.probability,
        "to": one.shadow_band,
        "to_label": label("churn_band", one.shadow_band, language),
        "shadow_probability": one.shadow_probability,
    }


@router.post(
    "/models/{name}/promote",
    openapi_extra=body_of(
        None, {"version": 0, "override": {"reason": "Checked with the data team"}}
    ),
    responses=shown(MODEL, "The version that is in force from now on."),
)
async def promote_model(
    request: Request,
    name: Name,
    body: Promote,
    caller: Admin,
    language: Lang,
    key: IdempotencyKey = None,
) -> Response:
    """Put a version in force, in every partition. One that was worse than a simple rule on the last
    closed period is refused (`409`), unless somebody overrides that with a reason, which is kept. The
    shadow ends where it is this version."""
    _check(name)
    kernel = kernel_of(request)
    override = None if body.override is None else body.override.reason

    async def do(conn: Any, now: Any) -> Done:
        partitions = kernel.settings.partitions
        return await promote(conn, now, body.version, caller.name, override, partitions)

    outcome = await _command(request, do, "promote_model", key)
    async with database_of(request).read() as conn:
        standings = await registry.standings(conn)
        found = await registry.find_version(conn, int(outcome.subject))
    if found is None:
        raise NotFound("model_not_found")
    status = outcome.status if outcome.folded else 202
    content = model_answer(found, standings, language)
    return answer(content, status=status, headers=headers_of(outcome))


async def _command(
    request: Request,
    do: Callable[[Any, Any], Awaitable[Done]],
    command: str,
    key: str | None,
) -> Outcome:
    digest = request_hash(request.url.path, await read_body(request))
    return await transact(request, do, command=command, key=key, digest=digest)


@router.get(
    "/models/{name}",
    dependencies=READS,
    responses=shown(page_of(MODEL), "Versions, newest first."),
)
async def list_model_versions(request: Request, name: Name, page: Page, language: Lang) -> Response:
    """The versions of a model, newest first; the oldest, 0, is what holds before anything is fitted."""
    below = decode_cursor(page.cursor, tuple[Count])[0] if page.cursor else None
    if name in fits.NAMES:
        return await _list_fits(request, name, page, below, language)
    _check(name)
    async with database_of(request).read() as conn:
        now = await registry.standings(conn)
        found = await registry.list_versions(conn, below=below, limit=page.limit + 1)
        total = await registry.count_versions(conn) if page.count else None
    more, versions = len(found) > page.limit, found[: page.limit]
    items = [model_answer(one, now, language) for one in versions]
    next_cursor = encode_cursor([versions[-1].version]) if more else None
    return answer(page_answer(items, next_cursor, total))


async def _list_fits(
    request: Request, name: str, page: PageRequest, below: int | None, language: Language
) -> Response:
    async with database_of(request).snapshot() as conn:
        found = await fits.list_fits(conn, name, below=below, limit=page.limit + 1)
        total = await fits.count_fits(conn, name) if page.count else None
    versions, next_cursor = cut_page(found, page.limit, lambda last: (last.version,))
    items = [fit_answer(one, language) for one in versions]
    return answer(page_answer(items, next_cursor, total))


@router.get(
    "/models/{name}/{version}",
    dependencies=READS,
    responses=shown(MODEL, "One version of a model."),
)
async def read_model_version(
    request: Request, name: Name, version: Version, language: Lang
) -> Response:
    """What it was made of, how good it was where it had not looked, and how sure it is. Whatever a score
    cites as `name@version` is found here, also a version that was put in force again."""
    if name in fits.NAMES:
        async with database_of(request).read() as conn:
            one = await fits.find_fit(conn, name, version)
        if one is None:
            raise NotFound("model_not_found")
        return answer(fit_answer(one, language))
    _check(name)
    async with database_of(request).read() as conn:
        now = await registry.standings(conn)
        found = await registry.find_version(conn, version)
    if found is None:
        raise NotFound("model_not_found")
    return answer(model_answer(found, now, language))
