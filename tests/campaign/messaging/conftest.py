"""One company for all tests of a module; each test begins by opening it."""

from collections.abc import AsyncIterator

import pytest

from tests.campaign.messaging.office import NOW, SERVICES, Office
from tests.campaign.messaging.sink import sink
from tests.world import world


@pytest.fixture(scope="module")
async def company(postgres) -> AsyncIterator[Office]:
    async with sink() as there, world(postgres, services=SERVICES, clock_now=NOW) as here:
        yield Office(here, there)


@pytest.fixture
def office(company: Office) -> Office:
    company.open()
    return company
