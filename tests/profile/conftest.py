"""An installation of interaction and profile, its workers running."""

from collections.abc import AsyncIterator

import pytest

from services.profile.api.identities import Identities
from tests.world import World, world


@pytest.fixture(scope="module")
async def here(postgres) -> AsyncIterator[World]:
    async with world(postgres, services=["interaction", "profile"]) as made:
        app = made.client("profile")._transport.app
        app.state.identities = Identities(made.client("interaction"), made.settings.inbound_secret)
        yield made
