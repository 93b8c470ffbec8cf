"""Which keys are destroyed, for whoever keeps backups.

    python -m shared.keyring destroyed           ids of customers whose key is destroyed, a line each
    python -m shared.keyring destroy FILE        destroys the keys of the customers named there, a line each

A backup that is older than an erasure has the key in it. Keep what `destroyed` prints where the backups are not; after
a restore give it to `destroy` before anything is started: profile then has everybody of them erased again. There is
nothing personal in it. The database is that of KEYRING_URL.

Exit codes: 0 done; 1 with a sentence; 2 how it is used.
"""

import asyncio
import os
import sys
from pathlib import Path
from uuid import UUID

import asyncpg

from shared.errors import is_pause
from shared.keyring import Keyring


async def _destroyed(url: str) -> list[UUID]:
    ring = Keyring(url, seconds=1)
    try:
        return sorted(await ring.all_destroyed())
    finally:
        await ring.close()


async def _destroy(url: str, customers: list[UUID]) -> None:
    ring = Keyring(url, seconds=1)
    try:
        await ring.destroy(customers)
    finally:
        await ring.close()


def main(arguments: list[str]) -> int:
    """See the module."""
    url = os.environ.get("KEYRING_URL", "")
    if not url:
        print("Set KEYRING_URL to the database of the customers' keys.", file=sys.stderr)
        return 2
    try:
        match arguments:
            case ["destroyed"]:
                for customer in asyncio.run(_destroyed(url)):
                    print(customer)
            case ["destroy", file]:
                customers = [UUID(line) for line in Path(file).read_text().split()]
                asyncio.run(_destroy(url, customers))
                print(f"{len(customers)} keys are destroyed")
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except ValueError as error:
        print(f"not a list of customers: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        if not (isinstance(error, (OSError, asyncpg.PostgresError)) or is_pause(error)):
            raise
        print(f"no keys were touched: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
