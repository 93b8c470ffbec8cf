"""The examples of docs/publishing.md that need more than tests/e2e/pages.py has: Kafka, a service that is away."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.sending import Sender
from tests.clients.conftest import Server
from tests.world import World, world

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/publishing.md").read_text()


@pytest.mark.kafka
async def test_kafka(postgres, kafka):
    [text] = [
        text for text in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "aiokafka" in text
    ]
    url = f"kafka://{kafka.bootstrap}"
    async with world(postgres, services=["interaction"], log_url=url, partitions=1) as made:
        await made.settled()
        topic = f"{made.settings.namespace}.inbound"
        environment = {**os.environ, "KAFKA": kafka.bootstrap, "TOPIC": topic}
        await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", text], env=environment, check=True, timeout=60
        )
        await made.settled()
        [entry] = await Sender(made).timeline("member_no:M42", type="interaction.recorded")
        assert entry["source"] == "/warehouse"


COLUMNS = "order_id,time,member_no,total,amount,product_id,quantity,coupon,discount,store\n"


async def imported(server: Server, key: str, tmp_path: Path, rows: str) -> tuple[int, str, str]:
    (tmp_path / "sales.csv").write_text(COLUMNS + rows, encoding="utf-8-sig")
    script = shutil.copy(ROOT / "docs/examples/import_csv.py", tmp_path)
    done = await asyncio.to_thread(
        subprocess.run,
        [
            *(sys.executable, "-I", str(script), "sales.csv", "--url", server.url, "--key", key),
            *("--history", "h-1", "--source", "old-shop", "--currency", "USD"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


async def test_csv(here: World, server: Server, sender: Sender, key: str, tmp_path: Path):
    rows = "".join(
        f"csv-{n},2025-03-01 09:30:0{n % 10},MC-{n % 7},,{n}.25,P9,2,,,\n" for n in range(1, 701)
    )
    rows += "csv-x,2025-03-02T10:00:00-05:00,MC-x,5.00,,P9,1,SPRING,0.50,7\n"
    rows += "csv-x,2025-03-02T10:00:00-05:00,MC-x,5.00,,P10,,,,\n"
    server.losing = 1
    code, said, errors = await imported(server, key, tmp_path, rows)
    assert (code, errors) == (0, "")
    counted = json.loads(said.splitlines()[-2])
    assert counted["accepted"] + counted["duplicate"] == 701  # of the lost answer some may be known
    assert said.splitlines()[-1] == "closed"
    await here.settled()
    [entry] = await sender.timeline("member_no:MC-x", type="purchase.completed")
    assert entry["data"] == {
        "order_id": "csv-x",
        "total": {"amount": "5.00", "currency": "USD"},
        "discount": {"amount": "0.50", "currency": "USD"},
        "coupons": ["SPRING"],
        "store": "7",
        "items": [{"product_id": "P9", "quantity": 1}, {"product_id": "P10"}],
    }
    assert len(await sender.timeline("member_no:MC-3", type="purchase.completed")) == 100
    # Again, with more rows and a bad one: what was taken is not taken twice, and the history stays open.
    rows += "csv-bad,yesterday,MC-1,5,,,,,,\ncsv-none,2025-03-02T10:00:00Z,,5,,,,,,\n"
    rows += "csv-new,2025-03-03T10:00:00Z,MC-new,5,,,,,,\n"
    code, said, errors = await imported(server, key, tmp_path, rows)
    assert code == 1
    assert said.splitlines()[-1] == '{"accepted": 1, "duplicate": 701, "rejected": 2}'
    assert "line 704: ValueError" in errors
    assert "line 705: no_customer" in errors
