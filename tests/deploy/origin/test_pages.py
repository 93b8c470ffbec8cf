import json
import re

import pytest

from deploy.local.origin.texts import TEXTS

_EN = {"Accept-Language": "en"}


def test_both_languages_say_everything():
    assert TEXTS["zh"].keys() == TEXTS["en"].keys()
    for name, text in TEXTS["en"].items():
        slots = re.findall(r"\{\w+\}", text)
        assert slots == re.findall(r"\{\w+\}", TEXTS["zh"][name]), name


@pytest.mark.parametrize("path", ["/", "/docs", "/docs/errors"])
async def test_pages_speak_the_callers_language_and_fetch_nothing_from_elsewhere(client, path):
    chinese, english = await client.get(path), await client.get(path, headers=_EN)
    assert '<html lang="zh-CN">' in chinese.text
    assert '<html lang="en">' in english.text
    assert english.headers["content-security-policy"].startswith("default-src 'self'")
    for page in (chinese.text, english.text):
        assert not re.search(r'(src|href)="(https?:)?//', page)
        for asset in re.findall(r'(?:src|href)="(/assets/[^"]+)"', page):
            assert (await client.get(asset)).status_code == 200, asset


async def test_the_errors_page_explains_every_code(client):
    page = (await client.get("/docs/errors", headers=_EN)).text
    assert 'id="unavailable"' in page
    assert 'id="customer_not_found"' in page


async def test_swagger_ui_is_served_from_here(client):
    assert "SwaggerUIBundle" in (await client.get("/assets/swagger-ui-bundle.js")).text


async def test_status_of_an_empty_system(client, tmp_path):
    processes = [
        {"name": "postgresql", "pid": 1, "address": None},
        {"name": "scoring-worker", "pid": 2, "address": "http://127.0.0.1:1"},
        {"name": "supervisor", "pid": 3, "address": None},
    ]
    (tmp_path / "processes.json").write_text(json.dumps({"processes": processes}))
    status = (await client.get("/status.json", headers=_EN)).json()
    assert status["ready"] is False
    assert status["missing"] == ["scoring-worker: no answer"]
    assert [process["name"] for process in status["processes"]] == ["postgresql", "scoring-worker"]
    assert status["customers"] is None
    assert [state["code"] for state in status["states"]] == [
        "prospect", "new", "growing", "mature", "silent", "lost", "won_back",
    ]  # fmt: skip
    assert [band["count"] for band in status["churn_bands"]] == [0, 0, 0]
    assert status["types"] == []
    assert (await client.get("/readyz")).status_code == 503


async def test_status_of_a_busy_system(client, upstream, upstream_url, tmp_path):
    names = ("interaction-worker", "profile-worker")
    processes = [{"name": name, "pid": 1, "address": upstream_url} for name in names]
    (tmp_path / "processes.json").write_text(json.dumps({"processes": processes}))
    lag = {"events": 5, "seconds": 1.5}
    upstream.answers |= {
        "/readyz": {"ready": True, "missing": [], "caught_up": False, "lag": lag},
        "/v1/customers/summary": {
            "total": 12,
            "states": [{"state": "mature", "label": "Mature", "count": 12}, {"state": "odd"}],
            "churn_bands": [{"band": "high", "label": "High", "count": 3}],
        },
        "/internal/recent": {"types": [{"type": "purchase.completed", "count": 9}]},
    }
    status = (await client.get("/status.json", headers=_EN)).json()
    assert status["ready"] is True
    assert status["caught_up"] is False
    assert status["lag"] == {"events": 10, "seconds": 1.5}
    assert status["customers"] == 12
    assert {state["code"]: state["count"] for state in status["states"]} == {
        "prospect": 0, "new": 0, "growing": 0, "mature": 12, "silent": 0, "lost": 0,
        "won_back": 0, "odd": 0,
    }  # fmt: skip
    assert [band["count"] for band in status["churn_bands"]] == [0, 0, 3]
    assert status["types"] == [{"type": "purchase.completed", "count": 9}]
    asked = [scope for scope in upstream.seen if scope["path"] == "/v1/customers/summary"]
    assert dict(asked[0]["headers"])[b"authorization"] == b"Bearer the-key"
    assert "the-key" not in json.dumps(status)
    ready = await client.get("/readyz")
    assert ready.status_code == 200


async def test_many_lookers_are_one_question(client, upstream):
    for _ in range(5):
        await client.get("/status.json")
    asked = [scope for scope in upstream.seen if scope["path"] == "/v1/customers/summary"]
    assert len(asked) == 1
