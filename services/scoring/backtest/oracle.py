"""Rows of questions to the purchase models, answered: for whoever has the answers from elsewhere.

A row names a model, its parameters (`r=0.24;alpha=4.4;a=0.79;b=2.4`), a customer (x, t_x, T) and
how far ahead is asked (t): weeks, for `bg_bb` opportunities. For `gamma_gamma` x is the number of
purchases and t_x their mean value. The answers are `ll`, `p_alive`, `expected` (purchases within t;
`gamma_gamma`: the value of one) and `p_none` (none within t). What a row already has there is not
read; a row that cannot be answered says why in `problem`.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from math import isfinite
from pathlib import Path

import numpy as np

from services.scoring.backtest.errors import BacktestError
from services.scoring.models.gammagamma import Parameters as GammaGamma
from services.scoring.models.purchase import PURCHASE_MODELS
from services.scoring.models.stable import Floats

Row = Mapping[str, str]

ANSWERS = ("ll", "p_alive", "expected", "p_none")
PROBLEM = "problem"
GAMMA_GAMMA = "gamma_gamma"
PARAMETERS = {
    **{name: kind.box.names for name, kind in PURCHASE_MODELS.items()},
    GAMMA_GAMMA: ("p", "q", "v"),
}
_AT_ONCE = 10_000
_MOST = 1_000_000


class _Unanswerable(Exception):  # noqa: N818 - a row that cannot be answered is no error
    """Why not; only ever seen in the column `problem`."""


def answer_file(questions: Path, answers: Path) -> int:
    """Answer the rows of one CSV in another of the same columns, plus `problem`.

    Returns how many rows could not be answered. Raises BacktestError if the file cannot be read.
    """
    try:
        with questions.open(encoding="utf-8-sig", newline="") as source:
            reader = csv.DictReader(source)
            columns = _columns(reader.fieldnames)
            with answers.open("w", encoding="utf-8", newline="") as target:
                return _write(reader, csv.DictWriter(target, columns, extrasaction="ignore"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BacktestError(f"cannot answer {questions}: {error}") from error


def _columns(given: Sequence[str] | None) -> list[str]:
    missing = [name for name in ("model", "params", "x", "t_x") if name not in (given or ())]
    if missing:
        raise BacktestError(f"the questions have no column {', '.join(missing)}")
    columns = list(given or ())
    return columns + [name for name in (*ANSWERS, PROBLEM) if name not in columns]


def _write(reader: Iterator[Row], writer: "csv.DictWriter[str]") -> int:
    writer.writeheader()
    unanswered = 0
    while rows := list(islice(reader, _AT_ONCE)):
        for row in answer_rows(rows):
            writer.writerow(row)
            unanswered += bool(row[PROBLEM])
    return unanswered


def answer_rows(rows: Iterable[Row]) -> list[dict[str, str]]:
    """The rows with their answers: all columns as they came, but `ANSWERS` and `PROBLEM` anew.

    Answers have all digits of a double; those that do not apply are empty.
    """
    answered = [{**row, **dict.fromkeys((*ANSWERS, PROBLEM), "")} for row in rows]
    asked: dict[tuple[str, tuple[float, ...], int], list[tuple[int, list[float]]]] = {}
    for index, row in enumerate(answered):
        try:
            name = _model(row)
            parameters, numbers = _parameters(name, row), _numbers(name, row)
        except _Unanswerable as why:
            row[PROBLEM] = str(why)
        else:
            asked.setdefault((name, parameters, len(numbers)), []).append((index, numbers))
    for (name, parameters, _), questions in asked.items():
        columns = np.array([numbers for _, numbers in questions], dtype=np.float64).T
        answers = _answers(name, parameters, columns)
        for place, (index, _) in enumerate(questions):
            _fill(answered[index], {key: float(of[place]) for key, of in answers.items()})
    return answered


def _fill(row: dict[str, str], answers: dict[str, float]) -> None:
    if not all(isfinite(value) for value in answers.values()):
        row[PROBLEM] = "outside the range in which the model can be computed"
        return
    row.update({key: repr(value) for key, value in answers.items()})
    if "p_alive" in answers and "p_none" not in answers:
        row[PROBLEM] = "t is missing: nothing ahead can be answered"


def _answers(name: str, parameters: tuple[float, ...], columns: Floats) -> dict[str, Floats]:
    with np.errstate(all="ignore"):  # what is not finite is said in words
        if name == GAMMA_GAMMA:
            values = GammaGamma(*parameters)
            x, mean = columns
            return {
                "ll": values.log_likelihood(x, mean),
                "expected": values.expected_value(x, mean),
            }
        model = PURCHASE_MODELS[name].make(*parameters)
        x, t_x, age = columns[:3]
        answers = {"ll": model.log_likelihood(x, t_x, age), "p_alive": model.p_alive(x, t_x, age)}
        if len(columns) > 3:
            answers["expected"] = model.expected(x, t_x, age, columns[3])
            answers["p_none"] = model.p_none(x, t_x, age, columns[3])
        return answers


def _model(row: Row) -> str:
    name = re.sub(r"[^a-z]+", "_", (row.get("model") or "").strip().lower())
    if name not in PARAMETERS:
        raise _Unanswerable(f"unknown model; known: {', '.join(PARAMETERS)}")
    return name


def _parameters(name: str, row: Row) -> tuple[float, ...]:
    """In the model's order. All are above zero, which is what gamma and beta distributions need."""
    given: dict[str, float] = {}
    for pair in (row.get("params") or "").split(";"):
        key, _, text = pair.partition("=")
        if key.strip():
            given[key.strip()] = _number(f"parameter {key.strip()}", text)
    if set(given) != set(PARAMETERS[name]):
        raise _Unanswerable(f"the parameters of {name} are {', '.join(PARAMETERS[name])}")
    for key, value in given.items():
        if value <= 0:
            raise _Unanswerable(f"parameter {key} must be above 0")
    return tuple(given[key] for key in PARAMETERS[name])


def _number(what: str, text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise _Unanswerable(f"{what} is not a number" if text else f"{what} is missing")
    return value


def _numbers(name: str, row: Row) -> list[float]:
    """x and t_x, and for purchase models T and, if there is one, t."""
    x, t_x = _number("x", row.get("x")), _number("t_x", row.get("t_x"))
    if name == GAMMA_GAMMA:
        if x <= 0 or t_x <= 0:
            raise _Unanswerable("x and the mean value (t_x) must be above 0")
        return [x, t_x]
    numbers = [x, t_x, _number("T", row.get("T"))]
    if (row.get("t") or "").strip():
        numbers.append(_number("t", row.get("t")))
    _check(name, numbers)
    return numbers


def _check(name: str, numbers: list[float]) -> None:
    x, t_x, age, *_ = numbers
    if min(numbers) < 0:
        raise _Unanswerable("x, t_x, T and t must not be below 0")
    if max(numbers) > _MOST:
        raise _Unanswerable(f"x, t_x, T and t must not be above {_MOST}")
    if t_x > age:
        raise _Unanswerable("t_x must not be after T")
    if not x and t_x:
        raise _Unanswerable("t_x must be 0 where x is 0")
    if 0 < x < 1:
        raise _Unanswerable("x must be 0 or at least 1")
    if name == "bg_bb" and any(number % 1 for number in numbers):
        raise _Unanswerable("bg_bb counts opportunities: x, t_x, T and t must be whole numbers")
    if name == "bg_bb" and x > t_x:
        raise _Unanswerable("bg_bb: no more than t_x opportunities can have been taken by t_x")
