"""`/v1/policies/scoring`: bands, classes, matrix and margins in force, and every version of them."""

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Query, Request
from starlette.responses import Response

from services.scoring import policies as rules
from services.scoring import queries
from services.scoring.api.examples import POLICY, POLICY_VERSION
from services.scoring.api.policy_answers import cuts_answer, matrix_rules_answer, policy_answer
from services.scoring.api.reads import READS, database_of
from services.scoring.choosing import body_of, choose
from services.scoring.commands import judged, shape
from services.scoring.policies import DEFAULT_SCORING, SCORING
from services.scoring.queries import Published
from services.scoring.trial import Trial, try_policy
from shared.access import Caller, require
from shared.commands import wait_until_folded
from shared.errors import NotFound
from shared.http.answers import answer
from shared.http.etags import IfMatch, check_if_match, etag_of
from shared.http.language import Lang
from shared.http.openapi import body as openapi_body
from shared.http.openapi import kernel_of, shown
from shared.projection import Policies, Policy
from shared.words import Language, label

router = APIRouter(prefix="/v1/policies/scoring", tags=["policies"])

Version = Annotated[int, Path(ge=0, le=2**31 - 1, description="0: as built in.", examples=[0])]
Thresholds = Annotated[dict[str, Any], Body()]
DryRun = Annotated[bool, Query(description="Only say how many would move.")]
Admin = Annotated[Caller, Depends(require("admin"))]

BUILT_IN = Published(Policy(SCORING, 0, body_of(DEFAULT_SCORING)), None)
_MOST_VERSIONS = 500
_EXAMPLE = {"matrix": {"by": "absolute", "value_from": "1000000", "active_from": 12}}


async def _versions(request: Request) -> tuple[list[Published], Policies]:
    """Versions, newest first (the newest of very many), and all policies in force."""
    async with database_of(request).read() as conn:
        found = await queries.list_versions(conn, SCORING, below=None, limit=_MOST_VERSIONS)
        in_force = await queries.policies_in_force(conn)
    return [*found, BUILT_IN], in_force


def _tag(one: Published) -> str:
    return etag_of([one.policy.version, one.policy.body])


@router.get(
    "",
    dependencies=READS,
    responses=shown(POLICY, "Bands, classes, matrix, margins and cut points in force."),
)
async def read_scoring_policy(request: Request, language: Lang) -> Response:
    """The version in force, which others there are, and what follows from it for these customers."""
    versions, in_force = await _versions(request)
    newest = versions[0]
    scoring, cuts = rules.scoring({SCORING: newest.policy}), rules.rfm_cuts(in_force)
    content = {
        **policy_answer(newest, in_force=True, language=language),
        "versions": [one.policy.version for one in versions],
        "rfm": cuts_answer(rules.label(in_force, rules.RFM), cuts) if cuts else None,
        "matrix": matrix_rules_answer(scoring, in_force),
    }
    return answer(content, headers={"ETag": _tag(newest)})


@router.get(
    "/{version}", dependencies=READS, responses=shown(POLICY_VERSION, "One version of the policy.")
)
async def read_scoring_policy_version(
    request: Request, version: Version, language: Lang
) -> Response:
    """One version of the policy."""
    async with database_of(request).read() as conn:
        in_force = (await queries.policies_in_force(conn)).get(SCORING, BUILT_IN.policy)
        found = await queries.find_version(conn, SCORING, version) if version else BUILT_IN
    if found is None:
        raise NotFound("policy_version_not_found")
    content = policy_answer(found, in_force=in_force.version == version, language=language)
    return answer(content, headers={"ETag": _tag(found)})


@router.put(
    "",
    openapi_extra=openapi_body(shape(), _EXAMPLE),
    responses=shown(
        POLICY_VERSION, "The version in force from now on; with `dry_run`, what would move."
    ),
)
async def put_scoring_policy(
    request: Request,
    sent: Thresholds,
    caller: Admin,
    language: Lang,
    dry_run: DryRun = False,
    if_match: IfMatch = None,
) -> Response:
    """Publish thresholds as a new version; what is left out is as built in. Every customer is judged
    again, and changes of class are announced."""
    scoring, kernel = judged(sent), kernel_of(request)
    versions, _ = await _versions(request)
    check_if_match(if_match, _tag(versions[0]))
    if dry_run:
        policy = Policy(SCORING, versions[0].policy.version + 1, body_of(scoring))
        trial = await try_policy(kernel.database, policy)
        return answer(_trial_answer(policy, trial, language))
    version, position = await choose(kernel, scoring, caller.name)
    folded = await wait_until_folded(request, position)
    published = Published(Policy(SCORING, version, body_of(scoring)), kernel.clock())
    for one in (await _versions(request))[0]:
        if one.policy.version == version:
            published = one
    headers = {"ETag": _tag(published)} | ({"Tenure-Position": position} if position else {})
    content = policy_answer(published, in_force=folded, language=language)
    return answer(content, status=200 if folded else 202, headers=headers)


def _trial_answer(policy: Policy, trial: Trial, language: Language) -> dict[str, Any]:
    return {
        "policy": f"{policy.name}@{policy.version}",
        "dry_run": True,
        "tried": trial.tried,
        "would_move": trial.moved,
        "bands": _moves("churn_band", trial.bands, language),
        "classes": _moves("rfm_class", trial.classes, language),
        "matrix": _moves("matrix", trial.cells, language),
        "body": dict(policy.body),
    }


def _moves(
    kind: str, moves: Counter[tuple[str | None, str | None]], language: Language
) -> list[dict[str, Any]]:
    return [
        {
            "from": before,
            "from_label": None if before is None else label(kind, before, language),
            "to": after,
            "to_label": None if after is None else label(kind, after, language),
            "count": count,
        }
        for (before, after), count in moves.most_common()
    ]
