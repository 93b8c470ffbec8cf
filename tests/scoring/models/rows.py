"""Rows with known answers.

`data/oracle.csv`: 96 customers with their log-likelihood, P(alive), expected purchases within t and
P(none within t). Each number was computed from the paper's closed form with 60 digits, and again by
a second way (sum or quadrature of the mixture itself); both agreed in all digits that are written.
Times in weeks, for `bg_bb` in opportunities; for `gamma_gamma` x is the number of purchases, t_x
their mean value and `expected` the value of the next.
"""

import csv
from pathlib import Path

from services.scoring.models.gammagamma import Parameters as GammaGamma
from services.scoring.models.purchase import PURCHASE_MODELS

FILE = Path(__file__).parent / "data" / "oracle.csv"


def oracle() -> list[dict[str, str]]:
    with FILE.open() as file:
        return list(csv.DictReader(file))


def model_of(row):
    """The model of a row, with its parameters."""
    pairs = (pair.split("=") for pair in row["params"].split(";"))
    parameters = {name: float(value) for name, value in pairs}
    name = row["model"]
    make = GammaGamma if name == "gamma_gamma" else PURCHASE_MODELS[name].make
    return make(**parameters)


def answers(row):
    """What our models say to the row."""
    model = model_of(row)
    if row["model"] == "gamma_gamma":
        customer = float(row["x"]), float(row["t_x"])
        return {
            "ll": model.log_likelihood(*customer)[0],
            "expected": model.expected_value(*customer)[0],
        }
    x, t_x, age, t = (float(row[name]) for name in ("x", "t_x", "T", "t"))
    return {
        "ll": model.log_likelihood(x, t_x, age)[0],
        "p_alive": model.p_alive(x, t_x, age)[0],
        "expected": model.expected(x, t_x, age, t)[0],
        "p_none": model.p_none(x, t_x, age, t)[0],
    }
