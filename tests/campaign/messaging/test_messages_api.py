"""`/v1/messages`: asked for, read, taken back, sent again."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from services.campaign.api.examples import MESSAGE, SEND_MESSAGE
from services.campaign.messaging.customers import known
from services.campaign.messaging.deciding import STATUSES
from services.campaign.words import MESSAGES, WHY_NOT
from tests.campaign.erasing import erase
from tests.campaign.messaging.office import NOW, Office, event
from tests.campaign.messaging.sink import DROP


async def test_it_is_sent_once_and_said(office: Office):
    member = await office.somebody()
    answer = await office.write(member, topic="offers")
    assert answer.status_code == 201, answer.text
    message = answer.json()
    assert answer.headers["Location"] == f"/v1/messages/{message['id']}"
    assert (message["status"], message["label"], message["due_at"]) in {
        ("scheduled", "Scheduled", NOW.isoformat().replace("+00:00", "Z")),
        ("sending", "Being sent", NOW.isoformat().replace("+00:00", "Z")),
        ("sent", "Sent", None),
    }
    assert await office.became(message["id"]) == ("sent", None)
    found = await office.read(message["id"])
    assert found["to"] == office.address(member)
    assert (found["subject"], found["text"]) == ("您好", "新品上市。")
    assert found["sent_at"] == found["done_at"] is not None
    assert (found["attempts"], found["due_at"]) == (1, None)
    [mail] = office.sink.mails(office.address(member))
    assert (mail["Subject"], mail.get_content().strip()) == ("您好", "新品上市。")
    assert mail["Message-ID"] == f"<{message['id']}@shop.example>"
    assert mail["From"].addresses[0].display_name == "小店"
    [told] = await office.told(message["id"])
    assert told["type"] == "message.sent"
    about = {name: told["data"][name] for name in ("channel", "purpose", "topic", "by")}
    assert about == {
        "channel": "email",
        "purpose": "marketing",
        "topic": "offers",
        "by": found["created_by"],
    }
    assert set(found) == set(MESSAGE)


async def test_what_is_shown_is_taken(office: Office):
    member = await office.somebody(consent=None, traits={"name": "李雷"})
    body = SEND_MESSAGE | {"customer": f"member_no:{member}"}
    answer = await office.client.post("/v1/messages", json=body)
    assert answer.status_code == 201, answer.text
    assert await office.became(answer.json()["id"]) == ("sent", None)
    [text] = office.arrived(member)
    assert text.startswith("Dear 李雷,")
    assert (await office.read(answer.json()["id"]))["text"] == body["text"], "as it was written"


async def test_words_in_both_languages(office: Office):
    assert set(MESSAGES) == set(STATUSES)
    assert all(set(texts) == {"zh", "en"} for texts in (*MESSAGES.values(), *WHY_NOT.values()))
    message = await office.written(await office.somebody(consent=None))
    await office.became(message)
    for language, label in (("zh", "未发送"), ("en", "Not sent")):
        headers = {"Accept-Language": language}
        found = (await office.client.get(f"/v1/messages/{message}", headers=headers)).json()
        assert (found["label"], found["explanation"]) == (label, WHY_NOT["no_consent"][language])


async def test_the_same_request_again_is_one_message(office: Office):
    member, key = await office.somebody(), uuid4().hex
    first, second = await asyncio.gather(*(office.write(member, key=key) for _ in range(2)))
    again = await office.write(member, key=key)
    assert {first.status_code, second.status_code, again.status_code} == {201}
    assert first.json()["id"] == second.json()["id"] == again.json()["id"]
    assert again.headers["Idempotent-Replay"] == "true"
    assert await office.became(again.json()["id"]) == ("sent", None)
    assert len(office.arrived(member)) == 1
    other = await office.write(member, key=key, text="Another text.")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    office.close()
    late = await office.write(member, key=key)
    assert (late.status_code, late.json()["status"]) == (201, "sent"), "done before"


async def test_nothing_is_taken_where_no_mail_server_is_set_up(office: Office):
    member = await office.somebody()
    office.close()
    answer = await office.write(member)
    assert (answer.status_code, answer.json()["code"]) == (503, "mail_not_configured")
    assert int(answer.headers["Retry-After"]) >= 60
    listed = await office.client.get(f"/v1/messages?customer=member_no:{member}")
    assert listed.json()["items"] == []


async def test_what_was_asked_for_waits_while_no_mail_server_is_set_up(office: Office):
    member = await office.somebody()
    office.here.kernels["campaign"].own.smtp_url = ""
    message = await office.written(member)
    assert await office.became(message) == ("scheduled", None)
    office.open()
    assert await office.became(message) == ("sent", None)


@pytest.mark.parametrize(
    ("more", "pointer", "code"),
    [
        ({"subject": "x\r\nBcc: eve@example.com"}, "/subject", "not_one_line"),
        ({"subject": "x\u2028y"}, "/subject", "not_one_line"),
        ({"subject": "  "}, "/subject", "too_short"),
        ({"subject": "x" * 201}, "/subject", "too_long"),
        ({"text": ""}, "/text", "too_short"),
        ({"text": "Dear {{phone}}"}, "/text", "unknown_placeholder"),
        ({"subject": "{{ name"}, "/subject", "unknown_placeholder"),
        ({"channel": "sms"}, "/channel", "not_allowed"),
        ({"purpose": "fun"}, "/purpose", "not_allowed"),
        ({"send_at": "2026-12-20T12:00:01Z"}, "/send_at", "too_far_ahead"),
        ({"send_at": "tomorrow"}, "/send_at", "not_a_time"),
        ({"bcc": "x"}, "/bcc", "unknown_field"),
    ],
)
async def test_what_is_wrong_is_named(office: Office, more, pointer, code):
    answer = await office.write("anybody", **more)
    assert answer.status_code == 422, answer.text
    assert [(one["pointer"], one["code"]) for one in answer.json()["errors"]] == [(pointer, code)]


async def test_nothing_said_is_null(office: Office):
    message = await office.written(await office.somebody(), topic=None, send_at=None)
    found = await office.read(message)
    assert (found["topic"], found["send_at"]) == (None, None)


async def test_unknown_customers_and_messages(office: Office):
    nowhere = "01934b5c-7a00-7000-8000-0000000000ff"
    for customer in ("member_no:nobody", nowhere):
        answer = await office.write("x", customer=customer)
        assert (answer.status_code, answer.json()["code"]) == (404, "customer_not_found")
    for method, path in (("GET", ""), ("POST", "/cancel"), ("POST", "/resend")):
        answer = await office.client.request(method, f"/v1/messages/{nowhere}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "message_not_found")


async def test_scopes(office: Office):
    member = await office.somebody()
    headers = {"Authorization": f"Bearer {await office.here.new_key('read')}"}
    assert (await office.client.get("/v1/messages", headers=headers)).status_code == 200
    body = SEND_MESSAGE | {"customer": f"member_no:{member}"}
    answer = await office.client.post("/v1/messages", json=body, headers=headers)
    assert answer.status_code == 403
    headers = {"Authorization": f"Bearer {await office.here.new_key('marketing')}"}
    answer = await office.client.post("/v1/messages", json=body, headers=headers)
    assert answer.status_code == 201


async def test_lists(office: Office):
    member = await office.somebody()
    made = [await office.written(member, text=f"Nr. {n}", purpose="service") for n in range(5)]
    later = (NOW + timedelta(days=1)).isoformat()
    made.append(await office.written(member, send_at=later))
    await office.here.settled()
    found, cursor, pages = [], "", 0
    while pages < 10:
        url = f"/v1/messages?customer=member_no:{member}&limit=4&count=true{cursor}"
        page = (await office.client.get(url)).json()
        assert page["total"] == 6
        found += page["items"]
        pages += 1
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert [one["id"] for one in found] == made[::-1], "newest first"
    assert pages == 2
    assert found[1]["text"] == "Nr. 4"
    url = f"/v1/messages?customer=member_no:{member}&status=scheduled"
    [waiting] = (await office.client.get(url)).json()["items"]
    assert waiting["id"] == made[-1]
    assert waiting["due_at"] == waiting["send_at"] == "2026-11-21T12:00:00Z"
    assert (await office.client.get("/v1/messages?status=gone")).status_code == 422


async def test_taken_back_before_it_is_sent(office: Office):
    member = await office.somebody()
    message = await office.written(member, send_at=(NOW + timedelta(hours=1)).isoformat())
    answer = await office.do(message, "cancel")
    assert answer.status_code in {200, 202}, answer.text
    assert (answer.json()["status"], answer.json()["reason"]) == ("cancelled", "cancelled")
    again = await office.do(message, "cancel")
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")
    await office.here.settled()
    [told] = await office.told(message)
    assert (told["type"], told["data"]["reason"]) == ("message.withheld", "cancelled")
    assert office.arrived(member) == []
    assert (await office.do(message, "resend", confirm=True)).status_code == 409


async def test_what_was_sent_is_not_taken_back(office: Office):
    message = await office.written(await office.somebody())
    assert await office.became(message) == ("sent", None)
    for what in ("cancel", "resend"):
        answer = await office.do(message, what)
        assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")


async def test_what_may_have_arrived_is_sent_again_by_who_says_so(office: Office):
    member = await office.somebody()
    office.sink.on_data = lambda _: DROP
    message = await office.written(member)
    assert await office.became(message) == ("uncertain", "no_answer")
    office.sink.on_data = lambda _: None
    answer = await office.do(message, "resend")
    assert (answer.status_code, answer.json()["code"]) == (409, "may_have_arrived")
    assert await office.became(message) == ("uncertain", "no_answer")
    assert office.arrived(member) == []
    answer = await office.do(message, "resend", confirm=True)
    assert answer.status_code == 200, answer.text
    assert await office.became(message) == ("sent", None)
    [mail] = office.sink.mails(office.address(member))
    assert mail["Message-ID"] == f"<{message}@shop.example>", "whoever got both can tell"
    types = [one["type"] for one in await office.told(message)]
    assert sorted(types) == ["message.sent", "message.uncertain"]


async def test_what_failed_is_tried_again_by_who_says_so(office: Office):
    member = await office.somebody()
    office.sink.on_rcpt = lambda _: "550 no such user"
    message = await office.written(member)
    assert await office.became(message) == ("failed", "refused")
    assert "550" in (await office.read(message))["explanation"]
    office.sink.on_rcpt = lambda _: None
    office.close()
    assert (await office.do(message, "resend")).json()["code"] == "mail_not_configured"
    office.open()
    key = {"Idempotency-Key": uuid4().hex}
    for _ in range(2):
        answer = await office.client.post(f"/v1/messages/{message}/resend", headers=key)
        assert answer.status_code == 200, answer.text
    assert await office.became(message) == ("sent", None)
    assert len(office.arrived(member)) == 1
    assert (await office.read(message))["attempts"] == 1


async def test_rules_are_asked_again(office: Office):
    member = await office.somebody()
    office.sink.on_rcpt = lambda _: "550 no such user"
    message = await office.written(member)
    assert await office.became(message) == ("failed", "refused")
    who = {"member_no": member}
    await office.happens(office.consent(who, granted=False, ago=-timedelta(seconds=1)))
    office.sink.on_rcpt = lambda _: None
    assert (await office.do(message, "resend")).status_code == 200
    assert await office.became(message) == ("withheld", "no_consent")
    assert office.arrived(member) == []


async def test_erased_customers(office: Office):
    member = await office.somebody()
    customer = (await office.here.client("profile").get(f"/v1/customers/member_no:{member}")).json()
    sent = await office.written(member, text="Ein Geheimnis")
    later = (NOW + timedelta(days=1)).isoformat()
    waiting = await office.written(member, send_at=later, text="Ein Geheimnis")
    assert await office.became(sent) == ("sent", None)
    await erase(office.here, customer["id"])
    assert await office.became(waiting) == ("withheld", "erased")
    for message in (sent, waiting):
        found = await office.read(message)
        assert (found["subject"], found["text"], found["to"]) == (None, None, None)
        [row] = await office.rows("SELECT * FROM message WHERE id = $1", message)
        assert row["content"] is None
    [told] = await office.told(waiting)
    assert (told["type"], told["data"]["reason"]) == ("message.withheld", "erased")
    answer = await office.write("", customer=customer["id"])
    assert (answer.status_code, answer.json()["code"]) == (409, "customer_erased")
    assert len(office.arrived(member)) == 1


async def test_erased_while_no_mail_server_is_set_up(office: Office):
    member = await office.somebody()
    message = await office.written(member, send_at=(NOW + timedelta(days=1)).isoformat())
    customer = (await office.read(message))["customer_id"]
    office.close()
    await erase(office.here, customer)
    assert await office.became(message) == ("withheld", "erased")


async def test_erased_after_it_failed(office: Office):
    office.sink.on_rcpt = lambda _: "550 no"
    message = await office.written(await office.somebody())
    assert await office.became(message) == ("failed", "refused")
    await erase(office.here, (await office.read(message))["customer_id"])
    answer = await office.do(message, "resend")
    assert (answer.status_code, answer.json()["code"]) == (409, "customer_erased")


async def merged(office: Office, *members: str) -> str:
    body = {"parts": [f"member_no:{one}" for one in members]}
    answer = await office.here.client("profile").post("/v1/merges", json=body)
    assert answer.status_code in {201, 202}, answer.text
    await office.here.settled()
    found = await office.here.client("profile").get(f"/v1/customers/member_no:{members[0]}")
    return str(found.json()["id"])


async def test_customers_that_are_one(office: Office):
    """What is known of one part is known of all; the complaint of another stands against it."""
    first = await office.somebody(consent=None, address=False)
    second = await office.somebody()
    alone = await office.written(first)
    assert await office.became(alone) == ("withheld", "no_address")
    head = await merged(office, first, second)
    message = await office.written(first)
    assert await office.became(message) == ("sent", None)
    assert len(office.arrived(second)) == 1
    for one in (alone, message):
        assert (await office.read(one))["customer_id"] == head
    for member in (first, second):
        listed = await office.client.get(f"/v1/messages?customer=member_no:{member}")
        assert {one["id"] for one in listed.json()["items"]} == {alone, message}
    opened = {"complaint_id": uuid4().hex, "category": "quality"}
    await office.happens(event("complaint.opened", {"member_no": second}, opened))
    assert await office.became(await office.written(first)) == ("withheld", "open_complaint")
    done = {"complaint_id": opened["complaint_id"]}
    await office.happens(
        event("complaint.resolved", {"member_no": second}, done, ago=-timedelta(seconds=1))
    )
    assert await office.became(await office.written(first)) == ("sent", None)


async def test_the_cap_is_one_for_customers_that_are_one(office: Office):
    first, second = await office.somebody(), await office.somebody()
    for member in (first, first, second):
        assert await office.became(await office.written(member)) == ("sent", None)
    await merged(office, first, second)
    assert await office.became(await office.written(second)) == ("withheld", "capped")


async def test_one_part_erased_the_other_lives_on(office: Office):
    first, second = await office.somebody(), await office.somebody()
    message = await office.written(first, send_at=(NOW + timedelta(days=1)).isoformat())
    head = await merged(office, first, second)
    await erase(office.here, head)
    fresh = await office.written(second)
    assert await office.became(fresh) == ("sent", None)
    assert len(office.arrived(second)) == 1
    [row] = await office.rows("SELECT customer_id FROM message WHERE id = $1", message)
    erased = str(row["customer_id"]) == head
    assert await office.became(message) == (
        ("withheld", "erased") if erased else ("scheduled", None)
    )


async def test_an_address_goes_with_the_part_who_had_it(office: Office):
    """Not with the one to whom the message was addressed; also after they are no longer one."""
    first = await office.somebody(consent=None, address=False)
    second = await office.somebody()
    one, other = [await id_of(office, member) for member in (first, second)]
    await merged(office, first, second)
    message = await office.written(first, text="Nur für dich")
    assert await office.became(message) == ("sent", None)
    [row] = await office.rows("SELECT customer_id, address_of FROM message WHERE id = $1", message)
    assert [str(row["customer_id"]), str(row["address_of"])] == [one, other]
    assert (await office.read(message))["to"] == office.address(second)
    await erase(office.here, other)
    found = await office.read(message)
    assert (found["text"], found["to"]) == ("Nur für dich", None)
    [row] = await office.rows("SELECT address, address_of FROM message WHERE id = $1", message)
    assert (row["address"], row["address_of"]) == (None, None)


async def test_nobody_is_written_to_at_an_address_of_which_it_is_not_known_whose_it_is(
    office: Office,
):
    """Two become one between two statements of the decision."""
    first = await office.somebody(address=False)
    second = await office.somebody()
    one = UUID(await id_of(office, first))
    await merged(office, first, second)
    lately = timedelta(days=1)
    async with office.worker.database.transaction() as conn:
        found = await known(conn, office.worker, one, [one], besides=uuid4(), since=lately, now=NOW)
    assert (found.facts.address, found.owner) == (office.address(second), None)


async def id_of(office: Office, member: str) -> str:
    found = await office.here.client("profile").get(f"/v1/customers/member_no:{member}")
    return str(found.json()["id"])
