"""The whole year is prepared once for all tests of the demo, and read back once."""

import pytest

from deploy.demo import baskets, shift
from deploy.demo.plan import Plan, prepare
from tests.demo.reading import NOW, ReadBack, read_back


@pytest.fixture(scope="session")
def lines() -> baskets.Lines:
    return baskets.load(small=False)


@pytest.fixture(scope="session")
def weeks(lines) -> shift.Shift:
    return shift.choose(lines.last_utc, NOW)


@pytest.fixture(scope="session")
def plan(lines, weeks) -> Plan:
    return prepare(lines, weeks, batch_events=500)


@pytest.fixture(scope="session")
def seen(plan) -> ReadBack:
    return read_back(plan)


@pytest.fixture(scope="session")
def small(weeks) -> Plan:
    return prepare(baskets.load(small=True), weeks, batch_events=500)
