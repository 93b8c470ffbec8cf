import pytest

from shared.http.language import preferred


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("en", "en"),
        ("EN-gb", "en"),
        ("zh-CN", "zh"),
        ("zh-Hans-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en;q=0.5, zh;q=0.6", "zh"),
        ("fr, de", "zh"),
        ("fr, en;q=0.1", "en"),
        ("zh;q=0, en;q=0.1", "en"),
        ("*", "zh"),
        ("en;q=0.2, *;q=0.1", "en"),
        ("en;q=nonsense", "zh"),
        ("en;q=7", "en"),
        ("en;level=1;q=0.3, zh;q=0.2", "en"),
        ("", "zh"),
        (",;,=;", "zh"),
        ("x" * 100_000 + ", en", "zh"),
    ],
)
def test_accept_language(header, language):
    assert preferred(header, "zh") == language


async def test_the_dependency(client):
    response = await client.get("/v1/orders/1", headers={"Accept-Language": "en-US,en;q=0.5"})
    assert response.json()["language"] == "en"
    assert (await client.get("/v1/orders/1")).json()["language"] == "zh"
