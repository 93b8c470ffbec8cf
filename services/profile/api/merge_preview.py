"""`POST /v1/merges/preview`: what a merge would change. Nothing is written."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import httpx
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from services.profile.api.answers import lifecycle_answer, tags_answer
from services.profile.api.examples import PREVIEW
from services.profile.api.merges import Parts, named
from services.profile.merging import keeping
from services.profile.merging.groups import head_of, heads
from services.profile.projection import PROFILE
from services.profile.projector import Told, View, announce
from services.profile.words import NOTES
from shared.access import require
from shared.http.answers import answer
from shared.http.language import Lang
from shared.http.openapi import body as body_of
from shared.http.openapi import kernel_of, shown
from shared.reading import read_manners
from shared.together import Whole, whole
from shared.words import Language, say

router = APIRouter(tags=["merges"])


class PreviewMerge(BaseModel):
    """Customers who might be one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    parts: Parts


class Asking:
    """Asks another service what a merge would change there; a caller's own key goes along."""

    def __init__(self, client: httpx.AsyncClient | None) -> None:
        self._client = client

    async def preview(self, parts: Sequence[UUID], authorization: str) -> dict[str, Any] | None:
        """None where it does not answer."""
        if self._client is None:
            return None
        try:
            response = await self._client.post(
                "/internal/merges/preview",
                json={"parts": [str(part) for part in parts]},
                headers={"Authorization": authorization},
            )
            found: dict[str, Any] = response.json()
        except (httpx.HTTPError, ValueError):
            return None
        return found if response.status_code == httpx.codes.OK else None


@router.post(
    "/v1/merges/preview",
    dependencies=[Depends(require("admin")), Depends(read_manners)],
    responses=shown(PREVIEW, "What it would change."),
    openapi_extra=body_of(None, {"parts": ["member_no:M42", "member_no:M43"]}),
)
async def preview_merge(request: Request, body: PreviewMerge, language: Lang) -> Response:
    """What would change if these customers were one: tags, lifecycle, scores and segments of each as they are, and of
    all together; how many events that would be. Nothing is written. Scores and segments are null, with a note, while
    their services are away."""
    kernel = kernel_of(request)
    async with kernel.database.snapshot() as conn:
        parts = await named(conn, body.parts)
        groups = await keeping.groups_of(conn, parts)
        keeping.check_joins(parts, groups)
        head = head_of(groups, await keeping.standings(conn, list(groups)))
        lead = groups[head].head
        others = [one for one in heads(parts, groups) if one != lead]
        found = await whole(conn, PROFILE, [lead, *others], kernel.service.version)
    content = _answer(head, sorted(groups), [lead, *others], found, language)
    await _add_others(request, content, language)
    return answer(content)


def _answer(
    head: UUID, parts: Sequence[UUID], customers: Sequence[UUID], found: Whole, language: Language
) -> dict[str, Any]:
    said = found.told.get(customers[0]) or Told()
    events = Counter(one.type for one in announce(said, found.view))
    events["customer.regrouped"] = len(parts)
    before = [
        _picture(found.before[one], found.told.get(one) or Told(), language) | {"id": one}
        for one in customers
        if one in found.before
    ]
    return {
        "head": head,
        "parts": parts,
        "before": before,
        "after": _picture(found.view, said, language) | {"id": head},
        "events": {"total": events.total(), "by_type": dict(sorted(events.items()))},
        "notes": [],
    }


def _picture(view: View, told: Told, language: Language) -> dict[str, Any]:
    return {
        "id": None,
        "number": view.number,
        "name": view.name,
        "tags": tags_answer(view, told, language),
        "lifecycle": lifecycle_answer(view.lifecycle, language),
        "purchases": view.orders,
        "scores": None,
        "segments": None,
    }


async def _add_others(request: Request, content: dict[str, Any], language: Language) -> None:
    """Put in what scoring and campaign say, or why it is not there."""
    authorization = request.headers.get("authorization", "")
    customers = [one["id"] for one in content["before"]]
    asking: dict[str, Asking] = request.app.state.merging
    answers = await asyncio.gather(
        *(one.preview(customers, authorization) for one in asking.values())
    )
    for name, said in zip(asking, answers, strict=True):
        if said is None:
            content["notes"].append(say(NOTES, f"{name}_away", language))
            continue
        for one in content["before"]:
            one[name] = said["before"].get(str(one["id"]))
        content["after"][name] = said["after"]
