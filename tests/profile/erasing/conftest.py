"""An installation of all four services in which nobody remembers a key for long."""

from collections.abc import AsyncIterator

import pytest

from services.profile.api.identities import Identities
from tests.world import World, world

KEYRING_SECONDS = 0.5


@pytest.fixture(scope="module")
async def here(postgres) -> AsyncIterator[World]:
    async with world(postgres, keyring_seconds=KEYRING_SECONDS) as made:
        app = made.client("profile")._transport.app
        app.state.identities = Identities(made.client("interaction"), made.settings.inbound_secret)
        yield made
