"""From the policy `scoring` to what callers read of bands, classes, cut points and the matrix."""

from typing import Any

from services.scoring import policies as rules
from services.scoring.choosing import body_of
from services.scoring.policies import RfmCuts, Scoring
from services.scoring.projector.matrix import thresholds
from services.scoring.queries import Published
from shared.language.money import major
from shared.moments import moment
from shared.projection import Policies
from shared.words import Language, label


def policy_answer(one: Published, *, in_force: bool, language: Language) -> dict[str, Any]:
    """One version, with every threshold: what a publication left out is as built in."""
    policy = one.policy
    scoring = rules.scoring({rules.SCORING: policy})
    return {
        "name": policy.name,
        "version": policy.version,
        "policy": f"{policy.name}@{policy.version}",
        "built_in": one.at is None,
        "in_force": in_force,
        "published_at": one.at,
        "bands": _bands(scoring, language),
        "classes": _classes(scoring, language),
        "body": body_of(scoring),
    }


def _bands(scoring: Scoring, language: Language) -> list[dict[str, Any]]:
    edges = (0.0, scoring.medium_from, scoring.high_from, 1.0)
    return [
        {
            "band": band,
            "label": label("churn_band", band, language),
            "from": edges[index],
            "to": edges[index + 1],
        }
        for index, band in enumerate(rules.BANDS)
    ]


def _classes(scoring: Scoring, language: Language) -> list[dict[str, Any]]:
    """Each class with the cells (r, mean of f and m rounded up) that it covers."""
    return [
        {
            "class": name,
            "label": label("rfm_class", name, language),
            "cells": [
                {"r": r, "fm": fm}
                for r, row in enumerate(scoring.classes, start=1)
                for fm, cell in enumerate(row, start=1)
                if cell == name
            ],
        }
        for name in rules.CLASSES
    ]


def cuts_answer(policy: str, cuts: RfmCuts) -> dict[str, Any]:
    """The smallest values that score 2, 3, 4 and 5; null where nobody scores so high."""
    return {
        "policy": policy,
        "fitted_at": cuts.fitted_at,
        "customers": cuts.customers,
        "recency": [None if cut is None else moment(cut) for cut in cuts.recency],
        "frequency": cuts.frequency,
        "monetary": {
            currency: [None if cut is None else major(cut, currency) for cut in amounts]
            for currency, amounts in cuts.monetary.items()
        },
    }


def matrix_rules_answer(scoring: Scoring, in_force: Policies) -> dict[str, Any]:
    """What must be reached now: by quantile for each currency with enough customers, and where there
    is none, the absolute thresholds."""
    population = rules.population(in_force)
    wanted = scoring.matrix
    by_currency = {}
    for currency in sorted(population.spend_year if population else ()):
        found = thresholds(currency, scoring, population)
        by_currency[currency] = {
            "by": found.by,
            "spend_from": major(found.spend, currency),
            "active_from": found.months,
        }
    return {
        "population": rules.label(in_force, rules.POPULATION),
        "by": wanted.by,
        "by_currency": by_currency,
        "absolute": {
            "spend_over": wanted.value_from,
            "by_currency": wanted.value_from_by_currency,
            "active_from": wanted.active_from,
        },
    }
