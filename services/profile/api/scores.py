"""`?include=scores`: scoring's own numbers, asked at read time."""

from typing import Any
from uuid import UUID

import httpx

from services.profile.words import NOTES
from shared.words import Language, say


class Scoring:
    """Asks scoring's API process; a caller's own key and language go along."""

    def __init__(self, client: httpx.AsyncClient | None) -> None:
        self._client = client

    async def add(
        self, answer: dict[str, Any], customer_id: UUID, authorization: str, language: Language
    ) -> None:
        """Put scoring's numbers into `scores`; or a note that says why they are not there."""
        note = "scores_away"
        if self._client is not None:
            try:
                response = await self._client.get(
                    f"/v1/scores/{customer_id}",
                    headers={"Authorization": authorization, "Accept-Language": language},
                )
                if response.status_code == httpx.codes.OK:
                    answer["scores"] |= response.json()
                    return
                if response.status_code == httpx.codes.NOT_FOUND:
                    note = "scores_unknown"
            except (httpx.HTTPError, ValueError):
                pass  # the note says it: a picture without numbers is better than none
        answer["scores"]["note"] = say(NOTES, note, language)
