from collections.abc import AsyncIterator

import pytest

from tests.interaction.webhooks.desk import Desk, a_world
from tests.interaction.webhooks.receiver import Receiver, receiving
from tests.world import World


@pytest.fixture(scope="package")
async def here(postgres) -> AsyncIterator[World]:
    async with a_world(postgres) as made:
        yield made


@pytest.fixture
async def desk(here: World) -> AsyncIterator[Desk]:
    made = Desk(here)
    yield made
    await made.clear()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made
