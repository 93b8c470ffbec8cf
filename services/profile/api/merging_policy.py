"""`/v1/policies/merging`: which evidence makes customers one at once, and which identifiers speak for nobody."""

import asyncio
from collections import Counter
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError
from starlette.responses import Response

from services.profile import queries
from services.profile.api.examples import MERGING
from services.profile.api.policies import etag, holding
from services.profile.merging import automation
from services.profile.merging.rules import BUILT_IN, NAME, MergingRules, rules_of
from services.profile.merging.rules import body as body_of_rules
from services.profile.publishing import publish_body
from services.profile.queries import Published
from shared.access import Caller, require
from shared.commands import wait_until_folded
from shared.database import Database
from shared.errors import NotFound
from shared.http.answers import answer
from shared.http.etags import IfMatch
from shared.http.openapi import body as body_of
from shared.http.openapi import kernel_of, shown
from shared.http.shapes import record
from shared.http.texts import OneOf, Words
from shared.language.identifiers import TYPES, normalise
from shared.projection import Policy
from shared.reading import read_manners

router = APIRouter(tags=["policies"])
_READS = [Depends(require("read")), Depends(read_manners)]
_PATH = "/v1/policies/merging"

MOST_TRIED = 500
"""Open proposals that a trial judges, the oldest first."""
_BUILT_IN = Published(Policy(NAME, 1, body_of_rules(BUILT_IN)), None)

Type = Annotated[str, OneOf(TYPES)]
Limit = Annotated[int, Field(ge=1, le=1000)]


def _identifier(value: str) -> str:
    """`type:value`, normalised."""
    type_, colon, rest = value.partition(":")
    normal = normalise(type_, rest) if colon and type_ in TYPES else None
    if normal is None:
        raise PydanticCustomError("wrong_format", "no identifier")
    return f"{type_}:{normal}"


def _of_known_types(value: dict[str, int]) -> dict[str, int]:
    if unknown := [name for name in value if name not in TYPES]:
        context = {"allowed": ", ".join(TYPES), "found": unknown[0]}
        raise PydanticCustomError("not_allowed", "unknown type of identifier", context)
    return value


_LIMIT = {"type": "integer", "minimum": 1, "maximum": 1000}
Limits = Annotated[
    dict[str, Limit],
    AfterValidator(_of_known_types),
    WithJsonSchema(record({}, **dict.fromkeys(TYPES, _LIMIT))),
]


class MergingPolicy(BaseModel):
    """Which evidence makes customers one. What is left out is as built in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at_once: Annotated[
        list[Type],
        Field(
            max_length=len(TYPES),
            description="Two known customers become one without asking where one event names each of them by an"
            " identifier of these types. All others are proposed.",
        ),
    ] = []
    limits: Annotated[
        Limits,
        Field(
            description="By type: an identifier that has linked more customers than this speaks for nobody any more."
        ),
    ] = {}
    blocked: Annotated[
        list[Annotated[str, Words(300, 1), AfterValidator(_identifier)]],
        Field(max_length=1000, description="Identifiers, `type:value`, that speak for nobody."),
    ] = []

    def rules(self) -> MergingRules:
        """As a policy, each thing once."""
        at_once = tuple(sorted(set(self.at_once)))
        return MergingRules(
            at_once=at_once, limits=dict(self.limits), blocked=tuple(sorted(set(self.blocked)))
        )


def _answer(one: Published, *, in_force: bool) -> dict[str, Any]:
    policy = one.policy
    return {
        "name": NAME,
        "version": policy.version,
        "policy": f"{NAME}@{policy.version}",
        "built_in": one.at is None,
        "in_force": in_force,
        "published_at": one.at,
        "body": body_of_rules(rules_of(policy.version, policy.body)),
    }


async def _versions(request: Request) -> list[Published]:
    async with kernel_of(request).database.read() as conn:
        return [*await queries.list_versions(conn, NAME), _BUILT_IN]


@router.get(
    _PATH,
    dependencies=_READS,
    responses=shown({**MERGING, "versions": [1]}, "The version in force."),
)
async def read_merging_policy(request: Request) -> Response:
    """The version in force, and which others there are."""
    versions = await _versions(request)
    known = [one.policy.version for one in versions]
    content = {**_answer(versions[0], in_force=True), "versions": known}
    return answer(content, headers={"ETag": etag(versions[0].policy)})


@router.get(f"{_PATH}/{{version}}", dependencies=_READS, responses=shown(MERGING, "One version."))
async def read_merging_policy_version(
    request: Request, version: Annotated[int, Path(ge=1, le=2**31 - 1, examples=[1])]
) -> Response:
    """One version of the policy."""
    versions = await _versions(request)
    for place, one in enumerate(versions):
        if one.policy.version == version:
            return answer(_answer(one, in_force=place == 0), headers={"ETag": etag(one.policy)})
    raise NotFound("policy_version_not_found")


@router.put(
    _PATH,
    openapi_extra=body_of(None, {"limits": {"phone": 2}, "blocked": ["phone:+862150000000"]}),
    responses=shown(
        MERGING, "The version in force from now on; with `dry_run`, what would become of proposals."
    ),
)
async def put_merging_policy(
    request: Request,
    body: MergingPolicy,
    caller: Annotated[Caller, Depends(require("admin"))],
    dry_run: Annotated[
        bool, Query(description="Only say what would become of the open proposals.")
    ] = False,
    if_match: IfMatch = None,
) -> Response:
    """Publish a new version. Open proposals are judged by it at once: some are merged, some withdrawn. What has been
    merged stays so, until somebody splits it."""
    kernel, rules, hold = kernel_of(request), body.rules(), holding(NAME, if_match)
    if dry_run:
        hold((await _versions(request))[0].policy.version)
        return answer(await _trial(kernel.database, rules))
    version, position = await publish_body(
        kernel, NAME, body_of_rules(rules), caller.name, body_of_rules(BUILT_IN), hold
    )
    folded = await wait_until_folded(request, position)
    published = Published(
        Policy(NAME, version, body_of_rules(rules)), kernel.clock() if version > 1 else None
    )
    for one in await _versions(request):
        if one.policy.version == version:
            published = one
    headers = {"ETag": etag(published.policy)}
    headers |= {"Tenure-Position": position} if position else {}
    content = _answer(published, in_force=folded)
    return answer(content, status=200 if folded else 202, headers=headers)


async def _trial(database: Database, rules: MergingRules) -> dict[str, Any]:
    """What would become of the open proposals."""
    found: Counter[str] = Counter()
    async with database.snapshot() as conn:
        version = (await automation.rules_in_force(conn)).version + 1
        rules = rules_of(version, body_of_rules(rules))
        rows = await conn.fetch(
            "SELECT id FROM merge WHERE status = 'proposed' ORDER BY id LIMIT $1", MOST_TRIED
        )
        ids: list[UUID] = [row["id"] for row in rows]
        for one in await automation.proposals(conn, ids):
            found[await automation.judged_again(conn, one, rules)] += 1
            await asyncio.sleep(0)
    return {
        "policy": f"{NAME}@{version}",
        "dry_run": True,
        "tried": sum(found.values()),
        "would_merge": found["merged"],
        "would_withdraw": found["withdrawn"],
        "would_stay": found["proposed"],
        "body": body_of_rules(rules),
    }
