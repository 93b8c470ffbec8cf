"""From versions of models to what callers read of them."""

from typing import Any

from services.scoring.api.fit_answers import parameters_of, usual_of
from services.scoring.fitting import ENOUGH
from services.scoring.policies import CHURN, ChurnModel
from services.scoring.registry import Kept, Standings, Version
from services.scoring.train.running import Training
from services.scoring.words import KINDS_OF_FITS, MEANINGS, NOTES, RULES, STATUSES, TRAININGS
from shared.words import Language, say


def status_of(one: Version, now: Standings) -> str:
    """`in_force`, `shadow`, `candidate`, `refused` (worse than a simple rule) or `retired`."""
    if one.version == now.in_force:
        return "in_force"
    if one.version == now.shadow:
        return "shadow"
    if one.kept is None or one.promoted is not None:
        return "retired"
    return "candidate" if one.kept.passes else "refused"


def model_answer(one: Version, now: Standings, language: Language) -> dict[str, Any]:
    """One version of the churn model: what it is, what it was made of, how good and how sure it is."""
    model, status = one.model, status_of(one, now)
    kind = "calibrated" if one.model.calibrated is not None else model.model
    candidate = one.kept.candidate if one.kept else {}
    return {
        "name": CHURN,
        "version": one.version,
        "model": f"{CHURN}@{one.version}",
        "status": status,
        "status_label": say(STATUSES, status, language),
        "kind": kind,
        "kind_label": say(KINDS_OF_FITS, kind, language),
        "meaning": say(
            MEANINGS,
            CHURN if model.calibrated is None else "calibrated",
            language,
            days=model.horizon_days,
        ),
        "horizon_days": model.horizon_days,
        "published_at": one.published_at,
        "fitted_at": model.fitted_at,
        "source": model.source,
        "customers": model.customers,
        "log_likelihood": model.log_likelihood,
        "converged": model.converged,
        "parameters": parameters_of(model),
        "usual": usual_of(model),
        "trained": None if one.kept is None else _trained(one.kept),
        "quality": candidate.get("quality", []),
        "importance": candidate.get("importance", []),
        "promoted": None
        if one.promoted is None
        else {"at": one.promoted.at, "by": one.promoted.by, "override": one.promoted.override},
        "about": {},
        "notes": _notes(one, model, language),
    }


def _trained(kept: Kept) -> dict[str, Any]:
    candidate = kept.candidate
    return {
        "at": kept.at,
        "by": kept.by,
        "clock": candidate["clock"],
        "position": candidate["position"],
        "seed": candidate["seed"],
        "customers": candidate["customers"],
        "learnt_from": candidate["learnt_from"],
        "passes": kept.passes,
        "digest": kept.digest,
    }


def _notes(one: Version, model: ChurnModel, language: Language) -> list[str]:
    kind = "trained" if one.kept else "fitted" if one.version else "default"
    notes = [say(NOTES, kind, language, enough=ENOUGH)]
    if one.kept is not None:
        notes += _compared(one.kept, language)
    if one.kept is not None and not one.kept.passes:
        notes.append(say(NOTES, "worse", language))
    if one.kept is not None and one.kept.candidate.get("unread"):
        notes.append(say(NOTES, "unread", language, count=one.kept.candidate["unread"]))
    if model.at_bound:
        notes.append(say(NOTES, "at_bound", language, names=", ".join(model.at_bound)))
    if not model.converged:
        notes.append(say(NOTES, "not_converged", language))
    return notes


def _compared(kept: Kept, language: Language) -> list[str]:
    """How it stood beside the best simple rule; versions of an older release do not say it."""
    quality = kept.candidate.get("quality") or [{}]
    found = quality[0].get("gate")
    if not found or found["difference"] is None or found["sure"] is None:
        return []
    off = found["difference"]
    return [
        say(
            NOTES,
            "compared",
            language,
            rule=say(RULES, found["baseline"], language),
            periods=found["periods"],
            difference=f"{off['value']:+.3f}",
            low=f"{off['low']:+.3f}",
            high=f"{off['high']:+.3f}",
            sure=round(100 * found["sure"]),
        )
    ]


def training_answer(one: Training, language: Language) -> dict[str, Any]:
    """One training: how far it is, what it made, or why it made nothing."""
    words = {"percent": round(100 * one.progress), "version": one.version, "attempts": one.attempts}
    return {
        "name": one.name,
        "number": one.number,
        "status": one.status,
        "progress": one.progress,
        "seed": one.seed,
        "asked_by": one.asked_by,
        "asked_at": one.asked_at,
        "started_at": one.started_at,
        "ended_at": one.ended_at,
        "attempts": one.attempts,
        "version": one.version,
        "model": None if one.version is None else f"{one.name}@{one.version}",
        "code": one.code,
        "message": say(TRAININGS, one.code or one.status, language, **{**words, **one.context}),
    }
