"""One installation of interaction for all of these tests: each uses names of its own."""

from collections.abc import AsyncIterator

import pytest

from tests.api.sending import Sender
from tests.world import World, world


@pytest.fixture(scope="package")
async def here(postgres) -> AsyncIterator[World]:
    async with world(postgres, services=["interaction"]) as made:
        yield made


@pytest.fixture
def sender(here: World) -> Sender:
    return Sender(here)
