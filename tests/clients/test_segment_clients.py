"""Segment's and RudderStack's own clients, unchanged, against the service."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from rudderstack.analytics.client import Client as Rudder
from segment.analytics.client import Client as Segment

from tests.api.sending import Sender, unique
from tests.clients.conftest import Server
from tests.clients.shop import check, publish, publish_with_node
from tests.world import World


async def timeline(here: World, sender: Sender, user: str) -> list[dict[str, Any]]:
    await here.settled()
    return await sender.timeline(f"user_id:{user}")


@pytest.mark.parametrize("losing", [0, 1])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", [Segment, Rudder])
async def test_python(
    here: World, server: Server, sender: Sender, key: str, kind: Any, packed: bool, losing: int
):
    """Also where the answer to the first attempt is lost: the second one is a repeat."""
    user, order = unique("u"), unique("o")
    errors: list[Exception] = []
    server.losing = losing
    client = kind(
        key, server.url, gzip=packed, on_error=lambda error, _: errors.append(error), max_retries=3
    )
    await asyncio.to_thread(publish, client, user, order)
    assert (errors, server.statuses) == ([], [200] * (1 + losing))
    check(await timeline(here, sender, user), order)


@pytest.mark.parametrize("kind", [Segment, Rudder])
async def test_a_wrong_key_is_told_as_the_client_understands_it(server: Server, kind: Any):
    errors: list[Any] = []
    client = kind("tn_" + "0" * 32, server.url, on_error=lambda error, _: errors.append(error))
    client.track("u", "x")
    await asyncio.to_thread(client.flush)
    await asyncio.to_thread(client.join)
    [error] = errors
    assert (error.status, error.code) == (401, "invalid_credentials")
    assert "unknown" in error.message


@pytest.mark.parametrize("losing", [0, 1])
async def test_node(here: World, server: Server, sender: Sender, key: str, node: Path, losing: int):
    user, order = unique("u"), unique("o")
    server.losing = losing
    await asyncio.to_thread(publish_with_node, node, server.url, key, user, order)
    assert len(server.statuses) == 1 + losing
    check(await timeline(here, sender, user), order)
