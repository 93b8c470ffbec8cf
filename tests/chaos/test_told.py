"""Does the harness see what is sent twice, or not at all? The servers, and O5 on made-up logs."""

import base64
import contextlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import aiosmtplib
import httpx
import pytest

from tests.chaos.ledger import Command, Erasure, Ledger, Letter, Restored
from tests.chaos.letters import (
    BROKEN,
    BUSY,
    CAP,
    DROP,
    MAIL_SECONDS,
    MARK,
    REFUSE,
    SLOW,
    WELL,
    MailServer,
    Received,
    Receiver,
    Taken,
)
from tests.chaos.told import Told, is_ours, is_wanted

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = b"k" * 32
SECRET = "whsec_" + base64.b64encode(KEY).decode()
MARKS = ["a" * 32, "b" * 32, "c" * 32]


# The servers ---------------------------------------------------------------------------------------


@pytest.fixture
async def mail():
    server = MailServer()
    await server.start()
    yield server
    await server.stop()


def _hand_over(server, seconds=1.0):
    text = f"Message-ID: <m1@example.com>\r\nSubject: s\r\n\r\nThis: {MARK}{MARKS[0]}.\r\n"
    return aiosmtplib.send(
        text,
        sender="us@example.com",
        recipients=["you@example.com"],
        hostname="127.0.0.1",
        port=server.port,
        timeout=seconds,
    )


@pytest.mark.parametrize(("mood", "code"), [(WELL, 250), (BUSY, 451), (REFUSE, 550)])
async def test_the_mail_server_writes_down_what_it_answered(mail, mood, code):
    mail.mood = mood
    with contextlib.suppress(aiosmtplib.SMTPDataError):
        await _hand_over(mail)
    (one,) = mail.taken
    assert (one.id, one.to, one.mark, one.code) == ("m1", "you@example.com", MARKS[0], code)


@pytest.mark.parametrize("mood", [DROP, SLOW])
async def test_what_it_did_not_answer_is_taken_all_the_same(mail, mood):
    mail.mood = mood
    with pytest.raises(aiosmtplib.SMTPException):
        await _hand_over(mail, 0.3)
    assert [one.code for one in mail.taken] == [None]


@pytest.mark.parametrize(
    ("mood", "status"), [(WELL, 200), (BROKEN, 500), (DROP, None), (SLOW, None)]
)
async def test_the_receiver_writes_down_what_it_answered(mood, status):
    receiver = Receiver(mood)
    await receiver.start()
    async with httpx.AsyncClient(trust_env=False, timeout=0.5) as client:
        try:
            answer = await client.post(receiver.url, content=b"{}", headers={"webhook-id": "w1"})
            assert answer.status_code == status
        except httpx.TransportError:
            assert status is None
    (one,) = receiver.received
    assert (one.headers["webhook-id"], one.body, one.status) == ("w1", b"{}", status)
    await receiver.stop()


# Messages ------------------------------------------------------------------------------------------


class Sent:
    """A message that was asked for, sent and said to be."""

    def __init__(self) -> None:
        self.ledger = Ledger(letters=[_letter(0)])
        self.taken = [_taken(0, 250)]
        self.rows = [_row(0, "sent")]
        self.said = ["message.sent"]
        self.slack = 0.0

    def stands(self, status: str, *codes: int | None, reason: str = "", said: str = "") -> None:
        """How it stands, is said to, and what the server answered one time after the other."""
        self.rows = [_row(0, status, reason)]
        told = said or f"message.{status}"
        self.said = [] if status in {"scheduled", "sending"} else [told]
        self.taken = [_taken(0, code, float(at)) for at, code in enumerate(codes)]

    def wrong(self) -> list[str]:
        told = Told(self.ledger, ["complaint.*"])
        for type_ in self.said:
            told.read({"id": "e", "type": type_, "subject": "c0", "data": {"message_id": "m0"}})
        told.check_messages(self.taken, self.rows, NOW, self.slack)
        return told.wrong


def _letter(number: int) -> Letter:
    command = Command("message", "n", MARKS[number], {}, 3, True, True)
    return Letter(command, "service", f"m{number}", 5.0)


def _taken(number: int, code: int | None, at: float = 6.0) -> Taken:
    return Taken(f"m{number}", "you@example.com", MARKS[number], at, code)


def _row(number: int, status: str, reason: str = "") -> dict:
    when = NOW + timedelta(seconds=60)
    row = {"id": f"m{number}", "customer_id": "c0", "purpose": "service", "status": status}
    return {**row, "reason": reason, "due_at": when, "until": when}


@pytest.fixture
def sent():
    return Sent()


def test_content_with_a_message_that_was_sent_once(sent):
    assert sent.wrong() == []


@pytest.mark.parametrize(
    ("status", "codes", "right"),
    [
        ("sent", (250,), True),
        ("sent", (451, 451, 250), True),
        ("uncertain", (250,), True),  # its sender died before it was written down
        ("uncertain", (None,), True),
        ("uncertain", (), True),
        ("uncertain", (451,), True),
        ("failed", (550,), True),
        ("failed", (451, 550), True),
        ("withheld", (), True),
        ("scheduled", (451,), True),
        ("sent", (), False),
        ("sent", (None,), False),
        ("sent", (451,), False),
        ("failed", (250,), False),
        ("failed", (None,), False),
        ("failed", (), False),
        ("withheld", (250,), False),
        ("scheduled", (None,), False),
        ("sent", (250, 250), False),
        ("sent", (None, 250), False),
        ("uncertain", (None, None), False),
        ("failed", (550, 550), False),
    ],
)
def test_how_a_message_may_stand_follows_from_what_the_server_answered(sent, status, codes, right):
    sent.stands(status, *codes)
    assert (sent.wrong() == []) == right


def test_it_sees_what_is_never_done(sent):
    sent.stands("scheduled", 451)
    sent.rows[0]["due_at"] = NOW - timedelta(seconds=40)
    assert any("scheduled" in text for text in sent.wrong())
    sent.slack = 20.0
    assert sent.wrong() == []


@pytest.mark.parametrize(
    "said",
    [
        [],
        ["message.sent", "message.sent"],
        ["message.uncertain"],
        ["message.sent", "message.failed"],
    ],
)
def test_it_sees_what_is_not_said_or_said_otherwise(sent, said):
    sent.said = said
    assert any("said to be" in text for text in sent.wrong())


def test_it_sees_what_is_lost_unless_a_database_went_back(sent):
    sent.rows, sent.taken, sent.said = [], [], []
    assert any("was acknowledged" in text for text in sent.wrong())
    sent.taken = [_taken(0, 451)]
    assert any("handed over, and nobody" in text for text in sent.wrong())
    sent.ledger.restored.append(Restored("campaign", 7.0))
    assert sent.wrong() == []
    sent.ledger.letters[0].at = 8.0
    assert any("was acknowledged" in text for text in sent.wrong())


def test_it_sees_a_command_that_was_done_twice_or_never_given(sent):
    sent.rows.append(_row(1, "withheld"))
    assert any("nobody asked for" in text for text in sent.wrong())
    sent.ledger.letters.append(_letter(1))
    sent.ledger.letters[1].id = ""
    assert not any("nobody asked for" in text for text in sent.wrong()), "its answer was lost"
    other = _taken(1, 250)
    other.mark = MARKS[0]
    sent.taken.append(other)
    assert any("is 2 messages" in text for text in sent.wrong())


def test_it_sees_too_much_marketing(sent):
    sent.ledger.letters = [_letter(n) for n in range(CAP + 1)]
    sent.rows = [_row(n, "uncertain") | {"purpose": "marketing"} for n in range(CAP + 1)]
    sent.taken = [_taken(n, None) for n in range(CAP)]
    assert not any("of marketing" in text for text in sent.wrong())
    sent.taken.append(_taken(CAP, 250))
    assert any("of marketing" in text for text in sent.wrong())


def test_it_sees_what_is_sent_to_who_was_erased(sent):
    done = 6.0 - MAIL_SECONDS - 0.5
    sent.ledger.erasures = [Erasure("n", ("c0",), NOW, 0.0, 1, "made", "E", done)]
    assert sent.wrong() == [], "it was on its way"
    sent.taken[0].at += 5
    assert any("is done, and" in text for text in sent.wrong())


# Webhooks ------------------------------------------------------------------------------------------


def _event(number: int, type_: str = "complaint.opened", **more) -> dict:
    event = {"id": f"e{number}", "type": type_, "source": "crm", "subject": "c0", "data": {}}
    return {**event, **more}


def _came(number: int, under: str, status: int | None = 200, type_="complaint.opened") -> Received:
    data = {"id": f"e{number}", "type": type_, "source": "crm"}
    body = json.dumps({"type": type_, "data": data}).encode()
    made = hmac.digest(KEY, f"{under}.1.".encode() + body, "sha256")
    signature = f"v1,other v1,{base64.b64encode(made).decode()}"
    headers = {"webhook-id": under, "webhook-timestamp": "1", "webhook-signature": signature}
    return Received(headers, body, 1.0, status)


def _wrong(events, received, waiting=()) -> list[str]:
    told = Told(Ledger(), ["complaint.*", "survey.answered"])
    for event in events:
        told.read(event)
    told.check_webhooks(received, SECRET, waiting)
    return told.wrong


def test_content_where_everybody_was_told():
    received = [_came(1, "w1", 500), _came(1, "w1", None), _came(1, "w1"), _came(2, "w2")]
    unwanted = [_event(3, "purchase.completed"), _event(4, history="i"), _event(5, subject=None)]
    assert _wrong([_event(1), _event(2), *unwanted], received) == []


def test_it_sees_who_was_not_told():
    assert any("never tried" in text for text in _wrong([_event(1)], []))
    assert any("was tried" in text for text in _wrong([_event(1)], [_came(1, "w1", 500)]))
    assert _wrong([_event(1)], [], waiting=["e1"]) == []


def test_it_sees_two_webhook_ids_of_one_event_and_one_of_two():
    assert any("w1" in text for text in _wrong([_event(1)], [_came(1, "w1"), _came(1, "w2")]))
    both = [_event(1), _event(2)]
    assert any("e1" in text for text in _wrong(both, [_came(1, "w1"), _came(2, "w1")]))


def test_it_sees_what_nobody_wants_or_what_is_told_wrongly():
    bought = _event(1, "purchase.completed")
    came = _came(1, "w1", type_="purchase.completed")
    assert any("nobody wants" in text for text in _wrong([bought], [came]))
    assert any("it is crm2" in text for text in _wrong([_event(1, source="crm2")], [_came(1, "w")]))


def test_it_sees_a_signature_that_is_not_ours():
    one = _came(1, "w1")
    assert is_ours(one, SECRET)
    assert not is_ours(one, "whsec_" + base64.b64encode(b"x" * 32).decode())
    one.body += b" "
    assert any("signed by somebody" in text for text in _wrong([_event(1)], [one]))


def test_patterns_name_types():
    assert is_wanted("complaint.opened", ["complaint.*"])
    assert is_wanted("survey.answered", ["survey.answered"])
    assert not is_wanted("complaints.opened", ["complaint.*", "survey.answered"])
