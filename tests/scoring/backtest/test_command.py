"""`python -m services.scoring.backtest`, as other people's judges call it."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from services.scoring.backtest.command import main
from tests.scoring.predict.shops import shop

ISO = "2017-10-01"


@pytest.fixture(scope="module")
def shop_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 customers from July 2016 on, until November 2017."""
    days = shop(120, days=500, gap=12)
    path = tmp_path_factory.mktemp("shop") / "shop.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["customer", "time", "amount", "category"])
        for customer, day, money in zip(days.customer, days.day, days.money, strict=True):
            date = np.datetime64(int(day), "D")
            writer.writerow([f"c{customer:04d}", date, f"{money:.2f}", f"k{customer % 3}"])
    return path


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_predictions_of_everybody_before_the_cut(shop_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    given = ["--csv", str(shop_file), "--cut", ISO, "--predictions", str(out)]
    assert main(given) == 0
    rows = _rows(out)
    assert list(rows[0]) == [
        "customer",
        "cut",
        "churn",
        "expected_purchases",
        "expected_spend",
        "next_purchase_days",
    ]
    before = {row["customer"] for row in _rows(shop_file) if row["time"] < ISO}
    assert [row["customer"] for row in rows] == sorted(before)
    for row in rows:
        assert row["cut"] == ISO
        assert 0 <= float(row["churn"]) <= 1
        for name in ("expected_purchases", "expected_spend", "next_purchase_days"):
            assert 0 <= float(row[name]) < 1e9


def test_the_future_and_the_order_of_lines_change_nothing(shop_file: Path, tmp_path: Path) -> None:
    """Byte for byte: with the lines of the cut and later gone, and the others shuffled."""
    lines = shop_file.read_text().splitlines()
    past = [line for line in lines[1:] if line.split(",")[1] < ISO]
    np.random.default_rng(1).shuffle(past)
    other = tmp_path / "past.csv"
    other.write_text("\n".join([lines[0], *past]) + "\n")
    for source, name in ((shop_file, "one"), (other, "two")):
        given = ["--csv", str(source), "--cut", ISO, "--horizon", "28", "--predictions"]
        assert main([*given, str(tmp_path / name)]) == 0
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_every_score_beside_its_rules(
    shop_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--csv", str(shop_file), "--horizon", "28", "--cuts", ISO]
    given += ["--json", str(tmp_path / "found.json"), "--pictures", str(tmp_path / "pictures")]
    assert main(given) == 0
    said = capsys.readouterr().out
    assert "churn: AUC (active" in said
    assert "ratio to the best rule" in said
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["cuts"] == {"28": [ISO]}
    scores = {(one["score"], one["measure"]) for one in found["figures"]}
    assert {
        ("churn", "AUC"),
        ("churn", "calibration error"),
        ("next purchase", "concordance"),
        ("spend", "RMSE"),
        ("purchases", "RMSE"),
    } <= scores
    assert all(one["model"]["value"] is not None for one in found["figures"])
    assert found["demand"]
    assert {one["list"] for one in found["recommendations"]} >= {"again"}
    assert "4-week mean" in said
    for name in ("reliability_28.png", "lift_28.png", "forecast_fan.png"):
        assert (tmp_path / "pictures" / name).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (["--csv", "/nowhere.csv"], "cannot be read"),
        (["--csv", "SHOP", "--cut", "1990-01-01", "--predictions", "x"], "no purchase before"),
        (["--csv", "SHOP", "--cut", "soon", "--predictions", "x"], "not a time"),
        (["--csv", "SHOP", "--cut", ISO], "say what to write"),
        (["--csv", "SHOP", "--predictions", "x"], "need a --cut"),
        (["--csv", "SHOP", "--cut", ISO, "--predictions", "/nowhere/x"], "cannot be written"),
        (["--csv", "SHOP", "--cut", ISO, "--predictions", "x", "--horizon", "0"], "horizon"),
        (["--csv", "SHOP", "--timezone", "Nowhere"], "no time zone"),
        (["--oracle", "x"], "go together"),
        (["--wrong"], "--wrong"),
        (["--csv", "SHOP", "--horizon", "900"], "too short"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    given: list[str],
    why: str,
    shop_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([str(shop_file) if word == "SHOP" else word for word in given]) == 2
    said = capsys.readouterr().err
    assert why in said
    assert said.endswith(".\n")
    assert said.count("\n") == 1
