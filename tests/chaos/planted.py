"""Does the harness see anything? Known defects are planted in copies of this tree, each must be found.

    python -m tests.chaos.planted [NAME...]

Prints by which oracle each was found. Exit code 1 where one was not.
"""

import argparse
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deploy.local.state import ROOT

SEED = 41
SECONDS = 900
Change = tuple[str, str, str]


@dataclass(frozen=True)
class Defect:
    """What is changed where (file, old, new), and the faults that bring it to light."""

    what: str
    changes: tuple[Change, ...]
    kinds: str
    faults: int = 8
    workers: int = 1


_SEEN = """\
            if record.sequence <= seen[index]:
                batch.repeated += 1
                continue
"""
_FOLDED_AGAIN = """\
            if record.sequence <= seen[index]:
                event = self._decode(record, batch)
                continue
"""
_NUMBER = """\
            heads[partition] += 1
            number = heads[partition]
"""
_FROM_A_SEQUENCE = """\
            await conn.execute("SET LOCAL client_min_messages = error")
            number = await conn.fetchval(f"SELECT nextval('numbered_{self.table}_{partition}')")
"""
_LOCK = """\
        lock_class = crc32(self.table.encode()) - (1 << 31)
        await conn.execute(
            "SELECT pg_advisory_xact_lock($1, p) FROM unnest($2::int[]) WITH ORDINALITY AS u(p, n) ORDER BY n",
            lock_class,
            partitions,
        )
"""
_PREPARE = "    async def prepare(self) -> None:\n"
_SEQUENCES = """\
        for number in range(self.partitions):
            try:
                async with self.database.connection() as conn:
                    await conn.execute(f"CREATE SEQUENCE IF NOT EXISTS numbered_outbox_{number}")
            except Exception:
                pass
"""
_UNSENT = """\
            found = await unsent(conn, self._service, idle, self._sends_if)
"""
_ACKNOWLEDGED = """\
            await acknowledge(conn, self._service, found)
"""
_SEEK = """\
                    consumer.seek(self._partition, offset)
                    self._at = offset
"""
_TO_THE_END = """\
                    if offset:
                        await consumer.seek_to_end(self._partition)
                    else:
                        consumer.seek(self._partition, offset)
                    self._at = offset
"""
_OWNED = ' AND c.epoch = u.epoch"\n    f" AND c.next_offset = u.expected AND'
_ANYBODYS = ' AND TRUE"\n    f" AND'
_TELL = "            one.told = self.rows.projection.tell(one.told, announcement)\n"
_READ_ORDER = "ORDER BY r.partition, o.sequence"

DEFECTS = {
    "sequence": Defect(
        "outbox numbered from a sequence, without the lock (A1): a number may be passed before it is committed",
        (
            ("shared/numbered.py", _LOCK, ""),
            ("shared/numbered.py", _NUMBER, _FROM_A_SEQUENCE),
            ("shared/loop/lease.py", _PREPARE, _PREPARE + _SEQUENCES),
        ),
        "1,4,16",
    ),
    "id-order": Defect(
        "the relay sends in the order of ids, not of numbers",
        (("shared/relay.py", _READ_ORDER, "ORDER BY r.partition, md5(o.value)"),),
        "1,6",
    ),
    "ack-first": Defect(
        "the relay notes what it sends as acknowledged before it is",
        (("shared/loop/relaying.py", _UNSENT, _UNSENT + _ACKNOWLEDGED),),
        "1,3,5",
        12,
    ),
    "no-seen": Defect(
        "`seen` ignored: what was folded is folded again",
        (("shared/loop/folding.py", _SEEN, _FOLDED_AGAIN),),
        "1,6",
    ),
    "no-cas": Defect(
        "the checkpoint is moved whoever owns it",
        (("shared/loop/lease.py", _OWNED, _ANYBODYS),),
        "2",
        10,
        2,
    ),
    "latest": Defect(
        "a reader begins at the end of the log",
        (("shared/log/kafka.py", _SEEK, _TO_THE_END),),
        "1,3,5",
    ),
    "door": Defect(
        "the resolver forgets what has passed",
        (
            ("services/interaction/resolver.py", "        if content is None:", "        if True:"),
            (
                "services/interaction/resolver.py",
                "    if made < len(rows):\n        raise _RacedError\n\n\nasync def _settle",
                "\n\nasync def _settle",
            ),
        ),
        "1,5",
    ),
    "idempotency": Defect(
        "a repeated command is done again",
        (
            (
                "shared/commands.py",
                "    if row is None:\n        return None\n",
                "    return None\n",
            ),
        ),
        "1,5",
        12,
    ),
    "as-read": Defect(
        "a record is changed whatever became of it since it was read",
        (
            (
                "services/profile/api/editing.py",
                "        check_if_match(if_match, etag(view))\n",
                "",
            ),
        ),
        "14",
        3,
    ),
    "told": Defect(
        "what was told is not remembered",
        (("shared/loop/telling.py", _TELL, ""),),
        "1,6",
    ),
    "poison": Defect(
        "what cannot be used is dropped",
        (
            (
                "services/interaction/resolver.py",
                "        if plain:\n            await put_aside",
                "        if not plain:\n            await put_aside",
            ),
        ),
        "10",
        3,
    ),
    "token": Defect(
        "a read does not wait for its token",
        (
            (
                "shared/positions.py",
                "            while not self._passed(positions):",
                "            while False:",
            ),
        ),
        "1,4,5",
    ),
    "remembered": Defect(
        "the key of whoever was erased stays",
        (
            (
                "shared/keyring/keyring.py",
                "DO UPDATE SET key = NULL, destroyed_at = excluded.destroyed_at",
                "DO UPDATE SET destroyed_at = excluded.destroyed_at",
            ),
        ),
        "18",
        4,
    ),
    "reborn": Defect(
        "what was sent before somebody was erased, and is resolved after, makes them anew",
        (
            (
                "services/interaction/resolving.py",
                "        buried = self._buried(keys, received) if self._tombstones else {}\n",
                "        buried: dict[str, UUID] = {}\n",
            ),
        ),
        "18",
        6,
    ),
    "written": Defect(
        "what somebody wrote down about a contact is kept when the customer is erased",
        (
            (
                "services/interaction/erasing.py",
                "        await _blank_contacts(conn, parts)\n",
                "",
            ),
        ),
        "18",
        6,
    ),
    "again": Defect(
        "what a killed sender left is sent again",
        (
            (
                "services/campaign/messaging/claiming.py",
                'Next(UNCERTAIN, "process_ended"), now)',
                'Next(SCHEDULED, "process_ended", due_at=now), now)',
            ),
        ),
        "17",
        10,
    ),
}


def _copy(folder: Path) -> Path:
    tree = folder / "tree"
    left_out = shutil.ignore_patterns(".*", "__pycache__", "node_modules")
    shutil.copytree(ROOT, tree, ignore=left_out)
    (tree / ".local").mkdir()
    (tree / ".local" / "kafka-libs").symlink_to((ROOT / ".local" / "kafka-libs").resolve())
    return tree


def planted(name: str, port: int) -> tuple[bool, str]:
    """Whether the defect was found, and what the harness said."""
    defect = DEFECTS[name]
    with tempfile.TemporaryDirectory(prefix="tenure-planted-") as folder:
        Path(folder).chmod(0o711)
        tree = _copy(Path(folder))
        for file, old, new in defect.changes:
            path = tree / file
            text = path.read_text()
            if text.count(old) != 1:
                return False, f"{file} has changed: {old!r} is {text.count(old)} times in it"
            path.write_text(text.replace(old, new))
        command = [sys.executable, "-m", "tests.chaos", "--seed", str(SEED), "--port", str(port)]
        command += ["--kinds", defect.kinds, "--faults", str(defect.faults)]
        command += ["--workers", str(defect.workers), "--check-every", "2"]
        code, out, errors = _told(command, tree)
        return code == 1 and "things wrong" in out, out + errors


def _told(command: list[str], tree: Path) -> tuple[int, str, str]:
    """Exit code and what was said; whoever ends us ends it too, with all that it started."""
    with subprocess.Popen(
        command, cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            out, errors = process.communicate(timeout=SECONDS)
        except BaseException:
            process.terminate()
            raise
        return process.returncode, out, errors


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was begun is cleared away
    options = argparse.ArgumentParser(prog="python -m tests.chaos.planted")
    options.add_argument("names", nargs="*", default=list(DEFECTS))
    options.add_argument("--port", type=int, default=0)
    chosen = options.parse_args()
    missed = 0
    for name in chosen.names:
        found, said = planted(name, chosen.port)
        oracles = sorted(set(re.findall(r"^(O\d): ", said, re.MULTILINE)))
        faults = len(re.findall(r"^ +\d+ kind", said, re.MULTILINE))
        first = re.search(r"^O\d: .*", said, re.MULTILINE)
        caught = found and bool(oracles)
        missed += not caught
        print(
            f"{name}: {'found' if caught else 'NOT FOUND'} by {', '.join(oracles)} after {faults} faults"
        )
        print(f"    {(first[0] if first else said[-900:])[:900]}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
