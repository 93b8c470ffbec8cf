"""`/v1/policies/lifecycle`, `/v1/policies/tags`: the thresholds in force, and every version."""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Body, Depends, Path, Query, Request
from starlette.responses import Response

from services.profile import queries
from services.profile.api.customers import kernel_of
from services.profile.api.examples import POLICY, shown
from services.profile.api.thresholds import judged
from services.profile.projector.rules import BUILT_IN, KINDS, body
from services.profile.publishing import publish
from services.profile.queries import Published
from services.profile.trial import Trial, try_policy
from shared.access import Caller, require
from shared.commands import wait_until_folded
from shared.errors import NotFound
from shared.http.answers import answer
from shared.http.language import Lang
from shared.projection import Policy
from shared.reading import read_manners
from shared.words import Language, label

router = APIRouter(tags=["policies"])
_READS = [Depends(require("read")), Depends(read_manners)]

Name = Annotated[Literal["lifecycle", "tags"], Path(examples=["lifecycle"])]

Admin = Annotated[Caller, Depends(require("admin"))]

_BUILT_IN = {
    name: Published(Policy(name, 1, body(rules)), None) for name, rules in BUILT_IN.items()
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


@router.get(
    "/v1/policies/{name}", dependencies=_READS, responses=shown(POLICY, "The version in force.")
)
async def read_policy(request: Request, name: Name) -> Response:
    """The version in force, and which others there are."""
    versions = await _versions(request, name)
    known = [one.policy.version for one in versions]
    return answer({**policy_answer(versions[0], in_force=True), "versions": known})


@router.get(
    "/v1/policies/{name}/{version}", dependencies=_READS, responses=shown(POLICY, "One version.")
)
async def read_policy_version(
    request: Request, name: Name, version: Annotated[int, Path(ge=1, examples=[1])]
) -> Response:
    """One version of a policy."""
    versions = await _versions(request, name)
    for place, one in enumerate(versions):
        if one.policy.version == version:
            return answer(policy_answer(one, in_force=place == 0))
    raise NotFound("policy_version_not_found")


@router.put(
    "/v1/policies/{name}",
    responses=shown(POLICY, "The version in force from now on; with `dry_run`, what would move."),
    openapi_extra={
        "requestBody": {"content": {"application/json": {"example": {"night_share": 0.35}}}}
    },
)
async def put_policy(
    request: Request,
    name: Annotated[Literal["lifecycle", "tags"], Path(examples=["tags"])],
    sent: Annotated[dict[str, Any], Body()],
    caller: Admin,
    language: Lang,
    dry_run: Annotated[bool, Query(description="Only say how many would move.")] = False,
) -> Response:
    """Publish thresholds as a new version; what is left out is as built in. Every customer is
    derived again, and what changes is announced."""
    rules = judged(name, sent)
    kernel = kernel_of(request)
    if dry_run:
        versions = await _versions(request, name)
        policy = Policy(name, versions[0].policy.version + 1, body(rules))
        trial = await try_policy(kernel.database, policy)
        return answer(_trial_answer(policy, trial, language))
    version, position = await publish(kernel, name, rules, caller.name)
    folded = await wait_until_folded(request, position)
    published = Published(
        Policy(name, version, body(rules)), kernel.clock() if version > 1 else None
    )
    for one in await _versions(request, name):
        if one.policy.version == version:
            published = one
    headers = {"Tenure-Position": position} if position else {}
    content = policy_answer(published, in_force=folded)
    return answer(content, status=200 if folded else 202, headers=headers)


def _trial_answer(policy: Policy, trial: Trial, language: Language) -> dict[str, Any]:
    return {
        "policy": f"{policy.name}@{policy.version}",
        "dry_run": True,
        "tried": trial.tried,
        "would_move": trial.moved,
        "moves": [
            {
                "from": before,
                "from_label": label("lifecycle", before, language),
                "to": after,
                "to_label": label("lifecycle", after, language),
                "count": count,
            }
            for (before, after), count in trial.states.most_common()
        ],
        "tags": [
            {
                "tag": tag,
                "label": label("tag", tag, language),
                "gained": trial.gained[tag],
                "dropped": trial.dropped[tag],
            }
            for tag in sorted({*trial.gained, *trial.dropped})
        ],
        "body": dict(policy.body),
    }
