"""The keys of an OpenID Connect issuer: fetched when they are needed, kept, fetched again for a key that is not known.

No request waits for them longer than 2 seconds, and no flood of unknown keys becomes a flood of questions: the issuer
is asked once in some seconds at most. While it is away, the keys that are known go on to open.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import orjson
from jwt import PyJWK, PyJWTError

from shared.errors import Unavailable
from shared.logging import get_logger, reason

ALGORITHMS: Mapping[str, tuple[str, str | None]] = {
    "RS256": ("RSA", None),
    "RS384": ("RSA", None),
    "RS512": ("RSA", None),
    "PS256": ("RSA", None),
    "PS384": ("RSA", None),
    "PS512": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", None),
}
"""What a token may be signed with, and the key's type and curve. Nothing symmetric: what verifies must not sign."""

PATIENCE = 2.0
AGAIN_SECONDS = 5.0
RETRY_SECONDS = 1.0
FRESH_SECONDS = 300.0
"""Keys older than this are fetched again beside the requests, so that one taken back stops opening."""

_MOST_BYTES = 512 << 10
_MOST_KEYS = 50

log = get_logger(__name__)

Keys = dict[tuple[str | None, str], PyJWK]
"""By id (None: the issuer gives it none) and algorithm."""


def keys_of(document: Any) -> Keys:
    """The keys of a JWK set that can verify a signature of ours; others are passed over.

    Raises ValueError where there are none.
    """
    entries = document.get("keys") if isinstance(document, dict) else None
    found: Keys = {}
    for entry in entries[:_MOST_KEYS] if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("use", "sig") == "sig":
            kid = entry.get("kid")
            for algorithm, key in _usable(entry):
                found.setdefault((kid if isinstance(kid, str) else None, algorithm), key)
    if not found:
        raise ValueError("the issuer names no key that can be used")
    return found


def _usable(entry: dict[str, Any]) -> Iterator[tuple[str, PyJWK]]:
    """One key, once for each algorithm that it may be used with."""
    for algorithm, (kind, curve) in ALGORITHMS.items():
        fits = entry.get("kty") == kind and curve in (None, entry.get("crv"))
        if fits and entry.get("alg", algorithm) == algorithm:
            try:
                yield algorithm, PyJWK(entry, algorithm)
            except (PyJWTError, ValueError, TypeError, KeyError) as exc:
                log.warning("key of the issuer unreadable", error=reason(exc))
                return


class IssuerKeys:
    """Answers for key ids. `jwks_url` empty: the issuer's own description says where its keys are."""

    def __init__(
        self, issuer: str, jwks_url: str = "", *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._now = now
        self._keys: Keys = {}
        self._asked_at = self._answered_at = float("-inf")
        self._away = False
        self._fetching: asyncio.Task[None] | None = None
        self._client: httpx.AsyncClient | None = None

    async def find(self, kid: str | None, algorithm: str) -> PyJWK | None:
        """The key; None: the issuer has no such key. Raises Unavailable while nobody can say."""
        found = self._known(kid, algorithm)
        if found is not None:
            if self._now() - self._answered_at > FRESH_SECONDS:
                self._fetch_again()
            return found
        self._fetch_again()
        if self._fetching is not None:
            await asyncio.shield(self._fetching)
        found = self._known(kid, algorithm)
        if found is None and self._away:
            raise Unavailable(retry_after=RETRY_SECONDS)
        return found

    async def close(self) -> None:
        """Let go of the connections."""
        if self._fetching is not None:
            self._fetching.cancel()
        if self._client is not None:
            await self._client.aclose()
        self._fetching = self._client = None

    def _known(self, kid: str | None, algorithm: str) -> PyJWK | None:
        if kid is not None:
            return self._keys.get((kid, algorithm))
        fitting = [key for (_, name), key in self._keys.items() if name == algorithm]
        return fitting[0] if len(fitting) == 1 else None  # which of several, nothing says

    def _fetch_again(self) -> None:
        """Begin to ask, unless somebody does or did a moment ago."""
        pause = RETRY_SECONDS if self._away else AGAIN_SECONDS
        if self._fetching is None and self._now() - self._asked_at >= pause:
            self._asked_at = self._now()
            self._fetching = asyncio.create_task(self._fetch())
            self._fetching.add_done_callback(self._fetched)

    def _fetched(self, task: asyncio.Task[None]) -> None:
        self._fetching = None
        if not task.cancelled():
            task.exception()  # looked at, even where nobody waits

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                url = self._jwks_url or await self._discover()
                self._keys = keys_of(await self._get(url))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as exc:
            self._away = True
            log.warning("issuer away", error=reason(exc), keys=len(self._keys))
            return
        self._away = False
        self._answered_at = self._now()

    async def _discover(self) -> str:
        url = self._issuer.rstrip("/") + "/.well-known/openid-configuration"
        document = await self._get(url)
        if not isinstance(document, dict) or document.get("issuer") != self._issuer:
            raise ValueError("the description is of another issuer")
        found = document.get("jwks_uri")
        if not isinstance(found, str):
            raise ValueError("the description does not say where the keys are")  # noqa: TRY004
        return found

    async def _get(self, url: str) -> Any:
        """A JSON document. Raises ValueError for anything else, and for more than 512 KiB."""
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=PATIENCE)
        async with self._client.stream("GET", url) as response:
            if response.status_code != httpx.codes.OK:
                raise ValueError(f"the issuer answers {response.status_code}")
            text = bytearray()
            async for chunk in response.aiter_bytes():
                text += chunk
                if len(text) > _MOST_BYTES:
                    raise ValueError("the answer is too long")
        return orjson.loads(bytes(text))
