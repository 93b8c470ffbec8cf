"""`make rebuild SERVICE=profile`: make a service's rows anew in the running local installation."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from deploy.local.state import ROOT

SERVICES = ("interaction", "profile", "scoring", "campaign")


def main(local: Path = ROOT / ".local") -> int:
    """The exit code of the rebuild; 2 where there is nothing to rebuild."""
    service = os.environ.get("SERVICE", "")
    if service not in SERVICES:
        print(f"which one? make rebuild SERVICE={'|'.join(SERVICES)}", file=sys.stderr)
        return 2
    told = local / "environment"
    if not told.exists():
        print("nothing runs here: start it with make run", file=sys.stderr)
        return 2
    words = shlex.split(told.read_text())
    variables = dict(word.split("=", 1) for word in words if "=" in word)
    variables["INBOUND_SECRET"] = (local / "secret").read_text().strip()
    command = [sys.executable, "-m", f"services.{service}.rebuild"]
    return subprocess.run(command, cwd=ROOT, env=os.environ | variables, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
