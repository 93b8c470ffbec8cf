"""GET /v1/event-types: what may be published, with schema and example."""

from typing import Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from shared.access import require
from shared.http.answers import answer
from shared.http.language import Lang
from shared.http.openapi import page_of, shown
from shared.language import EVENT_TYPES, EventType
from shared.reading import read_manners
from shared.words import Language

router = APIRouter(
    tags=["events"], dependencies=[Depends(require("read", "publish")), Depends(read_manners)]
)

_CONSENT = EVENT_TYPES["consent.changed"]
_EXAMPLE = {
    "type": _CONSENT.name,
    "description": _CONSENT.description["en"],
    "dataschema": _CONSENT.dataschema,
    "schema": {"type": "object", "required": ["channel", "granted"]},
    "example": _CONSENT.example,
}


@router.get("/v1/event-types", responses=shown(page_of(_EXAMPLE), "The types."))
async def get_event_types(language: Lang) -> Response:
    """Every type that a publisher may send."""
    items = [_entry(kind, language) for kind in EVENT_TYPES.values() if kind.door is not None]
    return answer({"items": items, "next_cursor": None})


def _entry(kind: EventType, language: Language) -> dict[str, Any]:
    return {
        "type": kind.name,
        "description": kind.description[language],
        "dataschema": kind.dataschema,
        "schema": kind.json_schema(),
        "example": kind.example,
    }
