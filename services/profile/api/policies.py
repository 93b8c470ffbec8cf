"""`/v1/policies/lifecycle`, `/v1/policies/tags`: the thresholds in force, and every version."""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Body, Depends, Path, Query, Request
from starlette.responses import Response

from services.profile import queries
from services.profile.api.examples import POLICY
from services.profile.api.thresholds import judged, shape
from services.profile.projector.rules import BUILT_IN, KINDS, body
from services.profile.publishing import Hold, publish
from services.profile.queries import Published
from services.profile.trial import Trial, try_policy
from shared.access import Caller, require
from shared.commands import wait_until_folded
from shared.errors import NotFound
from shared.http.answers import answer
from shared.http.etags import IfMatch, check_if_match, etag_of
from shared.http.language import Lang
from shared.http.openapi import body as body_of
from shared.http.openapi import kernel_of, shown
from shared.projection import Policy
from shared.reading import read_manners
from shared.words import Language, label

router = APIRouter(tags=["policies"])
_READS = [Depends(require("read")), Depends(read_manners)]

Name = Literal["lifecycle", "tags"]
Version = Annotated[int, Path(ge=1, le=2**31 - 1, examples=[1])]
Thresholds = Annotated[dict[str, Any], Body()]
DryRun = Annotated[bool, Query(description="Only say how many would move.")]

Admin = Annotated[Caller, Depends(require("admin"))]

_BUILT_IN = {
    name: Published(Policy(name, 1, body(rules)), None) for name, rules in BUILT_IN.items()
}


def etag(policy: Policy) -> str:
    """The entity tag of a policy: what is in a version never changes."""
    return etag_of([policy.name, policy.version])


def holding(name: str, if_match: str | None) -> Hold:
    """Holds a new version to If-Match."""
    return lambda version: check_if_match(if_match, etag_of([name, version]))


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


async def read_policy(request: Request, name: Name) -> Response:
    """The version in force, and which others there are."""
    versions = await _versions(request, name)
    known = [one.policy.version for one in versions]
    content = {**policy_answer(versions[0], in_force=True), "versions": known}
    return answer(content, headers={"ETag": etag(versions[0].policy)})


async def read_policy_version(request: Request, name: Name, version: int) -> Response:
    """One version of a policy."""
    versions = await _versions(request, name)
    for place, one in enumerate(versions):
        if one.policy.version == version:
            return answer(
                policy_answer(one, in_force=place == 0), headers={"ETag": etag(one.policy)}
            )
    raise NotFound("policy_version_not_found")


async def put_policy(
    request: Request,
    name: Name,
    sent: dict[str, Any],
    caller: Caller,
    language: Language,
    *,
    dry_run: bool,
    if_match: str | None,
) -> Response:
    """Publish thresholds as a new version, or say what they would move."""
    rules = judged(name, sent)
    kernel, hold = kernel_of(request), holding(name, if_match)
    if dry_run:
        versions = await _versions(request, name)
        hold(versions[0].policy.version)
        policy = Policy(name, versions[0].policy.version + 1, body(rules))
        trial = await try_policy(kernel.database, policy)
        return answer(_trial_answer(policy, trial, language))
    version, position = await publish(kernel, name, rules, caller.name, hold)
    folded = await wait_until_folded(request, position)
    published = Published(
        Policy(name, version, body(rules)), kernel.clock() if version > 1 else None
    )
    for one in await _versions(request, name):
        if one.policy.version == version:
            published = one
    headers = {"ETag": etag(published.policy)}
    headers |= {"Tenure-Position": position} if position else {}
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


def _routes(name: Name, example: dict[str, Any]) -> None:
    """A policy's own paths: each takes thresholds of its own."""
    path = f"/v1/policies/{name}"
    policy = {**POLICY, "name": name, "policy": f"{name}@1"} | (
        {"body": example} if name == "tags" else {}
    )

    async def read(request: Request) -> Response:
        return await read_policy(request, name)

    async def read_version(request: Request, version: Version) -> Response:
        return await read_policy_version(request, name, version)

    async def put(
        request: Request,
        sent: Thresholds,
        caller: Admin,
        language: Lang,
        dry_run: DryRun = False,
        if_match: IfMatch = None,
    ) -> Response:
        return await put_policy(
            request, name, sent, caller, language, dry_run=dry_run, if_match=if_match
        )

    router.get(
        path,
        name=f"read_{name}_policy",
        description="The version in force, and which others there are.",
        dependencies=_READS,
        responses=shown({**policy, "versions": [1]}, "The version in force."),
    )(read)
    router.get(
        f"{path}/{{version}}",
        name=f"read_{name}_policy_version",
        description="One version of the policy.",
        dependencies=_READS,
        responses=shown(policy, "One version."),
    )(read_version)
    router.put(
        path,
        name=f"put_{name}_policy",
        description="Publish thresholds as a new version; what is left out is as built in. Every customer is derived"
        " again, and what changes is announced.",
        openapi_extra=body_of(shape(name), example),
        responses=shown(
            policy, "The version in force from now on; with `dry_run`, what would move."
        ),
    )(put)


_routes("lifecycle", {"silent_after": 4, "lost_after": 8})
_routes("tags", {"night_share": 0.35})
