import asyncio
import stat
from uuid import uuid4

import pytest

from shared.access.keys import find, hash_key, listed
from shared.keys import main


@pytest.fixture
def run(access_url, monkeypatch, capsys):
    """Run a command as a process would; (exit code, standard output, standard error)."""
    monkeypatch.setenv("ACCESS_URL", access_url)

    async def command(*argv: str) -> tuple[int, str, str]:
        code = await asyncio.to_thread(main, list(argv))  # it runs a loop of its own
        out, err = capsys.readouterr()
        return code, out, err

    return command


async def test_create_prints_the_key_and_nothing_else(run, conn):
    code, out, err = await run(
        "create", "--name", "tills", "--scope", "publish", "read", "--source-prefix", "store-"
    )
    assert (code, err) == (0, "")
    caller = await find(conn, hash_key(out.removesuffix("\n")))
    assert caller.scopes == {"publish", "read"}
    assert caller.source_prefixes == ("store-",)


async def test_scopes_may_be_given_one_by_one(run, conn):
    _, out, _ = await run("create", "--name", "x", "--scope", "read", "--scope", "ops")
    assert (await find(conn, hash_key(out.strip()))).scopes == {"read", "ops"}


async def test_a_key_may_have_a_rate_of_its_own(run, conn):
    raw = "tn_" + "r" * 32
    for rate, kept in (("2.5", 2.5), ("0", 0), (None, None)):
        given = ["--rate", rate] if rate else []
        await run("create", "--name", "x", "--scope", "read", "--key", raw, *given)
        assert (await find(conn, hash_key(raw))).rate == kept
    await run("create", "--name", "x", "--scope", "read", "--key", raw, "--rate", "7")
    assert (await run("list"))[1].splitlines()[1].endswith("\t7")


async def test_a_known_key_is_registered_again_and_again(run, conn):
    raw = "tn_" + "k" * 32
    for _ in range(2):
        code, out, _ = await run("create", "--name", "local", "--scope", "admin", "--key", raw)
        assert (code, out) == (0, raw + "\n")
    assert len(await listed(conn)) == 1


async def test_a_key_in_a_file_is_its_owners_alone(run, conn, tmp_path):
    path = tmp_path / "keys" / "local"
    for _ in range(2):
        code, out, _ = await run("create", "--name", "x", "--scope", "read", "--file", str(path))
        assert (code, out) == (0, "")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert await find(conn, hash_key(path.read_text().strip())) is not None
    assert [entry.name for entry in path.parent.iterdir()] == ["local"]


async def test_list_and_revoke(run):
    _, raw, _ = await run("create", "--name", "tills", "--scope", "publish")
    code, out, _ = await run("list")
    header, line = out.splitlines()
    assert header.split("\t")[0] == "id"
    key_id, name, scopes, prefixes, _, revoked, rate = line.split("\t")
    assert (code, name, scopes, prefixes, revoked) == (0, "tills", "publish", "-", "-")
    assert rate == "-"
    assert raw.strip() not in out
    code, out, err = await run("revoke", key_id)
    assert (code, out) == (0, "")
    assert "revoked" in err
    assert (await run("list"))[1].splitlines()[1].split("\t")[5] != "-"
    again = await run("create", "--name", "x", "--scope", "read", "--key", raw.strip())
    assert again == (1, "", "This key has been revoked; create a new one.\n")


async def test_an_unknown_id(run):
    key_id = str(uuid4())
    assert await run("revoke", key_id) == (1, "", f"There is no key with the id {key_id}.\n")


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["create", "--name", "x"],
        ["create", "--name", "x", "--scope", "everything"],
        ["create", "--name", "", "--scope", "read"],
        ["create", "--name", "x", "--scope", "read", "--key", "short"],
        ["create", "--name", "x", "--scope", "read", "--source-prefix", ""],
        ["create", "--name", "x", "--scope", "read", "--rate", "-1"],
        ["create", "--name", "x", "--scope", "read", "--rate", "nan"],
        ["create", "--name", "x", "--scope", "read", "--rate", "fast"],
        ["revoke", "7"],
        ["destroy"],
    ],
)
def test_wrong_arguments(argv, capsys):
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert capsys.readouterr().out == ""


async def test_no_database(monkeypatch, capsys):
    monkeypatch.delenv("ACCESS_URL", raising=False)
    assert main(["list"]) == 2
    monkeypatch.setenv("ACCESS_URL", "postgresql://nobody@127.0.0.1:1/access")
    assert await asyncio.to_thread(main, ["list"]) == 1
    monkeypatch.setenv("ACCESS_URL", "nonsense://")
    assert await asyncio.to_thread(main, ["list"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 3


async def test_a_database_without_the_table(run, conn):
    await conn.execute("DROP TABLE api_key")
    code, out, err = await run("list")
    assert (code, out) == (1, "")
    assert "shared.migrations" in err
    assert len(err.splitlines()) == 1
