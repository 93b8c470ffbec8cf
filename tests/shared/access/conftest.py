"""The access database with its one table, fresh for every test."""

import asyncpg
import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from shared.access.tables import api_key


@pytest.fixture
async def access_url(database):
    conn = await asyncpg.connect(database)
    await conn.execute(str(CreateTable(api_key).compile(dialect=postgresql.dialect())))
    await conn.close()
    return database


@pytest.fixture
async def conn(access_url):
    conn = await asyncpg.connect(access_url)
    yield conn
    await conn.close()
