"""What tests share: a real PostgreSQL, fresh databases, a real Kafka where Java and Maven are there."""

import os
import uuid
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from deploy.local.kafka import KafkaServer
from deploy.local.postgres import PostgresServer
from deploy.local.temporary import temporary_postgres
from shared import logging
from tests.world import databases_dropped

# How fast a machine is must not decide whether a test passes.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

os.environ.setdefault("INBOUND_SECRET", "a secret of the tests")
# What trains by itself would surprise a test: those that want it say so.
os.environ.setdefault("SCORING_TRAIN_DAYS", "0")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests."""
    with temporary_postgres() as server:
        yield server


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    """The address of a fresh, empty database."""
    name = f"t{uuid.uuid4().hex}"
    postgres.create_database(name)
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture(autouse=True)
def worlds_end_with_their_test() -> Iterator[None]:
    """Fixtures of a wider scope are made before this one, and keep what they have made."""
    with databases_dropped():
        yield


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """One broker for all tests; without Java or Maven they are skipped, but not where CI is set."""
    missing = KafkaServer.missing()
    if missing:
        if os.environ.get("CI"):
            pytest.fail(f"CI needs Kafka: {missing}")
        pytest.skip(f"NO KAFKA, ITS TESTS ARE SKIPPED: {missing}")
    server = KafkaServer(tmp_path_factory.mktemp("kafka") / "data")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> None:
    """As in a process of ours: one line of JSON, no values of customers."""
    logging.configure(service="tests", process="tests", level="WARNING")
