"""Who may do what: 401, 403, sources that a key is bound to."""

import base64

import pytest

from tests.api.sending import Sender, contact, problem_of, purchase, unique
from tests.world import World

ROUTES = [
    ("POST", "/v1/events", {"publish"}),
    ("POST", "/v1/history/x/close", {"publish"}),
    ("GET", "/v1/timelines/member_no:M", {"read"}),
    ("GET", "/v1/event-types", {"read", "publish"}),
    ("GET", "/v1/quarantine/interaction", {"ops"}),
    ("GET", "/v1/quarantine/interaction/01934b5c-7a00-7000-8000-000000000001", {"ops"}),
    ("POST", "/v1/quarantine/interaction/01934b5c-7a00-7000-8000-000000000001/replay", {"ops"}),
    ("POST", "/v1/quarantine/interaction/01934b5c-7a00-7000-8000-000000000001/discard", {"ops"}),
]
SCOPES = ("publish", "read", "service", "sales", "marketing", "ops")


async def ask(sender: Sender, method: str, path: str, authorization: str | None):
    """Without the key that the client has of its own."""
    client = sender.client
    request = client.build_request(method, path)
    del request.headers["authorization"]
    if authorization is not None:
        request.headers["authorization"] = authorization
    return await client.send(request)


@pytest.mark.parametrize(("method", "path", "_scopes"), ROUTES)
async def test_no_key_and_a_wrong_key(sender: Sender, method, path, _scopes):
    answer = await ask(sender, method, path, None)
    assert problem_of(answer) == (401, "unauthorised")
    assert "Bearer" in answer.headers["www-authenticate"]
    for wrong in ("Bearer tn_0123456789abcdef0123456789abcdef", "Bearer x", "Bearer", "Basic ???"):
        answer = await ask(sender, method, path, wrong)
        assert answer.status_code == 401
        assert problem_of(answer)[1] in {"invalid_credentials", "unauthorised"}


@pytest.fixture(scope="module")
async def by_scope(here: World) -> dict[str, str]:
    return {scope: await here.new_key(scope) for scope in SCOPES}


@pytest.mark.parametrize(("method", "path", "scopes"), ROUTES)
async def test_scopes(sender: Sender, by_scope: dict[str, str], method, path, scopes):
    for scope, key in by_scope.items():
        answer = await ask(sender, method, path, f"Bearer {key}")
        if scope in scopes:
            assert answer.status_code not in {401, 403}, (scope, answer.text)
        else:
            assert problem_of(answer) == (403, "missing_scope")
            assert all(one in answer.json()["message"] for one in scopes)


async def test_the_key_may_be_the_user_name_of_basic(sender: Sender, by_scope: dict[str, str]):
    key = base64.b64encode(f"{by_scope['read']}:".encode()).decode()
    answer = await ask(sender, "GET", "/v1/event-types", f"Basic {key}")
    assert answer.status_code == 200


async def test_a_key_is_asked_for_before_anything_else_is_said(sender: Sender):
    answer = await sender.client.post(
        "/v1/events?history=", content=b"not json", headers={"Authorization": "Bearer nobody"}
    )
    assert problem_of(answer) == (401, "invalid_credentials")


async def test_a_key_publishes_under_its_own_sources_only(here: World, sender: Sender):
    key = await here.new_key("publish", source_prefixes=["store-7/", "web"])
    sender.headers = {"Authorization": f"Bearer {key}"}
    member = {"member_no": unique("M")}
    sources = ["store-7/pos", "web", "webshop", "store-7", "store-70/pos", "Store-7/pos", "crm"]
    events = [contact(member, source=source) for source in sources]
    no_source = contact(member)
    del no_source["source"]
    assert await sender.verdicts([*events, no_source]) == [
        ("accepted", None),
        ("accepted", None),
        ("accepted", None),
        ("rejected", "source_not_allowed"),
        ("rejected", "source_not_allowed"),
        ("rejected", "source_not_allowed"),
        ("rejected", "source_not_allowed"),
        ("rejected", "source_not_allowed"),
    ]
    answer = await sender.post(contact(member, source="crm"))
    assert problem_of(answer) == (422, "source_not_allowed")
    assert "crm" in answer.json()["message"]


async def test_what_one_key_may_not_say_does_not_stand_in_anothers_way(here: World, sender: Sender):
    event = purchase()
    key = await here.new_key("publish", source_prefixes=["elsewhere"])
    answer = await Sender(here, {"Authorization": f"Bearer {key}"}).post([event])
    assert answer.json()["rejected"] == 1
    assert await sender.verdicts([event]) == [("accepted", None)]


async def test_the_source_is_the_keys_name_where_none_is_given(sender: Sender):
    event = purchase(source=...)
    [customer] = await sender.accepted(event)
    entry = next(e for e in await sender.timeline(customer) if e["type"] == "purchase.completed")
    assert entry["source"].startswith("k")
    assert entry["source_id"] == event["id"]
