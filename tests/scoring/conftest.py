"""An API process of scoring over a database of its own, without a worker."""

from collections.abc import AsyncIterator

import pytest

from tests.world import World, world


@pytest.fixture(scope="module")
async def here(postgres) -> AsyncIterator[World]:
    async with world(postgres, services=["scoring"], workers=False) as made:
        yield made
