"""From published policies to what callers read of models."""

from datetime import datetime
from typing import Any

from services.scoring import policies as rules
from services.scoring.fitting import ENOUGH
from services.scoring.models.bgnbd_fit import NAMES
from services.scoring.policies import ChurnModel
from services.scoring.words import MEANINGS, NOTES
from shared.words import Language, say


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
