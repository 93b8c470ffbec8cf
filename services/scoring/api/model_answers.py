"""From published policies to what callers read of models, bands and cut points."""

from datetime import datetime
from typing import Any

from services.scoring import policies as rules
from services.scoring.fitting import ENOUGH
from services.scoring.models.bgnbd_fit import NAMES
from services.scoring.policies import ChurnModel, RfmCuts, Scoring
from services.scoring.words import MEANINGS, NOTES
from shared.language.money import major
from shared.moments import moment
from shared.projection import Policies
from shared.words import Language, label, say


def model_answer(
    version: int, model: ChurnModel, published_at: datetime | None, language: Language
) -> dict[str, Any]:
    """One version of the churn model: what it is, what it was fitted to, how sure it is."""
    errors = model.standard_errors
    return {
        "name": rules.CHURN,
        "version": version,
        "model": f"{rules.CHURN}@{version}",
        "kind": model.model,
        "meaning": say(MEANINGS, rules.CHURN, language, days=model.horizon_days),
        "horizon_days": model.horizon_days,
        "published_at": published_at,
        "fitted_at": model.fitted_at,
        "source": model.source,
        "customers": model.customers,
        "log_likelihood": model.log_likelihood,
        "converged": model.converged,
        "parameters": [
            {
                "name": name,
                "value": getattr(model.parameters, name),
                "standard_error": errors.get(name),
                "at_bound": name in model.at_bound,
            }
            for name in NAMES
        ],
        "usual": {
            "gap_days": model.usual.gap_days,
            "repeats_per_week": model.usual.repeats_per_week,
        },
        "notes": _notes(version, model, language),
    }


def _notes(version: int, model: ChurnModel, language: Language) -> list[str]:
    notes = [say(NOTES, "fitted" if version else "default", language, enough=ENOUGH)]
    if model.at_bound:
        notes.append(say(NOTES, "at_bound", language, names=", ".join(model.at_bound)))
    if not model.converged:
        notes.append(say(NOTES, "not_converged", language))
    return notes


def scoring_answer(in_force: Policies, language: Language) -> dict[str, Any]:
    """Bands, classes and cut points in force."""
    scoring, cuts = rules.scoring(in_force), rules.rfm_cuts(in_force)
    return {
        "name": rules.SCORING,
        "version": _version(in_force, rules.SCORING),
        "bands": _bands(scoring, language),
        "classes": _classes(scoring, language),
        "rfm": _cuts(_version(in_force, rules.RFM), cuts) if cuts else None,
    }


def _version(in_force: Policies, name: str) -> int:
    policy = in_force.get(name)
    return policy.version if policy else 0


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


def _cuts(version: int, cuts: RfmCuts) -> dict[str, Any]:
    """The smallest values that score 2, 3, 4 and 5; null where nobody scores so high."""
    return {
        "policy": f"{rules.RFM}@{version}",
        "fitted_at": cuts.fitted_at,
        "customers": cuts.customers,
        "recency": [None if cut is None else moment(cut) for cut in cuts.recency],
        "frequency": cuts.frequency,
        "monetary": {
            currency: [None if cut is None else major(cut, currency) for cut in amounts]
            for currency, amounts in cuts.monetary.items()
        },
    }
