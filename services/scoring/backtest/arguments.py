"""What `python -m services.scoring.backtest` is told."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, cast

from services.scoring.backtest.errors import BacktestError
from services.scoring.backtest.headings import ALIASES
from services.scoring.backtest.reading import Columns
from services.scoring.backtest.times import Order

HORIZONS = (28, 90)
LONGEST = 3_650

ABOUT = """\
Judge the scores on past purchases, or write what they say.

Without --cut: every score at several earlier cuts, beside the simple rules a sceptic would use, as
text, and with --json and --pictures for others. With --cut: plain predictions that know nothing of
the cut or later. Without --csv: the installation's own log.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BacktestError(f"{message[:1].upper()}{message[1:]}; see --help.")


@dataclass(frozen=True, slots=True)
class Arguments:
    """As given; times are not read yet, since they depend on the time zone."""

    csv: Path | None
    columns: Columns
    cut: str | None
    cuts: tuple[str, ...]
    horizons: tuple[int, ...]
    predictions: Path | None
    recommendations: Path | None
    level: str
    forecast: Path | None
    oracle: Path | None
    answers: Path | None
    json: Path | None
    pictures: Path | None
    seed: int


def parse(arguments: Sequence[str]) -> Arguments:
    """Raises BacktestError for what does not fit together."""
    given = _parser().parse_args(list(arguments))
    if (given.oracle is None) != (given.answers is None):
        raise BacktestError("--oracle and --answers go together.")
    wanted = (given.predictions, given.recommendations, given.forecast)
    if given.cut is None and any(path is not None for path in wanted):
        raise BacktestError("--predictions, --recommendations and --forecast need a --cut.")
    if given.cut is not None and not any(path is not None for path in wanted):
        raise BacktestError(
            "With --cut say what to write: --predictions, --recommendations or --forecast."
        )
    horizons = (given.horizon,) if given.horizon else HORIZONS
    names = {role: getattr(given, f"{role}_column") for role in ALIASES}
    return Arguments(
        csv=given.csv,
        columns=Columns(
            names={role: name for role, name in names.items() if name},
            timezone=given.timezone,
            order=cast("Order | None", given.date_order),
        ),
        cut=given.cut,
        cuts=tuple(part for part in (given.cuts or "").split(",") if part),
        horizons=horizons,
        predictions=given.predictions,
        recommendations=given.recommendations,
        level=given.level,
        forecast=given.forecast,
        oracle=given.oracle,
        answers=given.answers,
        json=given.json,
        pictures=given.pictures,
        seed=given.seed,
    )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m services.scoring.backtest",
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    source = parser.add_argument_group("source")
    source.add_argument("--csv", type=Path, help="purchases: customer, time, amount and more")
    source.add_argument(
        "--timezone", default="UTC", help="of the shop: times with an offset are converted to it"
    )
    source.add_argument("--date-order", choices=("dmy", "mdy"), help="of dates like 03/04/2017")
    for role in ALIASES:
        source.add_argument(f"--{role}-column", metavar="NAME", help=f"heading of the {role}")
    judge = parser.add_argument_group("judging")
    judge.add_argument("--cuts", help="dates, with commas between; without: the latest that can be")
    judge.add_argument("--json", type=Path, help="write the figures there as well")
    judge.add_argument("--pictures", type=Path, help="a folder for PNG")
    write = parser.add_argument_group("writing")
    write.add_argument("--cut", help="a date or a time: nothing of it or later is known")
    write.add_argument("--predictions", type=Path, help="one row for each customer before the cut")
    write.add_argument("--recommendations", type=Path, help="ten to buy again and ten new for each")
    write.add_argument("--level", choices=("category", "product"), default="category")
    write.add_argument("--forecast", type=Path, help="units by category, 1 to 8 weeks ahead")
    write.add_argument("--oracle", type=Path, help="questions to the purchase models")
    write.add_argument("--answers", type=Path, help="where their answers go")
    parser.add_argument("--horizon", type=_horizon, help="days; when judging, 28 and 90 without it")
    parser.add_argument("--seed", type=_seed, default=0, help="the same seed, the same bytes")
    return parser


def _horizon(text: str) -> int:
    days = int(text)
    if not 1 <= days <= LONGEST:
        raise argparse.ArgumentTypeError(f"a horizon has 1 to {LONGEST} days")
    return days


def _seed(text: str) -> int:
    seed = int(text)
    if not 0 <= seed < 1 << 31:
        raise argparse.ArgumentTypeError("a seed is a number from 0 to 2147483647")
    return seed
