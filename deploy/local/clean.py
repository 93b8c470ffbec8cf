"""`python -m deploy.local.clean`: forgets everything that the local run keeps."""

import argparse
import sys
from collections.abc import Sequence

from deploy.local.errors import AlreadyRunning
from deploy.local.processes import hold
from deploy.local.state import forget, local_folder


def main(arguments: Sequence[str] = ()) -> int:
    """Removes `.local/`; 1 and one sentence while a run is using it."""
    argparse.ArgumentParser(
        prog="python -m deploy.local.clean",
        description="Forget everything that the local run keeps: .local/ is removed.",
    ).parse_args(arguments)
    local = local_folder()
    if not local.exists():
        return 0
    try:
        with hold(local / "lock", "make run is running: stop it first (Ctrl-C there)."):
            forget(local)
    except AlreadyRunning as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
