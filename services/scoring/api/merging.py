"""What scores would become of customers if they were one; asked by profile, never on the public origin."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.scoring.api.reads import READS
from services.scoring.projection import SCORES
from services.scoring.projector import View
from shared.http.answers import answer
from shared.together import Together, asked

router = APIRouter(include_in_schema=False, dependencies=READS)


def _classes(view: View) -> dict[str, Any]:
    churn, rfm = view.churn, view.rfm
    return {
        "churn_band": churn.band if churn else None,
        "churn_probability": churn.probability if churn else None,
        "rfm_class": rfm.rfm_class if rfm else None,
        "matrix": view.matrix.cell if view.matrix else None,
    }


@router.post("/internal/merges/preview")
async def preview_merge(request: Request, body: Together) -> Response:
    """The classes of each, and of all together."""
    found = await asked(request, SCORES, body)
    before = {str(part): _classes(view) for part, view in found.before.items()}
    return answer({"before": before, "after": _classes(found.view)})
