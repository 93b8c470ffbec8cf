import copy

from deploy.local.origin.openapi import merge


def _document(path: str, operation: str, schemas: dict, **more) -> dict:
    answer = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Page"}}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "x", "version": "0.1.0"},
        "paths": {path: {"get": {"operationId": operation, "responses": {"200": answer}}}},
        "components": {"schemas": schemas},
        **more,
    }


ITEM = {"type": "object", "properties": {"id": {"type": "string"}}}
OTHER = {"type": "object", "properties": {"name": {"type": "string"}}}
PAGE = {"type": "array", "items": {"$ref": "#/components/schemas/Item"}}


def _schema(merged: dict, path: str) -> str:
    answer = merged["paths"][path]["get"]["responses"]["200"]
    return answer["content"]["application/json"]["schema"]["$ref"]


def test_every_service_is_there_and_the_inputs_stay():
    documents = {
        "interaction": _document("/v1/events", "list", {"Page": PAGE, "Item": ITEM}),
        "profile": _document("/v1/customers", "find", {"Page": PAGE, "Item": ITEM}),
    }
    before = copy.deepcopy(documents)
    merged = merge(documents)
    assert documents == before
    assert list(merged["paths"]) == ["/v1/customers", "/v1/events"]
    assert sorted(merged["components"]["schemas"]) == ["Item", "Page"]
    assert merged["paths"]["/v1/events"]["get"]["tags"] == ["interaction"]


def test_namesakes_that_differ_are_renamed_with_all_that_speak_of_them():
    merged = merge({
        "interaction": _document("/v1/events", "list", {"Page": PAGE, "Item": ITEM}),
        "profile": _document("/v1/customers", "find", {"Page": PAGE, "Item": OTHER}),
    })  # fmt: skip
    schemas = merged["components"]["schemas"]
    assert sorted(schemas) == ["Item", "Page", "ProfileItem", "ProfilePage"]
    assert schemas["ProfileItem"] == OTHER
    assert schemas["ProfilePage"]["items"]["$ref"] == "#/components/schemas/ProfileItem"
    assert _schema(merged, "/v1/customers") == "#/components/schemas/ProfilePage"
    assert _schema(merged, "/v1/events") == "#/components/schemas/Page"


def test_only_what_the_origin_hands_on():
    document = _document("/v1/customers", "find", {})
    document["paths"] |= {"/internal/x": {"get": {}}, "/healthz": {}, "/v1/scores": {"get": {}}}
    assert list(merge({"profile": document})["paths"]) == ["/v1/customers"]


def test_operation_ids_stay_unique_and_examples_stay():
    first = _document("/v1/events", "list", {})
    second = _document("/v1/customers", "list", {})
    second["paths"]["/v1/customers"]["get"]["requestBody"] = {
        "content": {"application/json": {"example": {"kept": True}}}
    }
    merged = merge({"interaction": first, "profile": second})
    get = merged["paths"]["/v1/customers"]["get"]
    assert get["operationId"] == "profile_list"
    assert merged["paths"]["/v1/events"]["get"]["operationId"] == "list"
    assert get["requestBody"]["content"]["application/json"]["example"] == {"kept": True}


def test_security_and_tags_are_kept_once():
    tags = [{"name": "events", "description": "d"}]
    security = [{"bearer": []}]
    merged = merge({
        "interaction": _document("/v1/events", "a", {}, tags=tags, security=security),
        "profile": _document("/v1/customers", "b", {}, tags=tags, security=security),
    })  # fmt: skip
    assert merged["tags"] == tags
    assert merged["security"] == security


def test_nothing_at_all():
    assert merge({})["paths"] == {}


async def test_the_origin_merges_what_it_can_get(client, upstream):
    upstream.answers["/openapi.json"] = _document("/v1/events", "list", {"Item": ITEM})
    merged = (await client.get("/openapi.json")).json()
    assert list(merged["paths"]) == ["/v1/events"]  # scoring is away
    upstream.answers["/openapi.json"] = b"not JSON"
    assert (await client.get("/openapi.json")).json() == merged  # the last one it gave
