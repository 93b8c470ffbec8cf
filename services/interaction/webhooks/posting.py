"""One attempt over HTTP: a new connection to an address that was judged, nothing followed, nothing read but headers."""

import asyncio
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from types import TracebackType
from typing import Self

import httpx

from services.interaction.webhooks.addresses import Address, Lookup, RefusedError, read_url
from services.interaction.webhooks.trying import Answer, answered

MOST_ADDRESSES = 3
"""Of one host that are tried."""
_HEADERS = {"content-type": "application/json", "user-agent": "Tenure-Webhooks/1"}


@lru_cache(maxsize=1)
def _certificates() -> ssl.SSLContext:
    """Whom we believe: well-known authorities, or those that SSL_CERT_FILE names. Reading them takes a while."""
    return httpx.create_ssl_context()


class Post:
    """Sends; `async with` it."""

    def __init__(self, *, private: bool, seconds: float) -> None:
        """`seconds`: of one attempt as a whole."""
        self._private = private
        self._seconds = seconds
        self._lookup = Lookup()
        # A connection is known by its address: kept, it would serve another name behind the same one.
        self._client = httpx.AsyncClient(
            verify=_certificates(),
            trust_env=False,
            timeout=seconds,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lookup.close()
        await self._client.aclose()

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Never raises for what the other side does."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._send(url, body, headers)
        except RefusedError as refused:
            return Answer(refused.code)
        except (TimeoutError, httpx.TimeoutException):
            return Answer("timeout")
        except httpx.ConnectError as error:
            return Answer("tls" if _is_tls(error) else "unreachable")
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
            return Answer("broken")

    async def _send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        target = read_url(url, private=self._private)
        addresses = await self._lookup.allowed(target, private=self._private)
        *others, last = addresses[:MOST_ADDRESSES]
        seconds = self._seconds / (len(others) + 1)
        for address in others:
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):
                return await self._ask(target, address, seconds, body, headers)
        return await self._ask(target, last, seconds, body, headers)

    async def _ask(
        self,
        target: httpx.URL,
        address: Address,
        connect_seconds: float,
        body: bytes,
        headers: Mapping[str, str],
    ) -> Answer:
        """Ask the address for what the name would be asked for; its certificate has to be the name's."""
        request = self._client.build_request(
            "POST",
            target.copy_with(host=str(address)),
            content=body,
            headers={**headers, **_HEADERS, "host": target.netloc.decode()},
            timeout=httpx.Timeout(self._seconds, connect=connect_seconds),
            extensions={"sni_hostname": target.raw_host.decode()},
        )
        answer = await self._client.send(request, stream=True, follow_redirects=False)
        await answer.aclose()
        return answered(answer.status_code, answer.headers.get("retry-after", ""))


def _is_tls(error: BaseException) -> bool:
    return any(isinstance(one, ssl.SSLError) for one in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
