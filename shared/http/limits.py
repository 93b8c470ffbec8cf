"""How much one caller may ask of this process, and how often one address may be wrong.

Token buckets in memory, a process each: with three API processes behind one address a caller gets three times as
much. What is remembered is bounded; who was not seen for longest is forgotten first, and begins with a full bucket.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Generic, TypeVar

from starlette.datastructures import Headers
from starlette.types import Scope

from shared.access.caller import Caller
from shared.errors import TooManyRequests
from shared.settings import KernelSettings

MOST = 10_000
_MINUTE = 60.0
_ADDRESS_BITS = 64
"""One household or server has a whole /64 of IPv6 addresses."""

K = TypeVar("K")


class Buckets(Generic[K]):
    """Each key's tokens: `rate` come back a second, up to `burst`."""

    def __init__(self, now: Callable[[], float], most: int = MOST) -> None:
        self._now = now
        self._most = most
        self._levels: OrderedDict[K, tuple[float, float]] = OrderedDict()

    def level(self, key: K, rate: float, burst: float) -> float:
        """The tokens that are there; fewer than one: nothing may be taken."""
        level, at = self._levels.get(key, (burst, self._now()))
        return min(burst, level + (self._now() - at) * rate)

    def take(self, key: K, rate: float, burst: float) -> float:
        """Take one token and answer how many are left; below 0 there was none, and none is taken."""
        level = self.level(key, rate, burst)
        left = level - 1
        self._levels[key] = (level if left < 0 else left, self._now())
        self._levels.move_to_end(key)
        if len(self._levels) > self._most:
            self._levels.popitem(last=False)
        return left

    def __len__(self) -> int:
        return len(self._levels)


def _refusal(code: str, seconds: float, limit: float) -> TooManyRequests:
    problem = TooManyRequests(code, retry_after=seconds)
    problem.params = {"seconds": max(1, math.ceil(seconds)), "limit": f"{limit:g}"}
    return problem


class Limits:
    """What require() asks before and after it knows who calls."""

    def __init__(self, settings: KernelSettings, now: Callable[[], float] = time.monotonic) -> None:
        self._rate = settings.rate_limit_per_second
        self._burst = settings.rate_limit_burst
        self._failures = settings.auth_failures_per_minute
        self._proxies = frozenset(
            proxy for part in settings.trusted_proxies.split(",") if (proxy := _address(part))
        )
        self._callers: Buckets[bytes] = Buckets(now)
        self._addresses: Buckets[bytes] = Buckets(now)
        self._good: OrderedDict[bytes, None] = OrderedDict()

    def pass_caller(self, caller: Caller) -> list[tuple[bytes, bytes]]:
        """Count a request of a caller; answer the headers that say what is left. Raises TooManyRequests."""
        rate = self._rate if caller.rate is None else caller.rate
        if rate <= 0:
            return []
        burst = float(max(self._burst, math.ceil(rate), 1))
        left = self._callers.take(caller.id.bytes, rate, burst)
        headers = _standing(left, rate, burst)
        if left < 0:
            problem = _refusal("rate_limited", -left / rate, rate)
            problem.headers |= {name.decode(): value.decode() for name, value in headers}
            raise problem
        return headers

    def pass_address(self, scope: Scope, credentials: str) -> None:
        """Before anybody looks whose credentials they are. Raises TooManyRequests for an address that was wrong
        too often; who was right before still passes, whoever shares the address."""
        if self._failures <= 0 or not len(self._addresses):
            return
        rate = self._failures / _MINUTE
        level = self._addresses.level(self._client(scope), rate, self._failures)
        if level < 1 and _fingerprint(credentials) not in self._good:
            raise _refusal("too_many_failures", (1 - level) / rate, self._failures)

    def right(self, credentials: str) -> None:
        """These credentials opened."""
        if self._failures > 0:
            key = _fingerprint(credentials)
            self._good[key] = None
            self._good.move_to_end(key)
            if len(self._good) > MOST:
                self._good.popitem(last=False)

    def wrong(self, scope: Scope, credentials: str) -> None:
        """These opened nothing."""
        if self._failures > 0:
            self._good.pop(_fingerprint(credentials), None)
            self._addresses.take(self._client(scope), self._failures / _MINUTE, self._failures)

    def _client(self, scope: Scope) -> bytes:
        """The network of the client: what the last proxy that we trust says, else who connected."""
        peer = _address((scope.get("client") or ("", 0))[0])
        if peer in self._proxies:
            chain = ",".join(Headers(scope=scope).getlist("x-forwarded-for")).split(",")
            for part in reversed(chain):
                named = _address(part)
                if named is None:
                    break
                peer = named
                if named not in self._proxies:
                    break
        return _network(peer)


def _standing(left: float, rate: float, burst: float) -> list[tuple[bytes, bytes]]:
    level = max(left, 0.0)
    full = math.ceil((burst - level) / rate)
    return [
        (b"RateLimit-Limit", b"%d" % burst),
        (b"RateLimit-Remaining", b"%d" % level),
        (b"RateLimit-Reset", b"%d" % full),
    ]


def _fingerprint(credentials: str) -> bytes:
    return blake2b(credentials.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text.strip())
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def _network(address: IPv4Address | IPv6Address | None) -> bytes:
    if address is None:
        return b""
    packed = address.packed
    return packed[: _ADDRESS_BITS // 8] if isinstance(address, IPv6Address) else packed
