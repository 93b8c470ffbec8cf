"""From versions of what is fitted by itself to what callers read of them: the shape of a model."""

from collections.abc import Callable
from typing import Any

import msgspec

from services.scoring.api.policy_answers import cuts_answer
from services.scoring.api.prospect_answers import gate_answer, note_of, quality_answer
from services.scoring.fits import DEMANDS, RECOMMENDERS, Fit
from services.scoring.fitting import ENOUGH
from services.scoring.models.bgnbd_fit import NAMES
from services.scoring.offer_queries import Learnt
from services.scoring.policies import (
    CDNOW,
    CHURN,
    POPULATION,
    PROSPECTS,
    PURCHASES,
    RFM,
    ChurnModel,
    Population,
    RfmCuts,
)
from services.scoring.screening.fitting import ENOUGH as ENOUGH_PROSPECTS
from services.scoring.screening.policy import HORIZONS, Screening
from services.scoring.words import FIT_NOTES, KINDS_OF_FITS, MEANINGS, OFFERS, STATUSES
from shared.language.money import major
from shared.words import Language, say

Content = dict[str, Any]
NOTHING: Content = {
    "horizon_days": None,
    "fitted_at": None,
    "source": None,
    "customers": None,
    "log_likelihood": None,
    "converged": None,
    "parameters": [],
    "usual": None,
    "trained": None,
    "quality": [],
    "importance": [],
    "promoted": None,
}
"""What every model says, where it has nothing to say."""


def fit_answer(one: Fit, language: Language) -> Content:
    """One version in the shape that versions of the churn model have; `about`: what is its own."""
    status = "in_force" if one.in_force else "retired"
    kind = KINDS[one.name]
    told = _default(one, language) if one.body is None else _MADE[kind](one, language)
    return {
        "name": one.name,
        "version": one.version,
        "model": f"{one.name}@{one.version}",
        "status": status,
        "status_label": say(STATUSES, status, language),
        "kind": kind,
        "kind_label": say(KINDS_OF_FITS, kind, language),
        "meaning": say(MEANINGS, kind, language),
        "published_at": one.at,
        **NOTHING,
        "about": {},
        "notes": [],
        **told,
    }


KINDS = {
    PURCHASES: "purchases",
    RFM: "rfm",
    POPULATION: "population",
    PROSPECTS: "prospects",
    **dict.fromkeys(RECOMMENDERS, "recommend"),
    **dict.fromkeys(DEMANDS, "demand"),
}


def parameters_of(model: ChurnModel) -> list[Content]:
    """Of the BG/NBD, with how well the data fixes them."""
    return [
        {
            "name": name,
            "value": getattr(model.parameters, name),
            "standard_error": model.standard_errors.get(name),
            "at_bound": name in model.at_bound,
        }
        for name in NAMES
    ]


def usual_of(model: ChurnModel) -> Content:
    """What a reason compares with."""
    return {"gap_days": model.usual.gap_days, "repeats_per_week": model.usual.repeats_per_week}


def _default(one: Fit, language: Language) -> Content:
    if one.name == PURCHASES:
        return _of_purchases(CDNOW, 0, language)
    code = "no_prospects" if one.name == PROSPECTS else "nothing"
    enough = ENOUGH_PROSPECTS if one.name == PROSPECTS else ENOUGH
    return {"notes": [say(FIT_NOTES, code, language, enough=enough)]}


def _purchases(one: Fit, language: Language) -> Content:
    model = msgspec.convert(one.body, ChurnModel)
    return _of_purchases(model, one.version if model.version is None else model.version, language)


def _of_purchases(model: ChurnModel, churn: int, language: Language) -> Content:
    notes = [say(FIT_NOTES, "beside", language, model=f"{CHURN}@{churn}")]
    if model.at_bound:
        notes.append(say(FIT_NOTES, "at_bound", language, names=", ".join(model.at_bound)))
    if not model.converged:
        notes.append(say(FIT_NOTES, "not_converged", language))
    return {
        "fitted_at": model.fitted_at,
        "source": model.source,
        "customers": model.customers,
        "log_likelihood": model.log_likelihood,
        "converged": model.converged,
        "parameters": parameters_of(model),
        "usual": usual_of(model),
        "about": {"churn": f"{CHURN}@{churn}"},
        "notes": notes,
    }


def _rfm(one: Fit, language: Language) -> Content:
    cuts = msgspec.convert(one.body, RfmCuts)
    told = cuts_answer(f"{RFM}@{one.version}", cuts)
    return {
        "fitted_at": cuts.fitted_at,
        "source": "population",
        "customers": cuts.customers,
        "about": {name: told[name] for name in ("recency", "frequency", "monetary")},
        "notes": [say(FIT_NOTES, "cuts", language)],
    }


def _population(one: Fit, language: Language) -> Content:
    known = msgspec.convert(one.body, Population)
    return {
        "fitted_at": known.fitted_at,
        "source": "population",
        "customers": known.customers,
        "about": {
            "spend_year": {
                code: [major(value, code) for value in values]
                for code, values in known.spend_year.items()
            },
            "active_months": known.active_months,
            "orders": known.orders,
            "monetary": {code: major(value, code) for code, value in known.monetary.items()},
            "order": {code: major(value, code) for code, value in known.order.items()},
            "purchase_value": {
                code: {"p": model.p, "q": model.q, "v": model.v, "customers": model.customers}
                for code, model in known.spend.items()
            },
            "satisfaction": known.satisfaction,
        },
        "notes": [say(FIT_NOTES, "population", language)],
    }


def _prospects(one: Fit, language: Language) -> Content:
    model = msgspec.convert(one.body, Screening)
    return {
        "horizon_days": HORIZONS[-1],
        "fitted_at": model.fitted_at,
        "source": "prospects",
        "customers": model.seen,
        "quality": [quality_answer(found) for found in model.quality],
        "about": {
            "method": model.method,
            "gate": None if model.gate is None else gate_answer(model.gate),
            "won": model.won,
            "overall": [
                {"horizon_days": days, "probability": rate}
                for days, rate in zip(HORIZONS, model.overall, strict=True)
            ],
            "factors": [
                {
                    "name": factor.name,
                    "levels": [
                        {
                            "level": level.name,
                            "times": level.ratio,
                            "won": level.won,
                            "expected": level.expected,
                        }
                        for level in factor.levels
                    ],
                }
                for factor in model.factors
            ],
        },
        "notes": [note_of(model, language)],
    }


def _recommend(one: Fit, language: Language) -> Content:
    about = one.body or {}
    level = RECOMMENDERS[one.name]
    return {
        "horizon_days": 28,
        "fitted_at": one.at,
        "source": "orders",
        "customers": about["customers"],
        "quality": tried(Learnt(one.version, one.at, about), language) if one.at else [],
        "about": {
            "level": level,
            "trained_to": about["trained_to"],
            "items": about["items"],
            "ranked_by": {"again": about["again_by"], "new": about["new_by"]},
        },
    }


def tried(learnt: Learnt, language: Language) -> list[Content]:
    """How the ways of ranking did on the last closed 28 days, the naive ones among them."""
    about = learnt.about
    return [
        {
            "list": kind,
            "ranked_by": name.removeprefix(f"{kind}_"),
            "label": say(OFFERS, f"by_{name.removeprefix(f'{kind}_')}", language),
            "ndcg_at_10": value,
            "naive": name in {"again_frequency", "new_popularity"},
            "in_force": about[f"{kind}_by"] == name.removeprefix(f"{kind}_"),
        }
        for name, value in about["quality"].items()
        for kind in (name.partition("_")[0],)
    ]


def _demand(one: Fit, language: Language) -> Content:
    about = one.body or {}
    quality = about.get("quality")
    return {
        "horizon_days": 56,
        "fitted_at": one.at,
        "source": "orders",
        "quality": [] if quality is None else [quality],
        "about": {name: about.get(name) for name in _OF_DEMAND} | {"measure": DEMANDS[one.name]},
        "notes": [say(FIT_NOTES, "demand", language)],
    }


_OF_DEMAND = ("origin", "currency", "country", "series", "trained_weeks", "model_share")
_MADE: dict[str, Callable[[Fit, Language], Content]] = {
    "purchases": _purchases,
    "rfm": _rfm,
    "population": _population,
    "prospects": _prospects,
    "recommend": _recommend,
    "demand": _demand,
}
