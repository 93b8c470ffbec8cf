"""The periodic fit: reads every customer's totals, answers the policies that have changed."""

import asyncio
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import func, select

from services.scoring import policies as rules
from services.scoring.fitting import (
    ENOUGH,
    Integers,
    Population,
    fit_churn,
    fit_rfm,
    is_same_cuts,
    is_same_model,
)
from services.scoring.population import Everybody, fit_population, is_same_population
from services.scoring.queries import policies_in_force
from services.scoring.tables import model_version, score
from shared.database import ReadConnection, fetch
from shared.language import PolicyPublished
from shared.moments import micros
from shared.projection import Policies

_TOTALS = select(
    score.c.purchase_days,
    score.c.first_day,
    score.c.last_day,
    score.c.utcoffset,
    score.c.last_purchase_at,
    score.c.orders,
    score.c.monetary,
    score.c.currency,
).where(score.c.purchase_days > 0)

_SPENT = select(
    score.c.currency,
    score.c.purchase_days,
    score.c.orders,
    func.coalesce(score.c.monetary, 0),
    func.coalesce(score.c.spend_year, 0),
    func.coalesce(score.c.active_months, 0),
).where(score.c.purchase_days > 0, score.c.head == score.c.customer_id)
_ANSWERS = select(
    func.coalesce(func.sum(score.c.answers), 0), func.coalesce(func.sum(score.c.answer_points), 0)
).where(score.c.head == score.c.customer_id)
_NEWEST_KEPT = select(func.max(model_version.c.version)).where(model_version.c.name == rules.CHURN)


async def fit(conn: ReadConnection, clock: datetime) -> list[PolicyPublished]:
    """New versions of `churn`, `rfm` and `population`; none where nothing changed or there are too few customers.

    Call it when the log is caught up, so that the newest versions are in the table of policies.
    """
    population = await _population(conn)
    if len(population) < ENOUGH:
        return []
    in_force = await policies_in_force(conn)
    churn, cuts = await asyncio.to_thread(_fit, population, clock)
    published: list[PolicyPublished] = []
    if rules.CHURN not in in_force or not is_same_model(rules.churn_model(in_force), churn):
        kept = await fetch(conn, _NEWEST_KEPT)
        published.append(_next(in_force, rules.CHURN, _beside(in_force, churn), kept[0][0]))
    known = rules.rfm_cuts(in_force)
    if known is None or not is_same_cuts(known, cuts):
        published.append(_next(in_force, rules.RFM, cuts))
    everybody = await _everybody(conn)
    usual = await asyncio.to_thread(fit_population, everybody, await _answers(conn), clock)
    before = rules.population(in_force)
    if before is None or not is_same_population(before, usual):
        published.append(_next(in_force, rules.POPULATION, usual))
    return published


async def _everybody(conn: ReadConnection) -> Everybody:
    rows = await fetch(conn, _SPENT)
    columns: list[Any] = list(zip(*rows, strict=True))
    return Everybody(columns[0], *(_integers(column) for column in columns[1:]))


async def _answers(conn: ReadConnection) -> tuple[int, int]:
    [row] = await fetch(conn, _ANSWERS)
    return int(row[0]), int(row[1])


def _fit(population: Population, clock: datetime) -> tuple[rules.ChurnModel, rules.RfmCuts]:
    return fit_churn(population, clock), fit_rfm(population, clock)


def _beside(in_force: Policies, churn: rules.ChurnModel) -> rules.ChurnModel:
    """A trained model that is in force stays: only the BG/NBD beside it is of today."""
    known = rules.churn_model(in_force)
    if known.calibrated is None:
        return churn
    return msgspec.structs.replace(
        churn, calibrated=known.calibrated, version=known.version, promoted=known.promoted
    )


def _next(
    in_force: Policies, name: str, body: msgspec.Struct, kept: int | None = None
) -> PolicyPublished:
    """The next version; `kept`: the newest that is taken otherwise."""
    known = in_force.get(name)
    version = max(known.version if known else 0, kept or 0) + 1
    return PolicyPublished(name=name, version=version, body=msgspec.to_builtins(body))


async def _population(conn: ReadConnection) -> Population:
    rows = await fetch(conn, _TOTALS)
    columns: list[Any] = list(zip(*rows, strict=True)) if rows else [()] * 8
    days, first_day, last_day, utcoffset, last_at, orders, monetary, currency = columns
    return Population(
        days=_integers(days),
        first_day=_integers(first_day),
        last_day=_integers(last_day),
        utcoffset=_integers(utcoffset),
        last_at=_integers([micros(at) for at in last_at]),
        orders=_integers(orders),
        monetary=_integers(monetary),
        currency=currency,
    )


def _integers(values: Any) -> Integers:
    return np.array(values, dtype=np.int64)
