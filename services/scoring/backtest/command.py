"""The commands of `python -m services.scoring.backtest`."""

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from services.scoring.backtest.arguments import Arguments, parse
from services.scoring.backtest.bridge import day_of, money_of, visits_of
from services.scoring.backtest.data import Purchases
from services.scoring.backtest.errors import BacktestError
from services.scoring.backtest.pictures import Demand
from services.scoring.backtest.reading import Loaded, read_csv
from services.scoring.backtest.report import Other, Report, as_json, as_text
from services.scoring.backtest.times import read_time, zone
from services.scoring.backtest.writing import (
    FORECAST,
    RECOMMENDATIONS,
    write_predictions,
    write_rows,
    written,
)

DEFAULT_HORIZON = 90


def main(arguments: Sequence[str], say: Callable[[str], None] | None = None) -> int:
    """0, or 2 with one sentence of why not on standard error."""
    say = say or _print
    try:
        given = parse(arguments)
        if given.oracle is not None and given.answers is not None:
            _answer(given.oracle, given.answers, say)
            if given.csv is None:
                return 0
        loaded = _load(given)
        if given.cut is not None:
            _write(given, loaded, say)
        else:
            _judge(given, loaded, say)
    except BacktestError as error:
        print(f"{str(error).rstrip('.')}.", file=sys.stderr)
        return 2
    return 0


def _print(text: str) -> None:
    print(text, end="" if text.endswith("\n") else "\n")


def _load(given: Arguments) -> Loaded:
    if given.csv is not None:
        return read_csv(given.csv, given.columns)
    from services.scoring.backtest.log import read_log

    return read_log(given.columns.timezone)


def _answer(questions: Path, answers: Path, say: Callable[[str], None]) -> None:
    from services.scoring.backtest.oracle import answer_file

    unanswered = answer_file(questions, answers)
    say(f"{answers}: answered" + (f", {unanswered} rows not." if unanswered else "."))


def _write(given: Arguments, loaded: Loaded, say: Callable[[str], None]) -> None:
    cut = read_time(given.cut or "", zone(given.columns.timezone), given.columns.order)
    past, notes = money_of(_before(loaded.purchases, cut))
    for note in (*loaded.notes, *notes):
        say(note)
    if given.predictions is not None:
        horizon = given.horizons[0] if len(given.horizons) == 1 else DEFAULT_HORIZON
        count, how = write_predictions(given.predictions, past, cut, horizon, given.seed)
        say(f"{given.predictions}: {count:,} customers, {horizon} days from {written(cut)}; {how}.")
    if given.recommendations is not None:
        _recommend(given.recommendations, past, cut, given.level, say)
    if given.forecast is not None:
        _forecast(given.forecast, past, cut, given.seed, say)


def _before(purchases: Purchases, cut: datetime) -> Purchases:
    past = purchases.before(cut)
    if not past.is_purchase.any():
        raise BacktestError(f"There is no purchase before {written(cut)}.")
    return past


def _recommend(
    path: Path, past: Purchases, cut: datetime, level: str, say: Callable[[str], None]
) -> None:
    from services.scoring.recommend import recommend_rows

    items = past.category if level == "category" else past.product
    if not (items >= 0).any():
        raise BacktestError(f"There is no {level} in the data; name it with --{level}-column.")
    told = recommend_rows(past, cut, level)
    rows = ((customer, written(cut), kind, rank, item) for customer, kind, rank, item in told)
    say(f"{path}: {write_rows(path, RECOMMENDATIONS, rows):,} recommendations.")


def _forecast(
    path: Path, past: Purchases, cut: datetime, seed: int, say: Callable[[str], None]
) -> None:
    from services.scoring.forecast.errors import ForecastError
    from services.scoring.forecast.rows import forecast_rows

    known = bool((past.category >= 0).any())
    try:
        told = forecast_rows(
            past, cut.date(), levels=("category",) if known else ("total",), seed=seed
        )
    except ForecastError as error:
        raise BacktestError(str(error)) from None
    rows = ((row.key, row.origin.isoformat(), row.h, *row[3:]) for row in told)
    say(f"{path}: {write_rows(path, FORECAST, rows):,} rows.")


def _judge(given: Arguments, loaded: Loaded, say: Callable[[str], None]) -> None:
    from services.scoring.backtest.rolling import cuts_of, judged, trial

    purchases, notes = money_of(loaded.purchases)
    days = visits_of(purchases)
    if not len(days):
        raise BacktestError("There is no purchase to judge by.")
    first, last = int(days.day.min()), int(days.day.max())
    trials, told = {}, []
    for horizon in given.horizons:
        cuts = _cuts(given) or cuts_of(first, last, horizon)
        found = [trial(days, cut, horizon, given.seed) for cut in cuts]
        those = [one for one in found if one is not None]
        if not those:
            told.append(f"{horizon} days ahead: a history of {last - first + 1} days is too short.")
            continue
        trials[horizon] = those
        told += [f"{horizon} days, {_date(one.cut)}: {_methods(one.methods)}" for one in those]
    if not trials:
        raise BacktestError(
            f"A history of {last - first + 1} days is too short to judge by; "
            "a shorter --horizon may do."
        )
    report = Report(
        source=str(given.csv) if given.csv else "the log",
        customers=len(np.unique(purchases.customer)),
        lines=len(purchases),
        first=str(purchases.time[0].astype("datetime64[D]")),
        last=str(purchases.time[-1].astype("datetime64[D]")),
        currency=purchases.main_currency(),
        notes=(*loaded.notes, *notes),
        cuts={horizon: [_date(one.cut) for one in those] for horizon, those in trials.items()},
        methods=told,
        figures=[one for those in trials.values() for one in judged(those, given.seed)],
        others=_others(purchases, given.seed),
        seed=given.seed,
    )
    say(as_text(report))
    if given.json is not None:
        _save(given.json, as_json(report))
    if given.pictures is not None:
        from services.scoring.backtest.pictures import draw

        names = draw(given.pictures, trials, _fan(purchases, given.seed))
        say(f"{given.pictures}: {', '.join(names) or 'nothing to draw'}.")


def _others(purchases: Purchases, seed: int) -> dict[str, Other]:
    """Demand and recommendations, where the source says what was bought."""
    if not ((purchases.category >= 0) | (purchases.product >= 0)).any():
        return {}
    from services.scoring.backtest.others import demand, recommendations

    return {
        "demand": demand(purchases, seed),
        "recommendations": recommendations(purchases, seed),
    }


def _fan(purchases: Purchases, seed: int) -> Demand | None:
    from services.scoring.backtest.others import fan

    return fan(purchases, seed)


def _cuts(given: Arguments) -> list[int]:
    local = zone(given.columns.timezone)
    return sorted(day_of(read_time(text, local, given.columns.order)) for text in given.cuts)


def _date(day: int) -> str:
    return str(np.datetime64(day, "D"))


def _methods(methods: Mapping[str, str]) -> str:
    return ", ".join(f"{name} by {how}" for name, how in methods.items())


def _save(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BacktestError(f"{path} cannot be written: {error.strerror or error}.") from None
