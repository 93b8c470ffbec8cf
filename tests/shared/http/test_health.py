import asyncio

import pytest

from shared.http import health
from shared.http.health import health_app
from tests.shared.http.conftest import client_of


def saying(answer):
    async def readiness():
        if isinstance(answer, Exception):
            raise answer
        return answer

    return readiness


async def test_alive(client):
    response = await client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_not_ready_before_the_service_has_said_how_to_know(client):
    response = await client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"ready": False, "missing": ["start"]}


@pytest.mark.parametrize("kind", ["api", "worker"])
async def test_ready(app, kind):
    ready = {"ready": True, "missing": [], "lag": {"events": 0, "seconds": 0.0}}
    missing = {"ready": False, "missing": ["database"]}
    for answer, status in ((ready, 200), (missing, 503)):
        app.state.readiness = saying(answer)
        asked = app if kind == "api" else health_app(saying(answer))
        async with client_of(asked) as client:
            response = await client.get("/readyz")
        assert (response.status_code, response.json()) == (status, answer)


async def test_whatever_goes_wrong_is_not_ready(app, client, monkeypatch):
    monkeypatch.setattr(health, "_SECONDS", 0.01)
    app.state.readiness = saying(KeyError("x"))
    assert (await client.get("/readyz")).json() == {"ready": False, "missing": ["readiness"]}
    app.state.readiness = lambda: asyncio.sleep(5)
    assert (await client.get("/readyz")).status_code == 503


async def test_metrics(client):
    response = await client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert "tenure_http_requests_total" in response.text
    async with client_of(health_app(saying({}))) as worker:
        assert "process_resident_memory_bytes" in (await worker.get("/metrics")).text
        assert (await worker.get("/healthz")).status_code == 200
        assert (await worker.get("/v1/anything")).status_code == 404
