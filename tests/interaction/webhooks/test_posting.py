"""One attempt, against real servers."""

import asyncio
import datetime as dt
import ipaddress
import ssl
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.interaction.webhooks import addresses, posting
from services.interaction.webhooks.posting import Post
from services.interaction.webhooks.trying import Answer
from tests.interaction.webhooks.receiver import Reply, in_turn, receiving

HEADERS = {"webhook-id": "m-1", "webhook-timestamp": "1", "webhook-signature": "v1,x"}


async def post(
    url: str, *, private: bool = True, seconds: float = 5.0, body: bytes = b"{}"
) -> Answer:
    async with Post(private=private, seconds=seconds) as made:
        return await made.send(url, body, HEADERS)


async def test_what_is_sent():
    async with receiving() as there:
        assert await post(there.url + "?a=b%20c", body='{"名": 1}'.encode()) == Answer(
            "accepted", 204
        )
    [got] = there.got
    assert (got.path, got.body) == ("/hook?a=b%20c", '{"名": 1}'.encode())
    assert got.headers["host"] == f"127.0.0.1:{there.port}"
    assert got.headers["content-type"] == "application/json"
    assert HEADERS.items() <= got.headers.items()


@pytest.mark.parametrize(
    ("status", "why"),
    [(200, "accepted"), (202, "accepted"), (400, "status"), (410, "gone"), (500, "status")],
)
async def test_the_status_decides(status, why):
    async with receiving(in_turn(status)) as there:
        assert await post(there.url) == Answer(why, status)


async def test_retry_after_is_heard():
    async with receiving(in_turn(503, headers={"Retry-After": "120"})) as there:
        assert await post(there.url) == Answer("status", 503, "120")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_nothing_is_followed(status):
    async with (
        receiving() as inside,
        receiving(in_turn(status, headers={"Location": inside.url})) as there,
    ):
        assert await post(there.url) == Answer("status", status)
    assert (len(there.got), len(inside.got)) == (1, 0)


async def test_a_private_address_is_asked_for_nothing(monkeypatch):
    async with receiving() as there:
        url = f"https://127.0.0.1:{there.port}/"
        assert await post(url, private=False) == Answer("webhook_address")
        for host in ("localhost", "2130706433", "0x7f.1"):
            url = f"https://{host}:{there.port}/"
            assert await post(url, private=False) == Answer("webhook_address"), host
        assert await post(there.url, private=False) == Answer("webhook_url"), "saved when it was"
    assert there.got == []


async def test_a_name_is_looked_up_once_and_what_was_judged_is_connected_to(monkeypatch):
    """However often the name changes its mind."""
    async with receiving() as there:
        meanings = [["127.0.0.1"], ["169.254.169.254"]]
        monkeypatch.setattr(
            addresses, "_look_up", lambda *_: list(map(ipaddress.ip_address, meanings.pop(0)))
        )
        url = f"http://rebinding.test:{there.port}/"
        assert await post(url) == Answer("accepted", 204)
        assert there.got[0].headers["host"] == f"rebinding.test:{there.port}"
        assert await post(url) == Answer("webhook_address")
    assert len(there.got) == 1


async def test_ipv6():
    try:
        async with receiving(host="::1") as there:
            assert await post(f"http://[::1]:{there.port}/x") == Answer("accepted", 204)
            assert await post(f"https://[::1]:{there.port}/x", private=False) == Answer(
                "webhook_address"
            )
    except OSError:
        pytest.skip("no IPv6 here")
    assert [one.headers["host"] for one in there.got] == [f"[::1]:{there.port}"]


async def test_the_next_address_where_nobody_answers_at_the_first(monkeypatch):
    async with receiving() as there:
        both = ["127.0.0.9", "127.0.0.1"]
        monkeypatch.setattr(addresses, "_look_up", lambda *_: list(map(ipaddress.ip_address, both)))
        assert await post(f"http://two.test:{there.port}/") == Answer("accepted", 204)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(seconds=30),
        Reply(how="half"),
        Reply(200, how="endless"),
        Reply(how="nothing"),
    ],
    ids=lambda reply: reply.how,
)
async def test_slow_and_broken(reply):
    async with receiving(lambda _: reply) as there:
        began = time.monotonic()
        answer = await post(there.url, seconds=0.3)
        assert time.monotonic() - began < 5
    wanted = {
        "endless": Answer("accepted", 200),
        "nothing": Answer("broken"),
        "half": Answer("broken"),
    }
    assert answer == wanted.get(reply.how, Answer("timeout"))


async def test_nobody_there():
    async with receiving() as there:
        url = there.url
    assert await post(url) == Answer("unreachable")
    assert await post("https://nobody.invalid/") == Answer("unknown_host")


async def test_no_answer_to_the_first_packet(monkeypatch):
    """A listener that takes nobody: the connection hangs, and so does the server that drips."""

    async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"H")
                await writer.drain()
                await asyncio.sleep(0.05)
        except ConnectionError:
            pass

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert (await post(f"http://127.0.0.1:{port}/", seconds=0.4)).why in {"timeout", "broken"}
    server.close()


async def test_no_proxy_of_the_environment_is_asked(monkeypatch):
    async with receiving() as proxy, receiving() as there:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        assert await post(there.url) == Answer("accepted", 204)
    assert (len(there.got), len(proxy.got)) == (1, 0)


@pytest.fixture
def authority(tmp_path, monkeypatch):
    """Makes contexts of servers whom we believe, for a name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of a test")])

    def signed(
        subject: x509.Name, public: ec.EllipticCurvePublicKey, *more: tuple
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
        )
        for extension, critical in more:
            made = made.add_extension(extension, critical)
        return made.sign(key, hashes.SHA256())

    def server(host: str) -> ssl.SSLContext:
        own = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        certificate = signed(subject, own.public_key(), (names, False))
        path = tmp_path / f"{host}.pem"
        path.write_bytes(
            own.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    constraints = x509.BasicConstraints(ca=True, path_length=None)
    itself = signed(name, key.public_key(), (constraints, True))
    (tmp_path / "ca.pem").write_bytes(itself.public_bytes(serialization.Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setattr(addresses, "_look_up", lambda *_: [ipaddress.ip_address("127.0.0.1")])
    posting._certificates.cache_clear()
    yield server
    posting._certificates.cache_clear()


async def test_the_certificate_has_to_be_that_of_the_name(authority):
    """Though it is an address that is connected to."""
    async with receiving(tls=authority("crm.test")) as there:
        assert await post(f"https://crm.test:{there.port}/") == Answer("accepted", 204)
        assert await post(f"https://other.test:{there.port}/") == Answer("tls")
        assert await post(f"https://127.0.0.1:{there.port}/") == Answer("tls")
    assert [one.headers["host"] for one in there.got] == [f"crm.test:{there.port}"]


async def test_whom_nobody_knows_is_not_believed(authority):
    context = authority("crm.test")
    posting._certificates.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SSL_CERT_FILE")
        async with receiving(tls=context) as there:
            assert await post(f"https://crm.test:{there.port}/") == Answer("tls")
    assert there.got == []


async def test_no_connection_is_used_twice(authority):
    """One that was made for a name would serve another name at the same address."""
    async with (
        receiving(tls=authority("crm.test")) as there,
        Post(private=True, seconds=5) as made,
    ):
        for host, why in (
            ("crm.test", "accepted"),
            ("other.test", "tls"),
            ("crm.test", "accepted"),
        ):
            answer = await made.send(f"https://{host}:{there.port}/", b"{}", HEADERS)
            assert answer.why == why
