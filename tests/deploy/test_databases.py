import asyncio

import pytest

from deploy.local.databases import (
    SERVICES,
    create_databases,
    database_name,
    database_variables,
    url_of,
)
from deploy.local.errors import StartFailed
from deploy.local.temporary import main


def test_names_and_variables():
    assert database_name("log", "") == "log"
    assert database_name("log", "brand") == "brand.log"
    urls = {name: f"postgresql:///{name}" for name in ("log", "access", "keyring")}
    urls |= {name: f"postgresql:///{name}" for name in SERVICES}
    assert database_variables(urls)["PROFILE_DATABASE_URL"] == "postgresql:///profile"
    assert database_variables(urls)["EVENT_LOG_URL"] == "postgresql:///log"


def test_another_database_of_the_same_server():
    server = "postgresql://me:p%40ss@db.example:6432/postgres?sslmode=require"
    assert url_of(server, "x.log") == "postgresql://me:p%40ss@db.example:6432/x.log?sslmode=require"


async def test_databases_are_made_where_they_are_missing(postgres):
    server, names = postgres.url("postgres"), ["made", 'ma"de']
    await asyncio.to_thread(create_databases, server, names)
    await asyncio.to_thread(create_databases, server, [*names, "later"])
    for name in (*names, "later"):
        assert postgres.query(name, "SELECT current_database()") == name
        postgres.drop_database(name)


def test_a_server_that_is_away_is_one_sentence():
    with pytest.raises(StartFailed, match=r"DATABASE_URL.*127\.0\.0\.1"):
        create_databases("postgresql://me@127.0.0.1:1/postgres", ["x"])


def test_a_command_over_throw_away_databases(capfd):
    command = 'test -n "$PROFILE_DATABASE_URL" && echo "$EVENT_LOG_URL" && exit 3'
    assert main(["--", "sh", "-c", command]) == 3
    assert "postgresql://" in capfd.readouterr().out
    assert main([]) == 2
