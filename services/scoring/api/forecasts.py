"""`/v1/forecasts`: demand per category and week, with intervals and the history beside it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from services.scoring import offer_queries as queries
from services.scoring.api import offers
from services.scoring.api.offer_examples import FORECAST, FORECASTS
from services.scoring.api.offers import Demand
from services.scoring.api.reads import READS, database_of
from services.scoring.baskets.shop import OTHERS, UNSORTED, Measure
from services.scoring.forecast.fitting import FARTHEST
from services.scoring.forecast.result import Line
from services.scoring.forecast.words import cause_name, sentence
from services.scoring.offer_queries import Learnt
from services.scoring.offering.making import quality_of
from services.scoring.words import DEMAND
from shared.errors import NotFound
from shared.http.answers import answer
from shared.http.language import Lang
from shared.http.openapi import kernel_of, shown
from shared.http.paging import Page, cut_page, decode_cursor, page_answer
from shared.words import Language, say

router = APIRouter(prefix="/v1/forecasts", tags=["forecasts"], dependencies=READS)

WEEK = 7
LONGEST = 156
Level = Literal["category", "department"]

OfMeasure = Annotated[
    Measure,
    Query(
        description="`units` (a line without a quantity is one), `lines` of orders, or `money` (what"
        " the lines cost, in the main currency)."
    ),
]
OfLevel = Annotated[Level, Query(description="By category, or by department.")]
Ahead = Annotated[int, Query(ge=1, le=FARTHEST, description="Weeks ahead.")]
Past = Annotated[int, Query(ge=0, le=LONGEST, description="Weeks of history beside it.")]
Category = Annotated[
    str,
    Path(
        description="A category as the orders name it (or with `level=department` a department);"
        " `uncategorised`: lines that name none.",
        examples=["Dairy"],
    ),
]


@router.get("", responses=shown(FORECASTS, "Demand of the weeks ahead, the total on top."))
async def list_forecasts(
    request: Request,
    page: Page,
    language: Lang,
    measure: OfMeasure = "units",
    level: OfLevel = "category",
    weeks: Ahead = FARTHEST,
) -> Response:
    """Every category (or department) by name, and the total, which is their exact sum, week by week.
    Intervals do not add up: each is made of what forecasts of its own level missed before."""
    after = decode_cursor(page.cursor, tuple[str])[0] if page.cursor else None
    async with database_of(request).read() as conn:
        found = await offers.demand(request, conn, measure)
        has_orders = found is not None or await queries.has_orders(conn)
    if found is None:
        return answer(
            _nothing(request, measure, level, language, has_orders=has_orders, counted=page.count)
        )
    learnt, demand = found
    lines = _lines_of(demand, level, after)
    shown_, next_cursor = cut_page(lines[: page.limit + 1], page.limit, lambda one: (one.key,))
    items = [_line_answer(one, demand, weeks, language) for one in shown_]
    total = demand.lines.get(("total", "total"))
    counted = len(_lines_of(demand, level, None)) if page.count else None
    return answer(
        {
            **_head(request, learnt, demand, measure, level, language),
            "total_demand": None if total is None else _line_answer(total, demand, weeks, language),
            **page_answer(items, next_cursor, counted),
        }
    )


def _lines_of(demand: Demand, level: Level, after: str | None) -> list[Line]:
    """By name; categories of which only the running week is known have no line yet."""
    found = [line for (of, _), line in demand.lines.items() if of == level]
    found.sort(key=lambda line: line.key)
    return found if after is None else [line for line in found if line.key > after]


@router.get(
    "/{category:path}", responses=shown(FORECAST, "One category, with history and reasons.")
)
async def read_forecast(
    request: Request,
    category: Category,
    language: Lang,
    measure: OfMeasure = "units",
    level: OfLevel = "category",
    weeks: Ahead = FARTHEST,
    history: Past = 26,
) -> Response:
    """The weeks ahead of one category (or department), the closed weeks before them, and what moves
    the forecast. A category first sold in the running week is forecast from next Monday on."""
    async with database_of(request).read() as conn:
        found = await offers.demand(request, conn, measure)
    if found is None:
        raise NotFound("category_not_found")
    learnt, demand = found
    line = demand.lines.get((level, category))
    past = _past(demand, level, category)
    if line is None and past is None:
        raise NotFound("category_not_found")
    sums, running = past if past is not None else ([], None)
    kept = sums[len(sums) - min(history, len(sums)) :]
    first = demand.history.first + timedelta(days=WEEK * (len(sums) - len(kept)))
    content = {
        **_head(request, learnt, demand, measure, level, language),
        **(
            _line_answer(line, demand, weeks, language)
            if line is not None
            else _young(category, demand, language)
        ),
        "history": [
            {"week": first + timedelta(days=WEEK * place), "value": value}
            for place, value in enumerate(kept)
        ],
        "running_week": running,
        "reasons": _reasons(line, weeks, language) if line is not None else [],
    }
    return answer(content)


def _past(demand: Demand, level: Level, key: str) -> tuple[Sequence[float], float | None] | None:
    """Closed weeks and the running one; of a department the sums of its categories."""
    history = demand.history
    if level == "category":
        if key not in history.sums and key not in history.running:
            return None
        return history.sums.get(key, []), history.running.get(key)
    members = [name for name, one in history.departments.items() if one == key]
    if not members:
        return None
    known = [history.sums[name] for name in members if name in history.sums]
    sums = [round(sum(week), 3) for week in zip(*known, strict=True)]
    running = [history.running[name] for name in members if name in history.running]
    return sums, round(sum(running), 3) if running else None


def _head(
    request: Request,
    learnt: Learnt,
    demand: Demand,
    measure: Measure,
    level: Level,
    language: Language,
) -> dict[str, Any]:
    """What is said of the whole forecast."""
    made, about = demand.forecast, learnt.about
    return {
        "as_of": learnt.at,
        "measure": measure,
        "unit": say(DEMAND, f"unit_{measure}", language),
        "currency": about["currency"],
        "level": level,
        "weeks_begin": say(
            DEMAND, "weeks", language, timezone=kernel_of(request).settings.timezone
        ),
        "timezone": kernel_of(request).settings.timezone,
        "first_week": made.first,
        "model": {
            "name": f"demand-{measure}@{learnt.version}",
            "version": learnt.version,
            "made_at": learnt.at,
            "trained_weeks": made.trained_weeks,
            "model_share": made.weight,
            "quality": quality_of(made),
            "importance": [
                {"cause": cause, "label": cause_name(cause, language), "share": share}
                for cause, share in made.importance.items()
            ],
            "holidays_of": about["country"],
            "series": about["series"],
        },
        "notes": [
            {"code": note.code, "text": sentence(note, language), "params": dict(note.values)}
            for note in made.notes
        ],
    }


def _nothing(
    request: Request,
    measure: Measure,
    level: Level,
    language: Language,
    *,
    has_orders: bool,
    counted: bool,
) -> dict[str, Any]:
    """No forecast yet, and why."""
    timezone = kernel_of(request).settings.timezone
    code = "no_orders" if not has_orders else "not_yet"
    if has_orders and measure == "money":
        code = "no_money"
    return {
        "as_of": None,
        "measure": measure,
        "unit": say(DEMAND, f"unit_{measure}", language),
        "currency": None,
        "level": level,
        "weeks_begin": say(DEMAND, "weeks", language, timezone=timezone),
        "timezone": timezone,
        "first_week": None,
        "model": None,
        "notes": [{"code": code, "text": say(DEMAND, code, language), "params": {}}],
        "total_demand": None,
        **page_answer([], None, 0 if counted else None),
    }


def _line_answer(line: Line, demand: Demand, weeks: int, language: Language) -> dict[str, Any]:
    department = demand.history.departments.get(line.key) if line.level == "category" else None
    return {
        "key": line.key,
        "label": _label(line.key, language),
        "department": department,
        "method": line.method,
        "method_label": say(DEMAND, f"method_{line.method}", language),
        "usual": line.usual,
        "weeks": [
            {
                "week": demand.forecast.week(ahead),
                "ahead": ahead,
                "expected": line.yhat[ahead - 1],
                "low_80": line.lo80[ahead - 1],
                "high_80": line.hi80[ahead - 1],
                "low_95": line.lo95[ahead - 1],
                "high_95": line.hi95[ahead - 1],
            }
            for ahead in range(1, min(weeks, len(line.yhat)) + 1)
        ],
    }


def _young(key: str, demand: Demand, language: Language) -> dict[str, Any]:
    """A category of which no closed week is known."""
    return {
        "key": key,
        "label": _label(key, language),
        "department": demand.history.departments.get(key),
        "method": "none",
        "method_label": say(DEMAND, "method_none", language),
        "usual": None,
        "weeks": [],
    }


def _label(key: str, language: Language) -> str:
    return say(DEMAND, key, language) if key in {UNSORTED, OTHERS, "total", ""} else key


def _reasons(line: Line, weeks: int, language: Language) -> list[dict[str, Any]]:
    """What multiplies the level of the last weeks, the strongest first."""
    found = []
    for cause, factors in line.factors.items():
        values = factors[:weeks]
        mean = sum(values) / len(values)
        percent = round(100 * (mean - 1), 1)
        text = say(DEMAND, "raises" if percent >= 0 else "lowers", language,
                   cause=cause_name(cause, language), percent=abs(percent))  # fmt: skip
        found.append({"cause": cause, "label": cause_name(cause, language), "factors": values,
                      "text": text})  # fmt: skip
    return sorted(found, key=lambda one: -max(abs(value - 1) for value in one["factors"]))
