import base64

import pytest

from shared.access import require
from tests.shared.http.conftest import ADMIN, READER


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


async def get(client, authorization=None, path="/v1/secrets"):
    headers = {} if authorization is None else {"Authorization": authorization}
    return await client.get(path, headers=headers)


@pytest.mark.parametrize(
    "authorization",
    [
        f"Bearer {READER}",
        f"bearer   {READER} ",
        basic(f"{READER}:"),
        basic(READER),
        basic(f"{READER}:ignored:too"),
        f"Bearer {ADMIN}",
    ],
)
async def test_a_key_opens(client, authorization):
    response = await get(client, authorization)
    assert response.status_code == 200
    assert response.json()["caller"] in {"reader", "admin"}


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "unauthorised"),
        ("", "unauthorised"),
        (READER, "unauthorised"),
        (f"Token {READER}", "unauthorised"),
        ("Bearer", "invalid_credentials"),
        ("Bearer wrong", "invalid_credentials"),
        ("Basic", "invalid_credentials"),
        ("Basic ###", "invalid_credentials"),
        (basic(":password"), "invalid_credentials"),
        (basic("密钥"), "invalid_credentials"),
        (basic("\0"), "invalid_credentials"),
    ],
)
async def test_anything_else_does_not(client, authorization, code):
    response = await get(client, authorization)
    assert response.status_code == 401
    assert response.json()["code"] == code
    assert response.headers["www-authenticate"].startswith("Bearer")


async def test_a_missing_scope_is_named(client):
    response = await get(client, f"Bearer {READER}", "/v1/sales")
    assert response.status_code == 403
    assert response.json()["code"] == "missing_scope"
    assert "sales / service" in response.json()["message"]
    assert (await get(client, f"Bearer {ADMIN}", "/v1/sales")).status_code == 200


async def test_one_request_asks_once(app, client):
    await get(client, f"Bearer {ADMIN}", "/v1/sales")
    assert app.state.kernel.access.asked == 1


async def test_the_access_database_away(app, client):
    app.state.kernel.access.away = True
    response = await get(client, f"Bearer {ADMIN}")
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"


def test_a_scope_that_does_not_exist_is_a_mistake_in_the_code():
    for scopes in (("reed",), ("read", "sails"), ()):
        with pytest.raises(ValueError):
            require(*scopes)
