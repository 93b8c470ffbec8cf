"""`/v1/models`: what judging goes by."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from services.scoring import policies as rules
from services.scoring import queries
from services.scoring.api.examples import MODEL
from services.scoring.api.model_answers import model_answer
from services.scoring.api.reads import READS, database_of
from services.scoring.policies import CDNOW, ChurnModel
from shared.database import ReadConnection
from shared.errors import NotFound
from shared.http.answers import answer
from shared.http.language import Lang
from shared.http.openapi import page_of, shown
from shared.http.paging import Page, decode_cursor, encode_cursor, page_answer

router = APIRouter(prefix="/v1", tags=["models"], dependencies=READS)

Name = Annotated[str, Path(description="Name of a model.", examples=["churn"])]
Version = Annotated[
    int, Path(ge=0, le=2**31, description="0: the published default.", examples=[0])
]


_Version = tuple[int, ChurnModel, datetime | None]


async def in_force_at(conn: ReadConnection) -> _Version:
    """Version, churn model in force and when it was published."""
    found = await queries.list_versions(conn, rules.CHURN, below=None, limit=1)
    return _version(found[0]) if found else (0, CDNOW, None)


def _version(published: queries.Published) -> _Version:
    policy = published.policy
    return policy.version, rules.churn_model({rules.CHURN: policy}), published.at


@router.get("/models", responses=shown(page_of(MODEL), "The models in force."))
async def list_models(request: Request, language: Lang) -> Response:
    """Each model in the version that is in force."""
    async with database_of(request).read() as conn:
        version, model, published_at = await in_force_at(conn)
    return answer(page_answer([model_answer(version, model, published_at, language)], None))


@router.get(
    "/models/{name}",
    responses=shown(page_of(MODEL), "Versions, newest first."),
)
async def list_model_versions(request: Request, name: Name, page: Page, language: Lang) -> Response:
    """The versions of a model, newest first; the oldest, 0, is the published default."""
    if name != rules.CHURN:
        raise NotFound("model_not_found")
    below = decode_cursor(page.cursor, tuple[queries.Count])[0] if page.cursor else None
    async with database_of(request).read() as conn:
        found = await queries.list_versions(conn, name, below=below, limit=page.limit + 1)
        total = 1 + await queries.count_versions(conn, name) if page.count else None
    versions = [_version(one) for one in found]
    if below != 0:
        versions.append((0, CDNOW, None))
    more = len(versions) > page.limit
    versions = versions[: page.limit]
    items = [model_answer(*version, language) for version in versions]
    next_cursor = encode_cursor([versions[-1][0]]) if more else None
    return answer(page_answer(items, next_cursor, total))


@router.get("/models/{name}/{version}", responses=shown(MODEL, "One version of a model."))
async def read_model_version(
    request: Request, name: Name, version: Version, language: Lang
) -> Response:
    """The parameters as they were published, and how sure they are."""
    if name != rules.CHURN:
        raise NotFound("model_not_found")
    if not version:
        return answer(model_answer(0, CDNOW, None, language))
    async with database_of(request).read() as conn:
        found = await queries.find_version(conn, name, version)
    if found is None:
        raise NotFound("model_not_found")
    model = rules.churn_model({name: found.policy})
    return answer(model_answer(version, model, found.at, language))
