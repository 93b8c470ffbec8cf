"""The rows of an installation without what may differ between two: ids, numbers, when things were noticed."""

import math
from collections.abc import Mapping
from typing import Any

from tests.e2e.workload import Key

Row = dict[str, Any]
TOLERANCE = 1e-5


def by_name(customers: list[Row]) -> dict[str, Row]:
    """Customers by the identifier that all their events carry."""
    found = {}
    for customer in customers:
        values = {one["type"]: one["value"] for one in customer["identifiers"]}
        main = "member_no" if "member_no" in values else "cookie"
        assert main in values, f"an event that named {customer['id']} is missing"
        found[f"{main}:{values[main]}"] = customer
    assert len(found) == len(customers), "two customers have one identifier"
    return found


def plain_customer(customer: Row, ids: Mapping[str, Key]) -> Row:
    """Evidence by source and the publisher's id; a tag's `since` may be when it was told."""
    left = {name: value for name, value in customer.items() if name not in {"id", "number"}}
    left["identifiers"] = sorted((one["type"], one["value"]) for one in customer["identifiers"])
    left["tags"] = [
        {**tag, "since": None, "evidence": _named(tag["evidence"], ids)} for tag in customer["tags"]
    ]
    lifecycle = customer["lifecycle"]
    left["lifecycle"] = {**lifecycle, "evidence": _named(lifecycle["evidence"], ids)}
    return left


def plain_score(score: Row, ids: Mapping[str, Key]) -> Row:
    """Without versions of what was fitted (one fits more often than the other), and without texts made of
    rounded numbers."""
    left = {"at": score["at"], "rfm": score["rfm"], "churn": score["churn"]}
    if score["rfm"] is not None:
        left["rfm"] = {name: value for name, value in score["rfm"].items() if name != "policy"}
        left["rfm"]["evidence"] = _named(score["rfm"]["evidence"], ids)
        left["rfm"]["events"] = _of_anybody(score["rfm"]["events"])
    if score["churn"] is not None:
        churn = {name: value for name, value in score["churn"].items() if name != "model"}
        churn["evidence"] = _named(churn["evidence"], ids)
        churn["events"] = _of_anybody(churn["events"])
        churn["reasons"] = [
            {name: value for name, value in reason.items() if name != "text"}
            for reason in churn["reasons"]
        ]
        churn["nearest_change"] = {**churn["nearest_change"], "text": None}
        left["churn"] = churn
    return left


def _named(evidence: list[str], ids: Mapping[str, Key]) -> list[Key]:
    return [ids[event_id] for event_id in evidence]


def _of_anybody(path: str) -> str:
    """The part of a timeline, whoever's it is."""
    return path.partition("?")[2]


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two rows differ; numbers that a fit went into are equal when they are close."""
    if isinstance(one, dict) and isinstance(other, dict):
        found = [f"{path}/{name}: only on one side" for name in one.keys() ^ other.keys()]
        for name in one.keys() & other.keys():
            found += differences(one[name], other[name], f"{path}/{name}")
        return found
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [text for n, pair in pairs for text in differences(*pair, f"{path}/{n}")]
    if isinstance(one, float) and isinstance(other, float):
        return [] if math.isclose(one, other, abs_tol=TOLERANCE) else [f"{path}: {one} != {other}"]
    return [] if one == other else [f"{path}: {one!r} != {other!r}"]
