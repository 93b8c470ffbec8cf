"""The command `python -m services.scoring.train`."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson

from services.scoring import registry
from services.scoring.policies import CHURN
from services.scoring.settings import Settings
from services.scoring.train.errors import CannotTrain
from services.scoring.train.order import Order
from services.scoring.train.running import Interrupted, Work, ask, compute, find_training
from services.scoring.words import TRAININGS
from shared.database import Database
from shared.errors import Conflict, Pause, is_pause
from shared.settings import KernelSettings
from shared.words import say

BY = "command line"
_DESCRIPTION = """Train a model on the installation's own log, and keep it as a version that may be
looked at and put in force: GET /v1/models/churn. The same position of the log and the same seed give
the same model, byte for byte."""


def main(arguments: Sequence[str], tell: Callable[[str], None] = print) -> int:
    """0 with a model; 1 where one is being trained already; 2 where there cannot be one."""
    given = _parse(arguments)
    try:
        return asyncio.run(_dry(given, tell) if given.dry_run else _kept(given, tell))
    except CannotTrain as error:
        _complain(say(TRAININGS, error.code, "en", attempts=1, **error.context))
        return 2
    except Interrupted as error:
        _complain(say(TRAININGS, error.code, "en", attempts=1))
        return 2
    except Conflict as error:
        _complain(f"A training is at work already: {error.detail}")
        return 1
    except Exception as error:
        if isinstance(error, Pause) or is_pause(error):
            _complain(f"The database or the log is away: {error}")
            return 2
        raise


def _complain(text: str) -> None:
    print(text, file=sys.stderr)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m services.scoring.train", description=_DESCRIPTION)
    parser.add_argument("name", nargs="?", default=CHURN, choices=registry.MODELS)
    parser.add_argument("--seed", type=_seed, default=0, metavar="N", help="0 by default")
    parser.add_argument(
        "--position",
        type=_position,
        metavar="JSON",
        help='how far the log is read: offset by partition, as versions name it, {"0": 1204, ...};'
        " by default to its end",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write the model here")
    parser.add_argument(
        "--dry-run", action="store_true", help="only train: no version is kept, no database asked"
    )
    return parser.parse_args(arguments)


def _seed(text: str) -> int:
    seed = int(text)
    if not 0 <= seed < 2**31:
        raise ValueError
    return seed


def _position(text: str) -> dict[str, int]:
    try:
        read = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from None
    if not isinstance(read, dict) or not all(
        str(key).isdigit() and type(value) is int and value >= 0 for key, value in read.items()
    ):
        raise argparse.ArgumentTypeError("must be an offset for each partition")
    return read


def _order(given: argparse.Namespace, settings: KernelSettings) -> Order:
    return Order(
        event_log_url=settings.event_log_url,
        namespace=settings.namespace,
        partitions=settings.partitions,
        replication=settings.replication,
        position=given.position,
        seed=given.seed,
    )


class _Shown:
    """Says how far it is, ten times at most."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell, self._last = tell, 0

    def __call__(self, progress: float) -> None:
        tenth = int(progress * 10)
        if tenth > self._last:
            self._last = tenth
            self._tell(f"{tenth * 10} %")


async def _dry(given: argparse.Namespace, tell: Callable[[str], None]) -> int:
    made = await compute(_order(given, KernelSettings()), _Shown(tell))
    _finish(given, made, None, tell)
    return 0


async def _kept(given: argparse.Namespace, tell: Callable[[str], None]) -> int:
    """As a training like any other, with this process as the one that does it."""
    settings, owner = KernelSettings(), str(uuid4())
    database = Database(Settings().database_url, name="scoring train", size=2)
    try:
        async with database.transaction() as conn:
            now, position = datetime.now(UTC), given.position
            number = await ask(
                conn, given.name, given.seed, BY, now, owner=owner, position=position
            )
        work = Work(
            database=database,
            settings=settings,
            clock=lambda: datetime.now(UTC),
            name=given.name,
            number=number,
            owner=owner,
            seed=given.seed,
            by=BY,
            position=given.position,
            attempts=1,
            last=True,
            heard=_Shown(tell),
        )
        await work.run()
        async with database.read() as conn:
            done = await find_training(conn, given.name, number)
            assert done is not None, "it was asked for"
            if done.version is None:
                raise CannotTrain(done.code or "training_interrupted", **done.context)
            made = await conn.fetchval(
                "SELECT body FROM model_version WHERE name = $1 AND version = $2",
                given.name,
                done.version,
            )
    finally:
        await database.close()
    _finish(given, made, done.version, tell)
    return 0


def _finish(
    given: argparse.Namespace, made: bytes, version: int | None, tell: Callable[[str], None]
) -> None:
    if given.output is not None:
        given.output.write_bytes(made)
    for line in report(orjson.loads(made), version):
        tell(line)


def report(candidate: dict[str, Any], version: int | None) -> list[str]:
    """What was made, and how good it was on the last closed period."""
    name = candidate["name"]
    made_of = f"log up to {candidate['clock']}, seed {candidate['seed']}"
    lines = [
        f"{name}@{version}" if version is not None else f"{name}, not kept",
        f"  {made_of}, {candidate['customers']:,} customers",
    ]
    for figures in candidate["quality"]:
        lines.append(f"  {figures['horizon_days']} days, {figures['from']} to {figures['to']}:")
        for people in figures["populations"]:
            auc = people["auc"]
            best = auc["rules"].get(auc["best_rule"] or "")
            lines.append(
                f"    {people['population']}, {people['customers']:,} customers: AUC"
                f" {_bracket(auc['model'])}; best simple rule ({auc['best_rule']})"
                f" {_bracket(best)}; Brier to the base rate's"
                f" {_bracket(people['brier_ratio']['model'])}; calibration error"
                f" {_bracket(people['calibration_error']['model'])},"
                f" noise {people['noise_floor']:.3f}"
            )
    passed = "not worse" if candidate["passes"] else "worse: refused without an override"
    found = candidate["quality"][0].get("gate") if candidate["quality"] else None
    if found and found["difference"] is not None and found["sure"] is not None:
        passed += (
            f" (AUC {_bracket(found['difference'])} to {found['baseline']} over {found['periods']} closed"
            f" periods; so in {100 * found['sure']:.0f} % of draws)"
        )
    lines.append(f"  compared with the best simple rule: {passed}")
    return lines


def _bracket(value: dict[str, float] | None) -> str:
    if value is None:
        return "-"
    return f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
