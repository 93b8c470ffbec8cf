"""How soon a segment has a customer after the event that puts them into it, while something else keeps the
installation busy: a replay, say.

    make run                      in one terminal, and while it replays in another:
    python -m tests.e2e.live      [SECONDS, 60] [ORIGIN, http://127.0.0.1:8000]

One new customer at a time: described and sold something in one request, then asked for until they are a member.
Prints the seconds from the request's answer until then. Reads the key from .local/key.
"""

import statistics
import sys
import time
import uuid
from datetime import UTC, datetime

import httpx

from deploy.local.state import ROOT

LOOK_SECONDS = 0.02
PAUSE_SECONDS = 0.5
MOST_SECONDS = 120.0
RULE = {
    "all": [
        {"field": "purchases.count", "op": ">=", "value": 1},
        {"field": "attributes.region", "op": "=", "value": "probe"},
    ]
}


def main(seconds: float, origin: str) -> None:
    """Measures, then deletes the segment that it has made."""
    key = (ROOT / ".local/key").read_text().strip()
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=origin, headers=headers, timeout=60, trust_env=False) as http:
        made = http.post("/v1/segments", json={"name": "Probes", "rule": RULE})
        made.raise_for_status()
        segment = f"/v1/segments/{made.json()['id']}"
        try:
            until, found = time.monotonic() + seconds, []
            while time.monotonic() < until:
                found.append(_probe(http, segment))
                time.sleep(PAUSE_SECONDS)
        finally:
            http.delete(segment)
    print(_told("until the door answered", [door for door, _ in found]))
    print(_told("from then until a member", [member for _, member in found]))


def _probe(http: httpx.Client, segment: str) -> tuple[float, float]:
    """Seconds until the door's answer, and from there until the segment has the customer."""
    name = f"probe-{uuid.uuid4().hex[:12]}"
    about = {"source": "probe", "time": datetime.now(UTC).isoformat()}
    about["customer"] = {"member_no": name}
    total = {"amount": "5.00", "currency": "USD"}
    events = [
        {"id": f"d-{name}", "type": "customer.described", "data": {"traits": {"region": "probe"}}},
        {
            "id": f"p-{name}",
            "type": "purchase.completed",
            "data": {"order_id": name, "total": total},
        },
    ]
    began = time.monotonic()
    http.post("/v1/events", json=[event | about for event in events]).raise_for_status()
    answered = time.monotonic()
    while True:
        answer = http.get(f"{segment}/members/member_no:{name}")
        if answer.status_code == 200 and answer.json()["member"]:
            return answered - began, time.monotonic() - answered
        if time.monotonic() - answered > MOST_SECONDS:
            raise SystemExit(f"no member within {MOST_SECONDS:.0f} s: {answer.text}")
        time.sleep(LOOK_SECONDS)


def _told(what: str, seconds: list[float]) -> str:
    ordered = sorted(seconds)
    return (
        f"{what}: {len(ordered)} probes, median {statistics.median(ordered):.2f} s,"
        f" 9 of 10 within {ordered[len(ordered) * 9 // 10]:.2f} s, all within {ordered[-1]:.2f} s"
    )


if __name__ == "__main__":
    main(
        float(sys.argv[1]) if len(sys.argv) > 1 else 60.0,
        sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:8000",
    )
