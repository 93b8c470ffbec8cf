"""Questions in a CSV, answers in another."""

import csv
from math import isclose

import pytest

from services.scoring.backtest.errors import BacktestError
from services.scoring.backtest.oracle import ANSWERS, answer_file, answer_rows
from tests.scoring.models.rows import FILE

BG = "r=0.2426;alpha=4.4136;a=0.7929;b=2.4259"


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def question(**changes):
    row = {"model": "bg_nbd", "params": BG, "x": "2", "t_x": "30.43", "T": "38.86", "t": "39"}
    return {**row, **changes}


def test_every_row_is_answered(tmp_path):
    assert answer_file(FILE, tmp_path / "answers.csv") == 0
    known, answered = read(FILE), read(tmp_path / "answers.csv")
    assert list(answered[0]) == [*known[0], "problem"]
    for row, got in zip(known, answered, strict=True):
        assert {**got, **dict.fromkeys(ANSWERS)} == {**row, **dict.fromkeys(ANSWERS), "problem": ""}
        for name in ANSWERS:
            assert bool(got[name]) == bool(row[name])
            if row[name]:
                near = isclose(float(got[name]), float(row[name]), rel_tol=1e-8, abs_tol=1e-12)
                assert near, (row, name)


def test_answers_are_computed_not_copied():
    wrong = dict.fromkeys(ANSWERS, "42")
    [right], [asked] = answer_rows([question()]), answer_rows([question(**wrong)])
    assert asked == right
    assert right["p_none"].startswith("0.445388292")


def test_rows_keep_their_order_and_their_other_columns():
    models = ["bg_nbd", "mbg_nbd", "BG/NBD", "mbg-nbd"]
    rows = [question(model=model, note=f"{i}") for i, model in enumerate(models)]
    answered = answer_rows(rows)
    assert [row["note"] for row in answered] == ["0", "1", "2", "3"]
    assert answered[0]["ll"] == answered[2]["ll"] != answered[1]["ll"] == answered[3]["ll"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"model": "arima"}, "unknown model; known: bg_nbd"),
        ({"model": ""}, "unknown model"),
        ({"params": "r=1;alpha=2"}, "parameters of bg_nbd are r, alpha, a, b"),
        ({"params": BG.replace("0.2426", "none")}, "parameter r is not a number"),
        ({"params": BG.replace("0.2426", "-1")}, "parameter r must be above 0"),
        ({"x": "many"}, "x is not a number"),
        ({"x": "nan"}, "x is not a number"),
        ({"x": ""}, "x is missing"),
        ({"x": None}, "x is missing"),
        ({"x": "-1"}, "below 0"),
        ({"x": "0"}, "t_x must be 0 where x is 0"),
        ({"x": "0.5"}, "0 or at least 1"),
        ({"t_x": "40"}, "after T"),
        ({"t": "-1"}, "below 0"),
        ({"T": "1e9"}, "above 1000000"),
        (
            {"model": "bg_bb", "params": "alpha=1;beta=1;gamma=1;delta=1"},
            "must be whole numbers",
        ),
        (
            {
                "model": "bg_bb",
                "params": "alpha=1;beta=1;gamma=1;delta=1",
                "x": "5",
                "t_x": "4",
                "T": "9",
            },
            "no more than t_x",
        ),
        ({"model": "gamma_gamma", "params": "p=1;q=2;v=3", "x": "0"}, "above 0"),
        ({"params": "r=1;alpha=1;a=1e308;b=1e308"}, "outside the range"),
    ],
)
def test_what_cannot_be_answered_says_why(changes, why):
    odd, good = answer_rows([question(**changes), question()])
    assert why in odd["problem"]
    assert not any(odd[name] for name in ANSWERS)
    assert not good["problem"]


def test_without_a_horizon_the_past_is_answered():
    [row] = answer_rows([question(t="")])
    assert row["ll"]
    assert row["p_alive"]
    assert not row["expected"]
    assert "t is missing" in row["problem"]


def test_files_that_are_none_of_this(tmp_path):
    with pytest.raises(BacktestError, match="cannot answer"):
        answer_file(tmp_path / "nowhere.csv", tmp_path / "answers.csv")
    other = tmp_path / "other.csv"
    other.write_text("customer,time\n1,2\n")
    with pytest.raises(BacktestError, match="no column model, params, x, t_x"):
        answer_file(other, tmp_path / "answers.csv")
    other.write_text("")
    with pytest.raises(BacktestError, match="no column"):
        answer_file(other, tmp_path / "answers.csv")
