"""API keys from the command line.

    python -m shared.keys create --name NAME --scope SCOPE... [--source-prefix PREFIX...]
                                 [--rate REQUESTS] [--key RAW] [--file PATH]
    python -m shared.keys list
    python -m shared.keys revoke ID

The database is the one of ACCESS_URL. `create` prints the key on standard output, this once and
nothing else; with `--file` it is written there instead, readable by its owner alone. `--key`
registers a key that exists already: doing so again changes its name and rights. Exit codes: 0 done,
1 failed, 2 wrong arguments.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from uuid import UUID

import asyncpg

from shared.access.caller import SCOPES
from shared.access.keys import (
    KeyRevoked,
    listed,
    looks_like_key,
    new_key,
    register,
    revoke,
)
from shared.errors import is_pause, sqlstate

_Connection = asyncpg.Connection
_Command = Callable[[_Connection, argparse.Namespace], Awaitable[None]]


class _FailedError(Exception):
    """One sentence for the person at the keyboard."""


def _keep(path: Path, raw: str) -> None:
    """Write beside the old file and put it in its place: nobody ever reads half a key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(raw + "\n")
    beside.replace(path)


async def _create(conn: _Connection, args: argparse.Namespace) -> None:
    raw: str = args.key or new_key()
    try:
        await register(
            conn,
            raw,
            name=args.name,
            scopes=args.scope,
            source_prefixes=args.source_prefix,
            rate=args.rate,
        )
    except KeyRevoked:
        raise _FailedError("This key has been revoked; create a new one.") from None
    if args.file is None:
        print(raw)
    else:
        _keep(args.file, raw)


async def _list(conn: _Connection, _args: argparse.Namespace) -> None:
    entries = await listed(conn)
    print("id\tname\tscopes\tsource prefixes\tcreated\trevoked\trate")
    for entry in entries:
        caller = entry.caller
        cells = (
            str(caller.id),
            caller.name,
            ",".join(sorted(caller.scopes)),
            ",".join(caller.source_prefixes) or "-",
            entry.created_at.isoformat(timespec="seconds"),
            entry.revoked_at.isoformat(timespec="seconds") if entry.revoked_at else "-",
            "-" if caller.rate is None else f"{caller.rate:g}",
        )
        print("\t".join(cells))


async def _revoke(conn: _Connection, args: argparse.Namespace) -> None:
    if not await revoke(conn, args.id):
        raise _FailedError(f"There is no key with the id {args.id}.")
    print(f"{args.id} is revoked; it opens nothing after 2 seconds.", file=sys.stderr)


def _raw(text: str) -> str:
    if not looks_like_key(text):
        raise argparse.ArgumentTypeError("a key is 16 to 200 visible ASCII characters")
    return text


def _words(text: str) -> str:
    if not text.strip() or "\0" in text:
        raise argparse.ArgumentTypeError("it must not be empty")
    return text


def _rate(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1_000_000:
        raise argparse.ArgumentTypeError("it must be between 0 and 1000000")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m shared.keys", description="API keys.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    create = commands.add_parser("create", help="make a key, or register one that exists")
    create.add_argument("--name", required=True, type=_words, help="whose key it is")
    create.add_argument(
        "--scope", required=True, nargs="+", action="extend", choices=SCOPES, metavar="SCOPE",
        help=f"what it may do: {', '.join(SCOPES)}",
    )  # fmt: skip
    create.add_argument(
        "--source-prefix", default=[], nargs="+", action="extend", type=_words, metavar="PREFIX",
        help="publish only under sources that begin so",
    )  # fmt: skip
    create.add_argument(
        "--rate", type=_rate, metavar="REQUESTS",
        help="requests a second, 0 for no limit (default: as RATE_LIMIT_PER_SECOND says)",
    )  # fmt: skip
    create.add_argument("--key", type=_raw, metavar="RAW", help="register this key")
    create.add_argument("--file", type=Path, metavar="PATH", help="write the key there")
    create.set_defaults(command=_create)
    commands.add_parser("list", help="all keys").set_defaults(command=_list)
    close = commands.add_parser("revoke", help="close a key for good")
    close.add_argument("id", type=UUID, metavar="ID")
    close.set_defaults(command=_revoke)
    return parser


def _explain(exc: Exception) -> str:
    if isinstance(exc, _FailedError):
        return str(exc)
    if sqlstate(exc) == "42P01":
        return (
            "The database has no keys yet: run `python -m shared.migrations upgrade access` first."
        )
    if isinstance(exc, (OSError, ValueError, asyncpg.PostgresError)) or is_pause(exc):
        return f"The database of ACCESS_URL does not answer ({type(exc).__name__}: {exc})."
    raise exc


async def _run(command: _Command, args: argparse.Namespace, url: str) -> None:
    conn = await asyncpg.connect(url, timeout=5, command_timeout=10)
    try:
        await command(conn, args)
    finally:
        conn.terminate()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; answer the exit code."""
    args = _parser().parse_args(argv)
    url = os.environ.get("ACCESS_URL", "")
    if not url:
        print("Set ACCESS_URL to the database of the keys.", file=sys.stderr)
        return 2
    try:
        asyncio.run(_run(args.command, args, url))
    except Exception as exc:  # noqa: BLE001  (explained, or raised again)
        print(_explain(exc), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
