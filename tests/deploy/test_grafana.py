"""The dashboard shows something: each query is run against what a real installation says of itself."""

import asyncio
import json
import re
from itertools import combinations
from uuid import uuid4

import httpx
import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.state import ROOT
from shared import metrics
from shared.log import Entry
from tests.deploy.prometheus_tools import (
    exposing,
    known,
    prometheus,
    rules,
    selectors,
    unknown,
)
from tests.world import SERVICES, World, world

DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "tenure.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
RECORDED = {rule["record"] for rule in rules("record")}

TROUBLE = (
    "tenure_pauses_total",
    'tenure_relay_batches_total{service=~".*", outcome="failed"}',
    'ALERTS{alertname=~"Tenure.*", alertstate="firing"}',
)
"""Selectors that find nothing as long as all is well."""


def _filled(query: str) -> str:
    """A query as Grafana sends it."""
    return query.replace("$__rate_interval", "1m").replace("$service", ".*")


QUERIES = [_filled(target["expr"]) for panel in PANELS for target in panel["targets"]]
ASKED = QUERIES + [rule["expr"] for rule in (*rules("alert"), *rules("record"))]


def test_panels_are_complete_and_do_not_overlap():
    boxes = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    assert all(box["x"] + box["w"] <= 24 for box in boxes)
    for a, b in combinations(boxes, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        assert beside or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"], (a, b)
    for panel in PANELS:
        assert panel["title"]
        assert panel["targets"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["fieldConfig"]["defaults"]["unit"]


def test_variables_are_those_that_queries_use():
    declared = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD["panels"])))
    assert used - {"__rate_interval"} == declared == {"datasource", "service"}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_queries_name_what_there_is(panel):
    for target in panel["targets"]:
        query = _filled(target["expr"])
        assert selectors(query)
        assert unknown(query) == []
        shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        assert shown <= set().union(*(known()[one.name] for one in selectors(query)))


async def _something_of_everything(here: World) -> None:
    """Events good and bad, a repeat, a command, a read that waits and one that waits in vain."""
    events = [
        {
            "id": f"p{n}", "source": "shop", "type": "purchase.completed",
            "customer": {"member_no": "M1"},
            "data": {"order_id": f"o{n}", "total": {"amount": "9.50", "currency": "CNY"}},
        }
        for n in range(3)
    ]  # fmt: skip
    answer = await here.clients["interaction"].post(
        "/v1/events", json=[*events, events[0], {"id": "x"}], headers={"Prefer": "wait=20"}
    )
    assert [answer.json()[name] for name in ("accepted", "duplicate", "rejected")] == [3, 1, 1]
    outside = {
        "specversion": "1.0", "id": "ce", "source": "/crm", "type": "interaction.recorded",
        "customer": "member_no:M1", "data": {"kind": "call"},
    }  # fmt: skip
    records = [Entry(key="", value=value) for value in (*[orjson.dumps(outside)] * 2, b"garbage")]
    await here.kernels["interaction"].log.append("inbound", [(0, record) for record in records])
    profile = here.clients["profile"]
    path = "/v1/customers/member_no:M1"
    knows = {"Tenure-Wait-For": answer.headers["Tenure-Position"]}
    while (await profile.get(path, headers=knows)).status_code == 504:  # on a busy machine
        pass
    body, key = (
        {"tag": "behaviour:complained", "reason": "called"},
        {"Idempotency-Key": str(uuid4())},
    )
    tagged = await profile.post(f"{path}/tags", json=body, headers=key)
    assert tagged.status_code in {201, 409}, tagged.text
    never = {"Tenure-Wait-For": "interaction.0.999999"}
    late, _ = await asyncio.gather(profile.get(path, headers=never), here.settled())
    assert late.status_code == 504


@pytest.fixture(scope="module")
async def exposed(postgres) -> bytes:
    """What an installation answers as /metrics after some work, all its processes in one."""
    async with world(postgres) as here:
        await _something_of_everything(here)
        await here.settled()
        return metrics.exposition()


async def test_every_metric_and_label_in_use_is_exposed(exposed):
    samples: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(exposed.decode()):
        for sample in family.samples:
            samples.setdefault(sample.name, set()).update(sample.labels)
    scraped = {"job", "instance", "service", "process"}
    named = [one for query in ASKED for one in selectors(query)]
    for one in named:
        if one.name in samples:
            assert one.labels - samples[one.name] <= scraped, one
        else:
            assert one.name in RECORDED | {"up", "ALERTS", "tenure_pauses_total"}, one


async def test_gauges_say_what_has_become_of_it(exposed):
    families = text_string_to_metric_families(exposed.decode())
    said = {
        (sample.name, sample.labels["service"], sample.labels.get("kind", "")): sample.value
        for family in families
        for sample in family.samples
        if sample.name in {"tenure_quarantine_open", "tenure_ready"}
    }
    assert said["tenure_quarantine_open", "interaction", "quarantined"] == 1
    assert said["tenure_quarantine_open", "interaction", "parked"] == 0
    assert [said["tenure_ready", service, ""] for service in SERVICES] == [1] * len(SERVICES)


async def _ask(client: httpx.AsyncClient, query: str) -> list[dict]:
    answer = (await client.get("/api/v1/query", params={"query": query})).json()
    assert answer["status"] == "success", (query, answer)
    return answer["data"]["result"]


async def _lacking(client: httpx.AsyncClient) -> list[str]:
    """Queries without an answer, though all that they ask for has happened."""
    ordinary = [q for q in QUERIES if not any(trouble in q for trouble in TROUBLE)]
    ordinary += [one.name + one.matchers for query in ASKED for one in selectors(query)]
    asked = [q for q in dict.fromkeys(ordinary) if not any(trouble in q for trouble in TROUBLE)]
    return [query for query in asked if not await _ask(client, query)]


async def test_prometheus_answers_every_query(exposed, tmp_path):
    with exposing(exposed) as address:
        names = [f"{service}-{kind}" for service in SERVICES for kind in ("api", "worker")]
        listed = [{"name": name, "pid": 1, "address": address, "log": None} for name in names]
        with prometheus(tmp_path, listed) as server:
            async with httpx.AsyncClient(base_url=server, trust_env=False) as client:
                await _until_answered(client)
                assert len(await _ask(client, 'up{job="tenure"} == 1')) == len(listed)
                for query in QUERIES:  # those about trouble, too
                    await _ask(client, query)
                found = (await client.get("/api/v1/labels")).json()["data"]
                assert not [label for label in found if label.startswith("exported_")]
                groups = (await client.get("/api/v1/rules")).json()["data"]["groups"]
                health = {
                    rule["name"]: rule["health"] for group in groups for rule in group["rules"]
                }
                assert {*health.values()} == {"ok"}
                assert health.keys() == RECORDED | {rule["alert"] for rule in rules("alert")}


async def _until_answered(client: httpx.AsyncClient, seconds: float = 30) -> None:
    """Rates need two scrapes, and recording rules a round of their own."""
    until = asyncio.get_running_loop().time() + seconds
    lacking = ["no answer yet"]
    while lacking:
        assert asyncio.get_running_loop().time() < until, lacking
        await asyncio.sleep(0.3)
        try:
            lacking = await _lacking(client)
        except httpx.TransportError:
            continue
