# ruff: noqa: INP001, S310  (a program by itself; the address is its user's)
"""Bring the purchases of a CSV file in, as a backfill: nobody is told of anything until it is closed.

    python import_csv.py sales.csv --url http://127.0.0.1:8000 --key tn_... --history shop-2025

One row per line of a basket; rows of one order stand together. Columns:

    order_id        required
    time            required, such as 2025-11-20T12:03:11+08:00; without an offset it is taken to be in --timezone
    member_no, user_id, external_id, phone, email     one of them at least
    total           what was paid for the order; where there is none, the sum of its lines' amounts
    amount          what the line cost; needed where there is no total
    discount, store, channel, coupon, product_id, product, category, quantity      where known

Change `event` for a file of another shape. The file is read as it is sent, whatever its size. Every order has an
id of its own (its order id), so running it again is harmless and goes on where it stopped: what was taken before
is a duplicate. What is rejected is written to the standard error with its line, and then the history stays open:
mend the file and run it again. Needs nothing but Python 3.11.
"""

import argparse
import csv
import gzip
import itertools
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

EVENTS, BYTES = 500, 1_000_000
ATTEMPTS = 20
IDENTIFIERS = ("member_no", "user_id", "external_id", "phone", "email")
Row = dict[str, str]


def event(rows: list[Row], source: str, currency: str, zone: ZoneInfo) -> dict[str, Any]:
    """One order, from its rows."""
    first = rows[0]
    at = datetime.fromisoformat(first["time"])
    total = first.get("total") or str(sum(Decimal(row["amount"]) for row in rows))
    data: dict[str, Any] = {
        "order_id": first["order_id"],
        "total": {"amount": total, "currency": currency},
        "items": [_line(row) for row in rows if row.get("product_id") or row.get("product")],
        "coupons": [first["coupon"]] if first.get("coupon") else [],
    }
    if first.get("discount"):
        data["discount"] = {"amount": first["discount"], "currency": currency}
    data |= {name: first[name] for name in ("store", "channel") if first.get(name)}
    return {
        "id": first["order_id"],
        "source": source,
        "type": "purchase.completed",
        "time": (at if at.tzinfo else at.replace(tzinfo=zone)).isoformat(),
        "customer": {name: first[name] for name in IDENTIFIERS if first.get(name)},
        "data": data,
    }


def _line(row: Row) -> dict[str, Any]:
    named = {"product_id": row.get("product_id"), "name": row.get("product")}
    line: dict[str, Any] = named | {"category": row.get("category"), "amount": row.get("amount")}
    if row.get("quantity"):
        line["quantity"] = float(row["quantity"])
    return {name: value for name, value in line.items() if value not in {None, ""}}


def orders(rows: Iterable[Row]) -> Iterator[tuple[int, list[Row]]]:
    """Rows that stand together and have one order id, with the line on which they begin."""
    numbered = enumerate(rows, start=2)  # the first line has the names of the columns
    for _, group in itertools.groupby(numbered, key=lambda one: one[1]["order_id"]):
        found = list(group)
        yield found[0][0], [row for _, row in found]


def batches(lines: Iterable[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    """As much as one request may carry."""
    batch: list[tuple[int, bytes]] = []
    size = 0
    for line, content in lines:
        if batch and (len(batch) == EVENTS or size + len(content) > BYTES):
            yield batch
            batch, size = [], 0
        batch.append((line, content))
        size += len(content)
    if batch:
        yield batch


def post(url: str, key: str, body: bytes) -> dict[str, Any]:
    """The answer; tried again while the service is away. Nothing is lost or counted twice by that."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(
        url, gzip.compress(body), headers | {"Content-Encoding": "gzip"}, method="POST"
    )
    for attempt in range(ATTEMPTS):
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code not in {429, 500, 502, 503, 504}:
                sys.exit(f"{error.code}: {error.read().decode(errors='replace')}")
            wait = float(error.headers.get("Retry-After") or min(2**attempt, 30))
        except (OSError, ValueError):
            wait = min(2**attempt, 30)
        time.sleep(wait)
    sys.exit("The service is away. Run the same command again to go on.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--key", required=True, help="one with the scope publish")
    parser.add_argument("--history", required=True, help="a name for this import")
    parser.add_argument("--source", default="csv", help="whose orders these are")
    parser.add_argument("--currency", default="CNY")
    parser.add_argument("--timezone", default="Asia/Shanghai")
    asked = parser.parse_args()
    zone = ZoneInfo(asked.timezone)
    counts = {"accepted": 0, "duplicate": 0, "rejected": 0}
    with Path(asked.file).open(newline="", encoding="utf-8-sig") as file:

        def encoded() -> Iterator[tuple[int, bytes]]:
            for line, rows in orders(csv.DictReader(file)):
                try:
                    made = event(rows, asked.source, asked.currency, zone)
                except (ArithmeticError, KeyError, TypeError, ValueError) as error:
                    counts["rejected"] += 1
                    print(f"line {line}: {error!r}", file=sys.stderr)
                else:
                    yield line, json.dumps(made).encode()

        for batch in batches(encoded()):
            body = b"[" + b",".join(content for _, content in batch) + b"]"
            answer = post(f"{asked.url}/v1/events?history={asked.history}", asked.key, body)
            for (line, _), item in zip(batch, answer["items"], strict=True):
                counts[item["status"]] += 1
                if item["status"] == "rejected":
                    what = [f"{e['pointer']}: {e['message']}" for e in item.get("errors", ())]
                    print(f"line {line}: {item['code']} {'; '.join(what)}", file=sys.stderr)
            print(json.dumps(counts), flush=True)
    if counts["rejected"]:
        sys.exit("Something was rejected: the history stays open. Mend it and run this again.")
    post(f"{asked.url}/v1/history/{asked.history}/close", asked.key, b"")
    print("closed")


if __name__ == "__main__":
    main()
