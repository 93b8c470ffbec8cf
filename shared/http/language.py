"""Which language people's words are answered in."""

from functools import lru_cache
from typing import Annotated

from fastapi import Depends, Request
from starlette.types import Scope

from shared.http.headers import header
from shared.words import Language

_LONGEST = 500


def _weight(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0


@lru_cache(maxsize=256)
def preferred(accepted: str, default: Language) -> Language:
    """The language of an Accept-Language header that we speak and the caller likes best."""
    best: Language = default
    best_weight = 0.0
    for wish in accepted[:_LONGEST].split(","):
        tag, _, parameters = wish.partition(";")
        primary = tag.strip().lower().partition("-")[0]
        spoken: Language | None = (
            "zh"
            if primary == "zh"
            else "en"
            if primary == "en"
            else default
            if primary == "*"
            else None
        )
        weight = _weight(parameters)
        if spoken is not None and weight > best_weight:
            best, best_weight = spoken, weight
    return best


def language_of_scope(scope: Scope) -> Language:
    """The caller's language; the setting LANGUAGE where the request names none that we speak."""
    default: Language = scope["app"].state.language
    wish = header(scope, b"accept-language")
    return preferred(wish, default) if wish else default


async def language_of(request: Request) -> Language:
    """The caller's language, as a dependency."""
    return language_of_scope(request.scope)


Lang = Annotated[Language, Depends(language_of)]
