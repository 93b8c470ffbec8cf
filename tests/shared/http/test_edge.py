import pytest

from shared.metrics import registry
from tests.shared.http.conftest import ADMIN, READER, build, client_of


def counted(**labels) -> float:
    return registry.get_sample_value("tenure_http_requests_total", labels) or 0.0


async def test_requests_are_counted_by_template(client):
    labels = {"service": "test", "method": "GET", "route": "/v1/orders/{number}", "status": "200"}
    before = counted(**labels)
    await client.get("/v1/orders/alice")
    await client.get("/v1/orders/bob")
    assert counted(**labels) == before + 2
    timed = {name: labels[name] for name in ("service", "method", "route")}
    assert registry.get_sample_value("tenure_http_seconds_count", timed) >= 2
    assert registry.get_sample_value("tenure_http_in_flight", {"service": "test"}) == 0


async def test_labels_stay_few(client):
    labels = {"service": "test", "method": "other", "route": "unmatched", "status": "404"}
    before = counted(**labels)
    await client.request("PROPFIND", "/alice")
    await client.request("X" * 50, "/bob")
    assert counted(**labels) == before + 2
    labels = {
        "service": "test",
        "method": "DELETE",
        "route": "/v1/orders/{number}",
        "status": "405",
    }
    before = counted(**labels)
    await client.delete("/v1/orders/alice")
    assert counted(**labels) == before + 1


async def test_a_line_a_request_without_its_path(client, logs):
    await client.get("/v1/orders/alice@example.com?q=carol", headers={"X-Mail": "bob"})
    await client.get("/v1/secrets", headers={"Authorization": f"Bearer {ADMIN}"})
    await client.get("/healthz")
    first, second = logs
    assert first["route"] == "/v1/orders/{number}"
    assert first["status"] == 200
    assert (first["event"], first["method"], first["key"]) == ("request", "GET", None)
    assert first["ms"] >= 0
    assert second["key"] == "00000000-0000-0000-0000-000000000002"
    for name in ("alice", "carol", "bob", ADMIN):
        assert name not in str(logs)


async def test_a_bug_is_written_down(client, logs):
    await client.get("/v1/failures/bug")
    await client.get("/v1/failures/away")
    levels = [(line["event"], line["log_level"]) for line in logs]
    assert levels == [
        ("failed", "error"),
        ("request", "info"),
        ("unavailable", "warning"),
        ("request", "info"),
    ]
    assert isinstance(logs[0]["exc_info"], KeyError)


@pytest.fixture
async def browser():
    app = build(cors_origins="https://shop.example, https://crm.example")
    async with client_of(app) as client:
        client.headers["Origin"] = "https://crm.example"
        yield client


async def test_browsers_may_read_our_headers(browser):
    response = await browser.get("/v1/orders/1")
    assert response.headers["access-control-allow-origin"] == "https://crm.example"
    exposed = response.headers["access-control-expose-headers"]
    ours = ("ETag", "Tenure-Position", "Tenure-Freshness", "Retry-After", "RateLimit-Remaining")
    for header in ours:
        assert header in exposed


async def test_browsers_may_read_why_they_are_turned_away(browser):
    for headers, status in (
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Bearer {READER}"}, 403),
    ):
        response = await browser.get("/v1/sales", headers=headers)
        assert response.status_code == status
        assert response.headers["access-control-allow-origin"] == "https://crm.example"


async def test_problems_pass_through_cors(browser):
    for path in ("/nowhere", "/v1/failures/bug", "/v1/failures/away", "/v1/orders/%00"):
        response = await browser.get(path)
        assert response.headers["access-control-allow-origin"] == "https://crm.example"


async def test_preflight(browser):
    headers = {
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization, if-match, tenure-wait-for",
    }
    response = await browser.options("/v1/orders/1", headers=headers)
    assert response.status_code == 200
    assert "if-match" in response.headers["access-control-allow-headers"]


async def test_strangers_get_no_cors(browser, client):
    stranger = await browser.get("/v1/orders/1", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in stranger.headers
    without = await client.get("/v1/orders/1", headers={"Origin": "https://crm.example"})
    assert "access-control-allow-origin" not in without.headers


async def test_the_lifespan_passes_through(app):
    sent = []
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive():
        return next(messages)

    async def send(message):
        sent.append(message["type"])

    await app({"type": "lifespan", "state": {}}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
