"""What a back-test found, as text and as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from services.scoring.backtest.figures import Figure, Value


@dataclass(frozen=True, slots=True)
class Other:
    """What another back-test found: lines for people, and the same for machines."""

    lines: Sequence[str]
    found: Any


@dataclass(frozen=True, slots=True)
class Report:
    """Of one source."""

    source: str
    customers: int
    lines: int
    first: str
    last: str
    currency: str | None
    notes: Sequence[str]
    cuts: Mapping[int, Sequence[str]]
    """Dates by horizon in days."""
    methods: Sequence[str]
    figures: Sequence[Figure]
    others: Mapping[str, Other] = field(default_factory=dict)
    """Demand and recommendations, as their own back-tests give them."""
    seed: int = 0


def as_text(report: Report) -> str:
    """For people: every figure beside the rules."""
    lines = [
        f"{report.source}: {report.customers:,} customers, {report.lines:,} lines, "
        f"{report.first} to {report.last}" + (f", in {report.currency}" if report.currency else ""),
        *(f"  {note}" for note in report.notes),
        *(f"  {method}" for method in report.methods),
    ]
    for horizon, cuts in report.cuts.items():
        lines += ["", f"{horizon} days ahead of {', '.join(cuts)} (95 % intervals in brackets)"]
        for one in report.figures:
            if one.horizon == horizon:
                lines += _figure(one)
    for name, found in report.others.items():
        lines += ["", name, *(f"  {line}" for line in found.lines)]
    return "\n".join(lines) + "\n"


def _figure(one: Figure) -> list[str]:
    head = f"  {one.score}: {one.measure} ({one.population}, {one.customers:,} a cut)"
    lines = [f"{head:<62} {_value(one.model)}{'; ' + one.note if one.note else ''}"]
    for name, value in one.rules.items():
        mark = " <- best rule" if name == one.best_rule else ""
        lines.append(f"      {name:<56} {_value(value)}{mark}")
    if one.ratio is not None:
        better = "higher" if one.higher_is_better else "lower"
        lines.append(
            f"      {'ratio to the best rule (' + better + ' wins)':<56} {_value(one.ratio)}"
        )
    return lines


def _value(value: Value) -> str:
    if not isfinite(value.value):
        return "nothing to tell apart"
    return f"{_number(value.value)} [{_number(value.low)}, {_number(value.high)}]"


def _number(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 100 else f"{value:,.1f}"


def as_json(report: Report) -> str:
    """For machines; a measure that could not be taken is null."""
    return json.dumps(_json(report), ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def _json(report: Report) -> dict[str, Any]:
    return {
        "source": report.source,
        "customers": report.customers,
        "lines": report.lines,
        "first": report.first,
        "last": report.last,
        "currency": report.currency,
        "seed": report.seed,
        "notes": list(report.notes),
        "methods": list(report.methods),
        "cuts": {str(horizon): list(cuts) for horizon, cuts in report.cuts.items()},
        "figures": [_figure_json(one) for one in report.figures],
        **{name: _finite(other.found) for name, other in report.others.items()},
    }


def _figure_json(one: Figure) -> dict[str, Any]:
    return {
        "score": one.score,
        "measure": one.measure,
        "population": one.population,
        "horizon_days": one.horizon,
        "customers_per_cut": one.customers,
        "model": _value_json(one.model),
        "rules": {name: _value_json(value) for name, value in one.rules.items()},
        "higher_is_better": one.higher_is_better,
        "best_rule": one.best_rule,
        "ratio_to_best_rule": None if one.ratio is None else _value_json(one.ratio),
        "note": one.note,
    }


def _value_json(value: Value) -> dict[str, float | None]:
    numbers: dict[str, float | None] = _finite(
        {"value": value.value, "low": value.low, "high": value.high}
    )
    return numbers


def _finite(found: Any) -> Any:
    if isinstance(found, dict):
        return {str(key): _finite(value) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [_finite(value) for value in found]
    if isinstance(found, float):
        return round(found, 6) if isfinite(found) else None
    return found
