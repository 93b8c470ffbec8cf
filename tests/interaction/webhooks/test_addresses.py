"""Where a webhook may go, and where not."""

import asyncio
import ipaddress
import socket
import threading

import httpx
import pytest

from services.interaction.webhooks import addresses
from services.interaction.webhooks.addresses import Lookup, RefusedError, is_allowed, read_url

ANYWHERE = ("8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")
AT_HOME = (
    *("127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("::1", "fc00::1", "fd12::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1"),
    *("64:ff9b::7f00:1", "2002:7f00:1::", "2002:a00:1::1"),
)
NOWHERE = (
    *("169.254.169.254", "169.254.1.1", "fe80::1", "fec0::1", "100.100.100.200", "100.64.0.1"),
    *("0.0.0.0", "::", "224.0.0.1", "239.1.1.1", "ff02::1", "255.255.255.255", "240.0.0.1"),
    *("168.63.129.16", "fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"),
    *("64:ff9b:1::1", "::ffff:168.63.129.16", "2002:a9fe:a9fe::"),
)


def allowed(address: str) -> list[tuple[str, bool]]:
    """In which schemes, and with which setting."""
    one = ipaddress.ip_address(address)
    return [
        (scheme, private)
        for scheme in ("https", "http")
        for private in (False, True)
        if is_allowed(one, scheme, private=private)
    ]


@pytest.mark.parametrize("address", ANYWHERE)
def test_in_the_open_only_encrypted(address):
    assert allowed(address) == [("https", False), ("https", True)]


@pytest.mark.parametrize("address", AT_HOME)
def test_at_home_only_where_it_is_switched_on(address):
    assert allowed(address) == [("https", True), ("http", True)]


@pytest.mark.parametrize("address", NOWHERE)
def test_never(address):
    assert allowed(address) == []


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "/hook", "//host/x", "mailto:a@b", "ftp://host/", "file:///etc/passwd"),
        *("https://", "https:///x", "https://user@host/", "https://user:pw@host/", "https://h/#x"),
        *("https://h:0/", "https://h:99999/", "https://h:x/", "https://a b/", "https://h\n.x/"),
        *("https://0177.0.0.1/", "https://[::1/", "https://[fe80::1%25eth0]/", "https://ho%73t/"),
        "https://h/" + "x" * 2000,
    ],
)
@pytest.mark.parametrize("private", [False, True])
def test_what_is_no_address(text, private):
    with pytest.raises(RefusedError, match="webhook_url"):
        read_url(text, private=private)


def test_http_only_where_it_is_switched_on():
    with pytest.raises(RefusedError, match="webhook_url"):
        read_url("http://host/x", private=False)
    assert read_url("http://host/x", private=True).host == "host"
    with pytest.raises(RefusedError, match="webhook_address"):
        read_url("http://8.8.8.8/x", private=True)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "10.0.0.1", "169.254.169.254", "[::ffff:7f00:1]"]
)
def test_a_plain_address_is_judged_at_once(host):
    with pytest.raises(RefusedError, match="webhook_address"):
        read_url(f"https://{host}/x", private=False)


async def looked_up(url: str, *, private: bool = False) -> list[str]:
    lookup = Lookup()
    try:
        return [str(one) for one in await lookup.allowed(httpx.URL(url), private=private)]
    finally:
        lookup.close()


@pytest.mark.parametrize(
    "host", ["localhost", "2130706433", "0x7f000001", "127.1", "0x7f.1", "[::1]"]
)
async def test_whatever_means_this_machine(host):
    """Names and the old spellings of numbers are what the system makes of them."""
    with pytest.raises(RefusedError, match="webhook_address"):
        await looked_up(f"https://{host}/")
    assert set(await looked_up(f"https://{host}/", private=True)) <= {"127.0.0.1", "::1"}


async def test_a_name_that_means_nothing():
    with pytest.raises(RefusedError, match="unknown_host"):
        await looked_up("https://nobody.invalid/")
    with pytest.raises(RefusedError, match="unknown_host"):
        await looked_up(f"https://{'x' * 80}.invalid/")


def answers(monkeypatch, **names: list[str]) -> None:
    def look_up(host: str, port: int, **_: object) -> list[tuple]:
        return [(None, None, None, "", (one, port)) for one in names[host.partition(".")[0]]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


async def test_of_several_only_those_that_may_be(monkeypatch):
    answers(monkeypatch, mixed=["10.0.0.1", "8.8.8.8", "::1", "8.8.4.4"], bad=["fe80::1%eth0"])
    assert await looked_up("https://mixed.test/") == ["8.8.8.8", "8.8.4.4"]
    with pytest.raises(RefusedError, match="webhook_address"):
        await looked_up("https://bad.test/", private=True)


async def test_a_name_server_that_does_not_answer_holds_up_nobody_else(monkeypatch):
    """And the same name is asked for once, however many wait for it."""
    asked, answering = [], threading.Event()

    def look_up(host: str, port: int) -> list:
        asked.append(host)
        if host == "slow.test":
            answering.wait(30)
        return [ipaddress.ip_address("8.8.8.8")]

    monkeypatch.setattr(addresses, "_look_up", look_up)
    lookup = Lookup()
    slow = [
        asyncio.create_task(lookup.allowed(httpx.URL("https://slow.test/"), private=False))
        for _ in range(40)
    ]
    try:
        for _ in range(3):
            await lookup.allowed(httpx.URL("https://fast.test/"), private=False)
        assert not any(one.done() for one in slow)
        slow.pop().cancel()  # who gives up does not take the others with them
    finally:
        answering.set()
    assert {str(one) for found in await asyncio.gather(*slow) for one in found} == {"8.8.8.8"}
    assert asked.count("slow.test") == 1
    lookup.close()
