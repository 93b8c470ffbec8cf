"""Handing over, against real servers that take it, refuse it, put it off, or break off at every point."""

import asyncio
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from time import monotonic
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.campaign.messaging.deciding import FAILED, SCHEDULED, SENT, UNCERTAIN, Reply
from services.campaign.messaging.server import MailServer, mail_server
from services.campaign.messaging.smtp import Carrier
from services.campaign.messaging.writing import compose
from tests.campaign.messaging.sink import DROP, SILENCE, only, scripted, sink

SENDER = Address("小店", addr_spec="news@shop.example")
SECONDS = 5.0
TO = "li.lei@example.com"


def mail(text: str = "您好") -> bytes:
    return compose(
        sender=SENDER,
        to=TO,
        subject="您好",
        text=text,
        message_id=uuid4(),
        at=datetime.now(UTC),
    )


def carrier(url: str, seconds: float = SECONDS) -> Carrier:
    server = mail_server(url)
    assert server is not None
    return Carrier(server, SENDER, seconds)


async def carried(one: Carrier, seconds: float = SECONDS, text: str = "您好") -> Reply:
    return await one.carry(TO, mail(text), monotonic() + seconds)


async def test_several_over_one_connection():
    async with sink() as there:
        one = carrier(there.url)
        for number in range(5):
            assert await carried(one, text=f"Nr. {number}") == Reply(SENT, code=250)
        await one.close()
        assert there.connections == 1
        assert [one.get_content() for one in there.mails()] == [f"Nr. {n}" for n in range(5)]
        [first, *_] = there.accepted
        assert (first.mail_from, first.rcpt_tos) == ("news@shop.example", [TO])


async def test_what_is_carried_is_what_arrives():
    """Lines that begin with a dot, and one that is nothing but one."""
    raw = b"Subject: x\r\n\r\n.\r\n..\r\n.hidden\r\nlast"
    async with sink() as there:
        one = carrier(there.url)
        assert (await one.carry(TO, raw + b"\r\n", monotonic() + SECONDS)).status == SENT
        assert there.accepted[0].content == raw + b"\r\n"
        await one.close()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (550, Reply(FAILED, "refused", 550)),
        (451, Reply(SCHEDULED, "deferred", 451)),
        (421, Reply(SCHEDULED, "deferred", 421)),
    ],
)
@pytest.mark.parametrize("step", ["on_mail", "on_rcpt", "on_data"])
async def test_the_server_says_no(step, code, expected):
    async with sink() as there:
        said = f"{code} no"
        setattr(there, step, lambda _: said)
        one = carrier(there.url)
        assert await carried(one) == expected
        assert there.accepted == []
        setattr(there, step, lambda _: None)
        assert (await carried(one)).status == SENT, "the next one is not hindered"
        await one.close()


@pytest.mark.parametrize("what", [DROP, SILENCE])
@pytest.mark.parametrize("step", ["on_mail", "on_rcpt"])
async def test_before_the_text_nothing_has_happened(step, what):
    async with sink() as there:
        setattr(there, step, lambda _: what)
        one = carrier(there.url)
        assert await carried(one, 0.3) == Reply(SCHEDULED, "unreachable")
        assert not one.begun
        assert there.taken == []


@pytest.mark.parametrize("what", [DROP, SILENCE])
async def test_after_the_text_nobody_knows(what):
    async with sink() as there:
        there.on_data = lambda _: what
        one = carrier(there.url)
        assert await carried(one, 0.5) == Reply(UNCERTAIN, "no_answer")
        assert one.begun
        assert len(there.taken) == 1


async def converse(reader, writer, *, then: str) -> None:
    """Go along until DATA; then do something odd."""
    writer.write(b"220 odd\r\n")
    while line := await reader.readline():
        if line.startswith(b"DATA"):
            break
        writer.write(b"250 OK\r\n")
    if then == "cut instead of 354":
        return
    if then == "nonsense instead of 354":
        writer.write(b"what?\r\n")
        await reader.read()
        return
    writer.write(b"354 go on\r\n")
    if then == "cut in the text":
        await reader.read(10)
        return
    await reader.readuntil(b"\r\n.\r\n")
    if then == "nonsense":
        writer.write(b"what?\r\n")
    elif then == "354 again":
        writer.write(b"354 more\r\n")
    await reader.read()


@pytest.mark.parametrize(
    ("then", "status"),
    [
        ("cut instead of 354", SCHEDULED),
        ("nonsense instead of 354", SCHEDULED),
        ("cut in the text", UNCERTAIN),
        ("nonsense", UNCERTAIN),
        ("354 again", UNCERTAIN),
    ],
)
async def test_odd_servers(then, status):
    async def talk(reader, writer):
        await converse(reader, writer, then=then)

    async with scripted(talk) as port:
        assert (await carried(carrier(f"smtp://127.0.0.1:{port}"), 1.0)).status == status


async def test_nobody_is_there():
    async with sink() as there:
        url = there.url
    one = carrier(url)
    assert await carried(one) == Reply(SCHEDULED, "unreachable")
    await one.close()


@pytest.mark.parametrize("greeting", [b"554 no service\r\n", b"421 busy\r\n", b"", b"what?\r\n"])
async def test_a_server_that_serves_nobody_says_nothing_of_the_message(greeting):
    async def talk(_reader, writer):
        writer.write(greeting)
        await writer.drain()

    async with scripted(talk) as port:
        found = await carried(carrier(f"smtp://127.0.0.1:{port}"))
        assert found == Reply(SCHEDULED, "unreachable")


async def test_a_connection_at_its_end_costs_no_message():
    """Servers take so many over one connection, or close it after a while."""
    async with sink() as there:
        one = carrier(there.url)
        assert (await carried(one)).status == SENT
        [used] = [one._smtp]
        used.transport.abort()
        assert (await carried(one)).status == SENT
        answers = iter(("421 too many", None))
        there.on_mail = lambda _: next(answers)
        assert (await carried(one)).status == SENT
        await one.close()
        assert there.connections == 3
        assert len(there.accepted) == 3


async def test_who_stood_still_does_not_begin():
    """Frozen between two answers: by now others may have taken it for lost."""
    async with sink() as there:
        one = carrier(there.url)
        deadline = monotonic() + 0.2
        announced = one._announce

        async def slow(to):
            code = await announced(to)
            while monotonic() < deadline:
                pass  # the process stands still: no timer of its own runs
            return code

        one._announce = slow
        reply = await one.carry(TO, mail(), deadline)
        assert reply == Reply(SCHEDULED, "unreachable")
        await asyncio.sleep(0.05)
        assert there.taken == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[str, str]:
    """One for 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sink")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(folder / "cert.pem"), str(folder / "key.pem")


@pytest.fixture
def tls(certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


async def test_starttls_is_used_where_it_is_offered(tls):
    async with sink(tls_context=tls, require_starttls=True) as there:
        assert (await carried(carrier(there.url))).status == SENT


async def test_starttls_is_demanded_where_it_must_be():
    async with sink() as there:
        reply = await carried(carrier(f"{there.url}?starttls=required"))
        assert reply == Reply(SCHEDULED, "unreachable")
        assert there.taken == []


async def test_a_password_is_told_to_a_server_that_proves_who_it_is(tls, certificate, monkeypatch):
    options = {"authenticator": only("us er", "p@ss"), "auth_required": True}
    async with sink(tls_context=tls, **options) as there:
        url = there.url.replace("//", "//us%20er:p%40ss@")
        assert await carried(carrier(url)) == Reply(SCHEDULED, "unreachable"), "signed by nobody"
        monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
        assert (await carried(carrier(url))).status == SENT
        wrong = await carried(carrier(url.replace("p%40ss", "wrong")))
        assert wrong == Reply(SCHEDULED, "unreachable"), "our fault, not the message's"


async def test_no_password_in_the_clear():
    seen = []

    async def talk(reader, writer):
        writer.write(b"220 x\r\n")
        while line := await reader.readline():
            seen.append(line)
            writer.write(b"250-x\r\n250 AUTH PLAIN LOGIN\r\n")

    async with scripted(talk) as port:
        reply = await carried(carrier(f"smtp://user:secret@127.0.0.1:{port}"), 1.0)
    assert reply == Reply(SCHEDULED, "unreachable")
    assert seen
    assert not any(line.startswith(b"AUTH") for line in seen)


async def test_tls_from_the_first_byte(tls, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
    async with sink(tls=tls) as there:
        assert (await carried(carrier(f"smtps://127.0.0.1:{there.port}"))).status == SENT


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail", MailServer("mail", 587)),
        ("smtp://mail:25?starttls=required", MailServer("mail", 25, starttls=True)),
        ("smtp://u:p%40@mail", MailServer("mail", 587, "u", "p@", starttls=True)),
        ("smtp://u:p@mail?starttls=optional", MailServer("mail", 587, "u", "p", starttls=None)),
        (
            "smtps://u:p@[::1]:4650",
            MailServer("::1", 4650, "u", "p", tls=True, starttls=False),
        ),
    ],
)
def test_urls(url, expected):
    assert mail_server(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        *("mail:25", "http://mail", "smtp://", "smtp://mail/x", "smtp://mail?a=1", "smtp://mail:x"),
        *("smtps://mail?starttls=required", "smtp://mail?starttls=never"),
    ],
)
def test_no_urls(url):
    with pytest.raises(ValueError):
        mail_server(url)
    assert mail_server("") is None
