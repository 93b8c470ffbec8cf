"""GET /v1/event-types: what it shows can be sent as it is."""

from shared.language import PUBLISHABLE
from tests.api.sending import TIME, Sender, problem_of, unique
from tests.world import World


async def test_every_type_is_shown_with_schema_and_example(sender: Sender):
    answer = await sender.get("/v1/event-types")
    assert float(answer.headers["tenure-freshness"]) >= 0
    body = answer.json()
    assert {item["type"] for item in body["items"]} == PUBLISHABLE
    assert body["next_cursor"] is None
    for item in body["items"]:
        assert item["description"]
        assert item["dataschema"].startswith(item["type"])
        assert item["schema"]["type"] == "object"
        assert set(item["schema"].get("required", [])) <= set(item["example"])


async def test_descriptions_follow_the_reader(sender: Sender):
    shown = {}
    for language in ("zh", "en"):
        items = (await sender.get("/v1/event-types", {"Accept-Language": language})).json()["items"]
        shown[language] = {item["type"]: item["description"] for item in items}
    assert all(shown["zh"][name] != shown["en"][name] for name in PUBLISHABLE)


async def test_every_example_is_publishable_as_it_is(sender: Sender):
    items = (await sender.get("/v1/event-types")).json()["items"]
    member = {"member_no": unique("M")}
    source = unique("shop")
    events = [
        {
            "id": unique("e"),
            "source": source,
            "type": item["type"],
            "time": TIME,
            "customer": member,
            "data": item["example"],
        }
        for item in items
    ]
    customers = await sender.accepted(*events)
    assert len(set(customers)) == 1
    entries = {entry["source_id"]: entry for entry in await sender.timeline(customers[0])}
    for event in events:
        entry = entries[event["id"]]
        assert event["data"].items() <= entry["data"].items()
        assert entry["summary"]
        assert "{" not in entry["summary"]


async def test_publishers_and_readers_may_look(here: World, sender: Sender):
    for scope in ("publish", "read"):
        key = await here.new_key(scope)
        headers = {"Authorization": f"Bearer {key}"}
        assert (await sender.get("/v1/event-types", headers)).status_code == 200
    headers = {"Authorization": f"Bearer {await here.new_key('marketing')}"}
    assert problem_of(await sender.get("/v1/event-types", headers)) == (403, "missing_scope")
