"""Where a webhook may go. A name is looked up, the addresses that come of it are judged, and one of those that pass is
what is connected to: nobody gets into the company's own network by a name, whatever it means the next moment.
"""

import asyncio
import ipaddress
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address

import httpx

LONGEST = 2000
THREADS = 50
"""One for each endpoint: a name server that does not answer holds up nobody else's."""
_HOST = re.compile(rb"[A-Za-z0-9._:-]+")
_OLD_IN_NEW = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::/96"))
"""Where an address of the old kind stands in the last four bytes."""
_NEVER = (
    ipaddress.IPv4Network("168.63.129.16/32"),
    ipaddress.IPv6Network("fd00:ec2::254/128"),
    ipaddress.IPv6Network("64:ff9b:1::/48"),
)
"""Metadata of machines in a cloud that is not link-local; what a network translates as it likes."""

Address = IPv4Address | IPv6Address


class RefusedError(Exception):
    """`code` says why nothing is sent there."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def read_url(text: str, *, private: bool) -> httpx.URL:
    """The address, as far as it can be judged by its looks. Raises RefusedError. `private`: whether http, loopback and
    private addresses are allowed."""
    try:
        url = httpx.URL(text)
        port = url.port
    except (httpx.InvalidURL, ValueError):
        raise RefusedError("webhook_url") from None
    bad = (
        len(text) > LONGEST
        or _HOST.fullmatch(url.raw_host) is None
        or url.userinfo
        or url.fragment
        or not (port is None or 0 < port < 65536)
    )
    if bad or url.scheme not in (("https", "http") if private else ("https",)):
        raise RefusedError("webhook_url")
    literal = _literal(url.raw_host.decode())
    if literal is not None and not is_allowed(literal, url.scheme, private=private):
        raise RefusedError("webhook_address")
    return url


def is_allowed(address: Address, scheme: str, *, private: bool) -> bool:
    """Whether something may be sent there. In the open only encrypted; at home only where that is switched on."""
    inner = _inner(address)
    if inner is not None:
        return is_allowed(inner, scheme, private=private)
    if address.is_multicast or address.is_unspecified or address.is_link_local:
        return False
    if any(address in network for network in _NEVER):
        return False
    if isinstance(address, IPv6Address) and address.is_site_local:
        return False
    if address.is_global:
        return scheme == "https"
    # What is left besides: shared (100.64/10), reserved, documentation.
    return private and (address.is_loopback or (address.is_private and not address.is_reserved))


def _inner(address: Address) -> IPv4Address | None:
    """The address of the old kind that one of the new kind stands for."""
    if isinstance(address, IPv4Address) or address.is_loopback or address.is_unspecified:
        return None
    if any(address in network for network in _OLD_IN_NEW):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


class Lookup:
    """Looks names up, each once at a time, whoever asks."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="webhook-names")
        self._asked: dict[tuple[str, int], asyncio.Future[list[Address]]] = {}

    async def allowed(self, url: httpx.URL, *, private: bool) -> list[Address]:
        """Those addresses of a host that may be sent to, in the order of the name service. Raises RefusedError."""
        found = await self._addresses(url.raw_host.decode(), url.port or _port(url.scheme))
        if not found:
            raise RefusedError("unknown_host")
        good = [one for one in found if is_allowed(one, url.scheme, private=private)]
        if not good:
            raise RefusedError("webhook_address")
        return good

    async def _addresses(self, host: str, port: int) -> list[Address]:
        literal = _literal(host)
        if literal is not None:
            return [literal]
        asked = self._asked.get((host, port))
        if asked is None:
            loop = asyncio.get_running_loop()
            asked = loop.run_in_executor(self._threads, _look_up, host, port)
            self._asked[host, port] = asked
            asked.add_done_callback(lambda _: self._asked.pop((host, port), None))
        return await asyncio.shield(asked)

    def close(self) -> None:
        """Wait for nobody."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    names = [str(one[4][0]).partition("%")[0] for one in found]
    return [ipaddress.ip_address(name) for name in dict.fromkeys(names)]


def _port(scheme: str) -> int:
    return 443 if scheme == "https" else 80
