"""`/v1/policies/lifecycle`, `/v1/policies/tags`: the thresholds in force, and every version."""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from services.profile import queries
from services.profile.api.customers import kernel_of
from services.profile.api.examples import POLICY, shown
from services.profile.projector.rules import (
    BUILT_IN_LIFECYCLE,
    BUILT_IN_TAGS,
    KINDS,
    LIFECYCLE,
    TAGS,
    body,
)
from services.profile.queries import Published
from shared.access import require
from shared.errors import NotFound
from shared.http.answers import answer
from shared.projection import Policy
from shared.reading import read_manners

router = APIRouter(
    tags=["policies"], dependencies=[Depends(require("read")), Depends(read_manners)]
)

Name = Annotated[Literal["lifecycle", "tags"], Path(examples=["lifecycle"])]

_BUILT_IN = {
    LIFECYCLE: Published(Policy(LIFECYCLE, 1, body(BUILT_IN_LIFECYCLE)), None),
    TAGS: Published(Policy(TAGS, 1, body(BUILT_IN_TAGS)), None),
}


def policy_answer(one: Published, *, in_force: bool) -> dict[str, Any]:
    """One version, with every threshold: what a publication left out is as built in."""
    policy = one.policy
    rules = msgspec.convert({**policy.body, "version": policy.version}, KINDS[policy.name])
    return {
        "name": policy.name,
        "version": policy.version,
        "policy": f"{policy.name}@{policy.version}",
        "built_in": one.at is None,
        "in_force": in_force,
        "published_at": one.at,
        "body": body(rules),
    }


async def _versions(request: Request, name: str) -> list[Published]:
    async with kernel_of(request).database.read() as conn:
        published = await queries.list_versions(conn, name)
    return [*published, _BUILT_IN[name]]


@router.get("/v1/policies/{name}", responses=shown(POLICY, "The version in force."))
async def read_policy(request: Request, name: Name) -> Response:
    """The version in force, and which others there are."""
    versions = await _versions(request, name)
    known = [one.policy.version for one in versions]
    return answer({**policy_answer(versions[0], in_force=True), "versions": known})


@router.get("/v1/policies/{name}/{version}", responses=shown(POLICY, "One version."))
async def read_policy_version(
    request: Request, name: Name, version: Annotated[int, Path(ge=1, examples=[1])]
) -> Response:
    """One version of a policy."""
    versions = await _versions(request, name)
    for place, one in enumerate(versions):
        if one.policy.version == version:
            return answer(policy_answer(one, in_force=place == 0))
    raise NotFound("policy_version_not_found")
