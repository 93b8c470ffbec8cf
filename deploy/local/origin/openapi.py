"""One OpenAPI document out of the services' own ones."""

import copy
from collections.abc import Mapping
from typing import Any

from deploy.local.origin.routing import may_own

Json = dict[str, Any]
_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
_REF = "#/components/"


def merge(documents: Mapping[str, Json]) -> Json:
    """Every path of every service that the origin hands to it; the inputs stay as they are.

    Components of the same name are one where they are equal; else the later one is renamed
    `<Service><Name>`, and with it all that speak of it."""
    merged: Json = {
        "openapi": "3.1.0",
        "info": _info(documents),
        "servers": [{"url": "/"}],
        "paths": {},
        "components": {},
        "tags": [],
    }
    used: set[str] = set()
    for service, original in documents.items():
        document = _renamed(copy.deepcopy(original), _clashes(merged, original), service)
        _add_components(merged["components"], document.get("components", {}))
        for path, item in document.get("paths", {}).items():
            if may_own(service, path):
                _name_operations(item, service, used)
                merged["paths"][path] = item
        known = {tag["name"] for tag in merged["tags"]}
        merged["tags"] += [tag for tag in document.get("tags", []) if tag["name"] not in known]
        if "security" in document:
            merged.setdefault("security", document["security"])
    merged["paths"] = dict(sorted(merged["paths"].items()))
    return merged


def _info(documents: Mapping[str, Json]) -> Json:
    versions = [doc["info"]["version"] for doc in documents.values() if "info" in doc]
    description = "Event-sourced customer management: every operation of every service."
    return {"title": "Tenure", "version": max(versions, default="0"), "description": description}


def _components(document: Json) -> dict[str, Any]:
    """All components by `kind/name`."""
    return {
        f"{kind}/{name}": body
        for kind, named in document.get("components", {}).items()
        for name, body in named.items()
    }


def _clashes(merged: Json, document: Json) -> set[str]:
    """Components that have a namesake which is, or speaks of, something else."""
    there, here = _components(merged), _components(document)
    shared = there.keys() & here.keys()
    clashes = {key for key in shared if there[key] != here[key]}
    grown = True
    while grown:
        more = {key for key in shared - clashes if _references(here[key]) & clashes}
        clashes |= more
        grown = bool(more)
    return clashes


def _references(node: Any) -> set[str]:
    if isinstance(node, str):
        return {node.removeprefix(_REF)} if node.startswith(_REF) else set()
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return {reference for child in children for reference in _references(child)}


def _renamed(document: Json, clashes: set[str], service: str) -> Json:
    if not clashes:
        return document
    names = {key: _own_name(key, service) for key in clashes}
    for kind, named in document["components"].items():
        document["components"][kind] = {
            names.get(f"{kind}/{name}", f"{kind}/{name}").removeprefix(f"{kind}/"): body
            for name, body in named.items()
        }
    replaced: Json = _replaced(document, {_REF + old: _REF + new for old, new in names.items()})
    return replaced


def _own_name(key: str, service: str) -> str:
    kind, _, name = key.partition("/")
    return f"{kind}/{service.capitalize()}{name}"


def _replaced(node: Any, texts: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _replaced(value, texts) for key, value in node.items()}
    if isinstance(node, list):
        return [_replaced(value, texts) for value in node]
    return texts.get(node, node) if isinstance(node, str) else node


def _add_components(merged: Json, components: Json) -> None:
    for kind, named in components.items():
        merged.setdefault(kind, {}).update(named)


def _name_operations(item: Json, service: str, used: set[str]) -> None:
    """Operation ids stay unique, and every operation belongs to a group."""
    for method, operation in item.items():
        if method not in _METHODS:
            continue
        operation.setdefault("tags", [service])
        name = operation.get("operationId")
        if name in used:
            operation["operationId"] = f"{service}_{name}"
        used.add(operation.get("operationId", ""))
