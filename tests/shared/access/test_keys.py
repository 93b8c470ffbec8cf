from uuid import uuid4

import pytest

from shared.access.keys import (
    KeyRevoked,
    find,
    hash_key,
    listed,
    looks_like_key,
    new_key,
    register,
    revoke,
)


def test_a_new_key():
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    for key in keys:
        assert key.startswith("tn_")
        assert len(key) == 35
        assert looks_like_key(key)


@pytest.mark.parametrize(
    "raw", ["", "short", "x" * 201, "with a space inside", "密钥" * 10, "a" * 20 + "\n"]
)
def test_what_cannot_be_a_key(raw):
    assert not looks_like_key(raw)


async def test_a_key_is_found_by_its_hash_and_stored_as_nothing_else(conn):
    raw = new_key()
    key_id = await register(
        conn, raw, name="tills", scopes=["publish", "read"], source_prefixes=["store-"]
    )
    caller = await find(conn, hash_key(raw))
    assert (caller.id, caller.name) == (key_id, "tills")
    assert caller.scopes == {"publish", "read"}
    assert caller.source_prefixes == ("store-",)
    assert await find(conn, hash_key(new_key())) is None
    row = dict(await conn.fetchrow("SELECT * FROM api_key"))
    assert raw not in str(row)
    assert raw.encode() not in row["key_hash"]


async def test_registering_again_changes_the_rights_and_nothing_else(conn):
    raw = new_key()
    first = await register(conn, raw, name="a", scopes=["read"])
    again = await register(conn, raw, name="b", scopes=["admin"], source_prefixes=["x"])
    assert first == again
    (entry,) = await listed(conn)
    assert (entry.caller.name, entry.caller.scopes) == ("b", {"admin"})


async def test_a_revoked_key_stays_revoked(conn):
    raw = new_key()
    key_id = await register(conn, raw, name="a", scopes=["read"])
    assert await revoke(conn, key_id)
    revoked_at = (await listed(conn))[0].revoked_at
    assert await revoke(conn, key_id)
    assert (await listed(conn))[0].revoked_at == revoked_at
    assert await find(conn, hash_key(raw)) is None
    with pytest.raises(KeyRevoked):
        await register(conn, raw, name="a", scopes=["read"])


async def test_revoking_what_is_not_there(conn):
    assert not await revoke(conn, uuid4())
    assert await listed(conn) == []
