"""From everybody's orders to models and forecasts. Pure: the clock is an argument."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID
from zlib import compress, decompress

import msgspec
import numpy as np

from services.scoring.baskets.orders import EPOCH, Level
from services.scoring.baskets.shop import MEASURES, WEEK, Measure, Shop, week_of
from services.scoring.forecast.calendar import holiday_days
from services.scoring.forecast.errors import ForecastError
from services.scoring.forecast.fitting import fit as fit_forecast
from services.scoring.forecast.result import Forecast
from services.scoring.forecast.signals import Signal
from services.scoring.forecast.table import Weekly, weekly
from services.scoring.recommend.audience import Offered, audiences
from services.scoring.recommend.codec import dump, load
from services.scoring.recommend.fitting import fit_model
from services.scoring.recommend.history import histories_of
from services.scoring.recommend.recommender import Recommender

LEVELS: tuple[Level, ...] = ("category", "product")
SEED = 7
FEW_WEEKS = 3
"""Closed weeks from which a first one that was cut short is left out."""
LONGEST_HISTORY = 156
"""Weeks of history that are kept for people to see."""
ENOUGH = 100
"""Customers below which nothing that was learnt of a shop says much."""

Prospect = tuple[bytes, bool, float, float | None]
"""Customer id, whether the item is new to them, score, chance."""

_pack = msgspec.msgpack.Encoder().encode
prospects_in = msgspec.msgpack.Decoder(list[Prospect]).decode
"""The prospects of an item from the bytes that are kept of them, the likeliest first."""


@dataclass(frozen=True, slots=True)
class MadeModel:
    """A model of recommendations as it is kept."""

    level: Level
    about: dict[str, Any]
    body: bytes
    audiences: list[tuple[str, bytes]]
    """By item: its prospects."""


class _Packed(msgspec.Struct, frozen=True):
    model: bytes
    names: dict[str, str]


@dataclass(frozen=True, slots=True)
class Advice:
    """A model ready to be asked."""

    recommender: Recommender
    names: Mapping[str, str]
    """What people call a product."""


def make_model(shop: Shop, level: Level) -> MadeModel:
    """The model of one level as of the end of the shop's day."""
    tomorrow = shop.today - EPOCH + 1
    log = shop.log(level, tomorrow)
    model = fit_model(log, tomorrow, seed=SEED)
    histories = histories_of(log.before(tomorrow))
    offered = audiences(model, histories, tomorrow)
    ids = list(shop.customers)
    known = set(model.catalogue.items)
    names = {item: name for item, name in sorted(shop.names.items()) if item in known}
    packed = _Packed(dump(Recommender(model)), names if level == "product" else {})
    return MadeModel(
        level=level,
        about={
            "trained_to": date.fromordinal(shop.today).isoformat(),
            "customers": len(ids),
            "orders": shop.orders,
            "items": len(model.catalogue),
            "share": shop.share,
            "again_by": model.again_by,
            "new_by": model.new_by,
            "quality": dict(sorted(model.quality.items())),
        },
        body=_pack(packed),
        audiences=_audiences(offered, model.catalogue.items, [ids[code] for code in log.code]),
    )


def _audiences(
    offered: Offered, items: Sequence[str], ids: Sequence[UUID]
) -> list[tuple[str, bytes]]:
    found: dict[str, list[Prospect]] = {}
    rows = zip(*(column.tolist() for column in offered), strict=True)
    for item, customer, is_new, score, chance in rows:
        sure = None if np.isnan(chance) else round(chance, 4)
        prospect = (ids[customer].bytes, is_new, round(score, 6), sure)
        found.setdefault(items[item], []).append(prospect)
    return [(item, _pack(prospects)) for item, prospects in found.items()]


def advice_in(body: bytes) -> Advice:
    """What was kept, ready to be asked. Raises BrokenModelError."""
    packed = msgspec.msgpack.decode(body, type=_Packed)
    return Advice(load(packed.model), packed.names)


class History(msgspec.Struct, frozen=True):
    """The weeks that a forecast was made of; sums by category, oldest first."""

    first: date
    sums: dict[str, list[float]]
    running: dict[str, float]
    """Of the week that is not over, up to the clock."""
    departments: dict[str, str]


@dataclass(frozen=True, slots=True)
class MadeForecast:
    """The forecast of one measure as it is kept."""

    measure: Measure
    about: dict[str, Any]
    body: bytes
    history: bytes


def make_forecasts(
    shop: Shop, signals: Sequence[Signal], country: str | None
) -> list[MadeForecast]:
    """One for each measure that the log has and that can be forecast: sums beyond all bounds cannot.
    A country without a calendar has no holidays."""
    known = country if country is not None and _has_calendar(country) else None
    made: list[MadeForecast] = []
    for measure in MEASURES:
        if measure != "money" or shop.demand("money"):
            with suppress(ForecastError):
                made.append(_make_forecast(shop, measure, signals, known))
    return made


def _has_calendar(country: str) -> bool:
    try:
        holiday_days(country, date(2026, 1, 5), 1)
    except ForecastError:
        return False
    return True


def _make_forecast(
    shop: Shop, measure: Measure, signals: Sequence[Signal], country: str | None
) -> MadeForecast:
    now = week_of(shop.today)
    origin = monday(now)
    sums = shop.demand(measure)
    closed = {key: value for key, value in sums.items() if key[1] < now}
    begun = min((week for _, week in closed), default=now)
    cut_short = shop.first_day is not None and shop.first_day > begun * WEEK + 1
    if cut_short and now - begun > FEW_WEEKS:
        closed = {key: value for key, value in closed.items() if key[1] > begun}
    rows = [
        (category, shop.department(category), monday(week), value)
        for (category, week), value in sorted(closed.items())
    ]
    table = weekly(rows, until=origin)
    made = fit_forecast(table, signals, origin=origin, seed=SEED, country=country)
    running = {category: value for (category, week), value in sums.items() if week == now}
    return MadeForecast(
        measure=measure,
        about={
            "origin": origin.isoformat(),
            "currency": shop.main_currency if measure == "money" else None,
            "country": country,
            "orders": shop.orders,
            "series": sorted(signal.name for signal in signals),
            "trained_weeks": made.trained_weeks,
            "model_share": made.weight,
            "quality": quality_of(made),
        },
        body=compress(made.to_json()),
        history=compress(_pack(_history(table, shop, running))),
    )


def quality_of(made: Forecast) -> dict[str, Any]:
    """How forecasts made this way turned out at earlier weeks, beside the 4-week mean's."""
    found, ratio = made.quality, None
    if found.mase is not None and found.mase_mean:
        ratio = round(found.mase / found.mase_mean, 4)
    return {
        "windows": found.windows,
        "mase": found.mase,
        "mase_of_4_week_mean": found.mase_mean,
        "ratio": ratio,
        "covered_80": found.covered_80,
        "covered_95": found.covered_95,
    }


def monday(week: int) -> date:
    """First day of a week by its number."""
    return date.fromordinal(week * WEEK + 1)


def _history(table: Weekly, shop: Shop, running: Mapping[str, float]) -> History:
    kept = min(table.weeks, LONGEST_HISTORY)
    categories = sorted({*table.keys, *running})
    departments = {name: shop.department(name) for name in categories}
    return History(
        first=table.first + timedelta(days=WEEK * (table.weeks - kept)),
        sums={
            name: [round(float(value), 3) for value in row[table.weeks - kept :]]
            for name, row in zip(table.keys, table.sums, strict=True)
        },
        running={name: round(value, 3) for name, value in sorted(running.items())},
        departments={name: found for name, found in departments.items() if found is not None},
    )


def forecast_in(body: bytes) -> Forecast:
    """A forecast from what is kept of it."""
    return Forecast.from_json(decompress(body))


def history_in(body: bytes) -> History:
    """Its history from what is kept of it."""
    return msgspec.msgpack.decode(decompress(body), type=History)
