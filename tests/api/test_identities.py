"""/internal/identities: minting a customer for a person who creates one, the same one when asked again."""

import asyncio
from uuid import UUID, uuid4

import pytest

from shared.identity import remember
from tests.api.sending import Sender, contact, problem_of, unique
from tests.world import World


async def mint(sender: Sender, identifiers: dict, customer_id: str | None = None):
    body = {"identifiers": identifiers} | ({"customer_id": customer_id} if customer_id else {})
    return await sender.client.post("/internal/identities", json=body)


async def test_a_new_customer_once(sender: Sender):
    identifiers = {"member_no": unique("M"), "email": f"{unique()}@Example.com"}
    first = (await mint(sender, identifiers)).json()
    assert UUID(first["customer_id"]).version == 7
    again = (await mint(sender, identifiers)).json()
    assert again == {"customer_id": first["customer_id"], "position": None}
    answer = await sender.get(
        f"/v1/timelines/{first['customer_id']}", {"Tenure-Wait-For": first["position"]}
    )
    [entry] = answer.json()["items"]
    assert entry["type"] == "identifiers.added"
    assert entry["data"]["identifiers"] == identifiers | {"email": identifiers["email"].lower()}


async def test_an_identifier_more_joins(sender: Sender):
    member, user = unique("M"), unique("u")
    [customer] = await sender.accepted(contact({"member_no": member}))
    made = (await mint(sender, {"member_no": member, "user_id": user})).json()
    assert made["customer_id"] == customer
    assert made["position"]
    assert await sender.accepted(contact({"user_id": user})) == [customer]


async def test_identifiers_may_be_given_to_a_customer(sender: Sender):
    [customer] = await sender.accepted(contact({"member_no": unique("M")}))
    phone = {"user_id": unique("u")}
    for position in (True, False):
        made = (await mint(sender, phone, customer)).json()
        assert (made["customer_id"], bool(made["position"])) == (customer, position)


async def test_somebody_elses(sender: Sender):
    one, other = {"member_no": unique("M")}, {"user_id": unique("u")}
    first, _ = await sender.accepted(contact(one), contact(other))
    for answer in (await mint(sender, one | other), await mint(sender, other, first)):
        assert problem_of(answer) == (409, "identifier_taken")
    new = {"cookie": unique("c")}
    assert problem_of(await mint(sender, one | other | new)) == (409, "identifier_taken")
    made = (await mint(sender, new)).json()
    assert made["customer_id"] != first, "nothing of a refused question is kept"


async def test_the_same_question_at_the_same_time(sender: Sender):
    identifiers = {"member_no": unique("M"), "user_id": unique("u")}
    answers = await asyncio.gather(*(mint(sender, identifiers) for _ in range(10)))
    assert len({answer.json()["customer_id"] for answer in answers}) == 1
    assert sum(answer.json()["position"] is not None for answer in answers) == 1


async def test_an_event_gives_the_identifier_to_somebody_in_the_same_moment(
    here: World, sender: Sender
):
    """Asked while the resolver's transaction is open, the answer is whom the event made."""
    member, customer = unique("M"), uuid4()
    async with here.kernels["interaction"].database.transaction() as conn:
        await remember(conn, [("member_no", member, customer)])
        asked = asyncio.create_task(mint(sender, {"member_no": member, "user_id": unique("u")}))
        await asyncio.sleep(0.3)
        assert not asked.done()
    answer = await asked
    assert answer.status_code == 200, answer.text
    assert answer.json()["customer_id"] == str(customer)
    assert answer.json()["position"], "the other identifier joined"


async def test_nobody_in_particular_is_somebody_new_each_time(sender: Sender):
    made = [(await mint(sender, {})).json() for _ in range(2)]
    assert made[0]["customer_id"] != made[1]["customer_id"]
    assert made[0]["position"] is None


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_what_names_nobody(sender: Sender, language):
    answer = await sender.client.post(
        "/internal/identities",
        json={
            "identifiers": {"member_no": "null", "shoe_size": "42", "phone": "0000", "email": "x"}
        },
        headers={"Accept-Language": language},
    )
    assert problem_of(answer) == (422, "validation_failed")
    assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [
        ("/identifiers/member_no", "worthless_identifier"),
        ("/identifiers/shoe_size", "unknown_identifier_type"),
        ("/identifiers/phone", "worthless_identifier"),
        ("/identifiers/email", "worthless_identifier"),
    ]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"identifiers": {"member_no": 42}}, "not_a_string"),
        ({"identifiers": []}, "not_an_object"),
        ({"customer_id": "M42"}, "not_a_uuid"),
        ({"customer": str(uuid4())}, "unknown_field"),
        ([], "not_an_object"),
    ],
)
async def test_malformed(sender: Sender, body, code):
    answer = await sender.client.post("/internal/identities", json=body)
    assert problem_of(answer) == (422, "validation_failed")
    assert answer.json()["errors"][0]["code"] == code


async def test_only_the_installation_itself_and_an_admin_may_ask(here: World, sender: Sender):
    secret = here.settings.inbound_secret
    body = {"identifiers": {"member_no": unique("M")}}
    keys = {scope: await here.new_key(scope) for scope in ("publish", "read", "ops", "admin")}
    asked = {}
    for name, headers in {
        "secret": {"Tenure-Secret": secret},
        "wrong secret": {"Tenure-Secret": secret + "x"},
        "nothing": {},
        **{scope: {"Authorization": f"Bearer {key}"} for scope, key in keys.items()},
    }.items():
        request = sender.client.build_request("POST", "/internal/identities", json=body)
        del request.headers["authorization"]
        request.headers.update(headers)
        asked[name] = (await sender.client.send(request)).status_code
    assert asked == {
        "secret": 200,
        "wrong secret": 401,
        "nothing": 401,
        "publish": 403,
        "read": 403,
        "ops": 403,
        "admin": 200,
    }


async def test_what_came_lately_says_nothing_about_whom(sender: Sender):
    member = unique("M")
    [customer] = await sender.accepted(contact({"member_no": member}))
    answer = await sender.client.get("/internal/recent")
    assert {"type", "count", "last_at"} == set(answer.json()["types"][0])
    assert {"type", "recorded_time"} == set(answer.json()["latest"][0])
    assert member not in answer.text
    assert customer not in answer.text
