"""The bench of these tests."""

import pytest

from tests.shared.loop.bench import open_bench


@pytest.fixture
async def bench(postgres):
    async with open_bench(postgres) as made:
        yield made
