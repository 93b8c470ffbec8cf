import pytest

from tests.shared.http.conftest import build, client_of

EN = {"Accept-Language": "en"}


async def test_the_shape(client):
    response = await client.get("/v1/failures/conflict", headers=EN)
    assert response.status_code == 409
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["content-language"] == "en"
    assert response.headers["vary"] == "Accept-Language"
    assert response.json() == {
        "type": "/docs/errors#wrong_state",
        "title": "Conflict",
        "status": 409,
        "code": "wrong_state",
        "message": "This entry is discarded; it can no longer be changed this way.",
        "detail": "This entry is discarded; it can no longer be changed this way.",
        "errors": [],
        "instance": f"urn:uuid:{response.headers['x-request-id']}",
    }


async def test_the_default_language_is_the_setting(client):
    assert "discarded" in (await client.get("/v1/failures/conflict")).json()["message"]
    response = await client.get("/v1/failures/rule")
    assert response.headers["content-language"] == "zh"
    assert response.json()["message"] == "部分内容不符合要求，详见 errors。"
    assert response.json()["errors"] == [
        {"pointer": "/rule/all/0", "code": "not_allowed", "message": "可选值：a, b。"}
    ]
    async with client_of(build(language="en")) as english:
        assert (await english.get("/nowhere")).json()["message"].startswith("There is nothing")


async def test_a_services_own_words(client):
    response = await client.get("/v1/failures/own", headers=EN)
    assert response.json()["message"] == "Plan P1 is closed."


async def test_nothing_there(client):
    for path in ("/", "/v1/nothing", "/v1/orders/", "/v1/orders/1/2", "/docs", "/redoc"):
        response = await client.get(path)
        assert response.status_code == 404, path
        assert response.json()["code"] == "not_found"


async def test_a_method_that_is_not_taken(client):
    response = await client.delete("/v1/orders/1", headers=EN)
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, PUT"
    assert response.json()["code"] == "method_not_allowed"
    assert "GET, PUT" in response.json()["message"]


async def test_a_bug_says_nothing_about_itself(client):
    response = await client.get("/v1/failures/bug")
    assert response.status_code == 500
    assert response.json()["code"] == "internal_error"
    assert "alice" not in response.text
    assert "KeyError" not in response.text
    assert "Traceback" not in response.text


@pytest.mark.parametrize("kind", ["away", "pool", "slow", "full"])
async def test_the_world_is_away(client, kind):
    response = await client.get(f"/v1/failures/{kind}")
    assert response.status_code == 503
    assert response.json()["code"] == "unavailable"
    assert response.headers["retry-after"] == "1"


async def test_a_value_that_postgresql_refuses_is_the_callers(client):
    response = await client.get("/v1/failures/value")
    assert (response.status_code, response.json()["code"]) == (422, "invalid_value")
    assert (await client.get("/v1/failures/constraint")).status_code == 500


@pytest.mark.parametrize(
    "path", ["/v1/orders/a%00b", "/v1/orders/%00", "/v1/nothing%00", "/v1/uuids/%00"]
)
async def test_a_nul_in_the_path_is_nowhere(client, path):
    response = await client.get(path)
    assert response.status_code == 404


async def test_a_nul_in_the_query(client):
    response = await client.get("/v1/orders?cursor=a%00b")
    assert (response.status_code, response.json()["code"]) == (400, "invalid_text")


async def test_broken_unicode_in_the_path_becomes_text(client):
    response = await client.get("/v1/orders/%ED%A0%80%FF")
    assert response.status_code == 200
    response.json()["number"].encode()


async def test_a_path_parameter_of_another_kind_is_nowhere(client):
    assert (await client.get("/v1/uuids/17")).json()["code"] == "not_found"


async def test_the_callers_request_id_comes_back_if_it_is_one(client):
    given = "0198c0de-0000-7000-8000-000000000001"
    response = await client.get("/v1/orders/1", headers={"X-Request-Id": given})
    assert response.headers["x-request-id"] == given
    other = await client.get("/v1/orders/1", headers={"X-Request-Id": "alice@example.com"})
    assert "alice" not in other.headers["x-request-id"]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("teapot", 400, "bad_request"),
        ("large", 413, "too_large"),
        ("internal", 500, "internal_error"),
    ],
)
async def test_the_frameworks_own_errors(client, kind, status, code):
    response = await client.get(f"/v1/failures/{kind}")
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert "alice" not in response.text


async def test_half_an_answer_is_cut_off_and_written_down(client, logs):
    with pytest.raises(KeyError):
        await client.get("/v1/halves")
    assert [line["event"] for line in logs] == ["failed", "request"]
