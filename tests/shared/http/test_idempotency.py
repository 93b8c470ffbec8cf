import pytest

from shared.http.idempotency import request_hash

ORDER = {"number": "A1"}


@pytest.mark.parametrize("key", ["x", "x" * 255, "0198c0de-0000-7000", "!~"])
async def test_a_key(client, key):
    response = await client.post("/v1/orders", json=ORDER, headers={"Idempotency-Key": key})
    assert response.json()["key"] == key


async def test_no_key(client):
    assert (await client.post("/v1/orders", json=ORDER)).json()["key"] is None


@pytest.mark.parametrize("key", [b"", b"x" * 256, b"a b", b"\xe9", b"a\tb", b"\x7f"])
async def test_what_is_no_key(client, key):
    headers = [(b"Idempotency-Key", key)]
    response = await client.post("/v1/orders", json=ORDER, headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_idempotency_key")


async def test_the_same_request_has_the_same_hash(client):
    first = (await client.post("/v1/orders?a=1", json=ORDER)).json()["hash"]
    assert first == (await client.post("/v1/orders", json=ORDER)).json()["hash"]
    assert first != (await client.post("/v1/orders", json={"number": "A2"})).json()["hash"]


def test_path_and_body_do_not_run_together():
    assert request_hash("/a", b"b") != request_hash("/ab", b"")
    assert len(request_hash("/a", b"")) == 32
