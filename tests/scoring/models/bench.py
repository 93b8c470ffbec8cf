"""Our purchase models beside `lifetimes`, side by side in one run. By hand: times are not tests.

    python -m tests.scoring.models.bench            100,000 and 1,000,000 customers
    python -m tests.scoring.models.bench --small    a tenth of them

Fits are of the same simulated customers on the same machine, each the only one running, one after
the other; times are of this process's processors, which a busy machine disturbs less. Memory is the
highest resident set of a process that does nothing else.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import Any

import numpy as np

from services.scoring.models.purchase import PurchaseModel, fit_purchases
from tests.scoring.models.people import simulated_bg_nbd, simulated_pareto_nbd

BG = (0.25, 4.4, 0.8, 2.5)
PARETO = (0.55, 10.6, 0.6, 11.7)


def customers(name: str, count: int) -> list[np.ndarray]:
    if name == "bg_nbd":
        return simulated_bg_nbd(count, *BG, seed=1)
    return simulated_pareto_nbd(count, *PARETO, seed=1)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def ours(name: str, count: int) -> dict[str, Any]:
    data = customers(name, count)
    fit_purchases(name, *(column[:100] for column in data))  # what is imported on first use
    seconds, found = timed(lambda: fit_purchases(name, *data))
    return {
        "seconds": seconds,
        "log_likelihood": found.log_likelihood,
        "parameters": astuple(found.parameters),
        "converged": found.converged,
    }


def theirs(name: str, count: int) -> dict[str, Any]:
    warnings.simplefilter("ignore")
    import lifetimes

    x, t_x, age = customers(name, count)
    fitter = lifetimes.BetaGeoFitter if name == "bg_nbd" else lifetimes.ParetoNBDFitter
    model = fitter(penalizer_coef=0.0)
    seconds, _ = timed(lambda: model.fit(x, t_x / 7, age / 7))
    fitted = fit_of(name, [float(value) for value in model.params_])
    each = fitted.log_likelihood(x, t_x / 7, age / 7)
    return {
        "seconds": seconds,
        "log_likelihood": float(each.sum()),
        "parameters": [float(value) for value in model.params_],
    }


def fit_of(name: str, parameters: Sequence[float]) -> PurchaseModel:
    from services.scoring.models.purchase import purchase_model

    return purchase_model(name, parameters)


def scoring(name: str, count: int) -> dict[str, Any]:
    """All at once against one call a customer."""
    x, t_x, age = (np.asarray(column, dtype=np.float64) for column in customers(name, count))
    t_x, age = t_x / 7, age / 7
    model = fit_of(name, BG if name == "bg_nbd" else PARETO)
    result: dict[str, Any] = {}
    model.p_none(x[:1000], t_x[:1000], age[:1000], 13)
    for question in ("p_none", "p_alive", "expected"):
        ask = getattr(model, question)
        ahead = () if question == "p_alive" else (13.0,)
        all_at_once, _ = timed(lambda ask=ask, ahead=ahead: ask(x, t_x, age, *ahead))
        few = min(2000, count)

        def one_by_one(ask: Any = ask, ahead: Any = ahead, few: int = few) -> None:
            for i in range(few):
                ask(x[i], t_x[i], age[i], *ahead)

        alone, _ = timed(one_by_one)
        result[question] = {
            "a second": count / all_at_once,
            "times": alone / few * count / all_at_once,
        }
    return result


def memory(work: str, name: str, count: int) -> dict[str, Any]:
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    data = customers(name, count)
    simulated = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if work == "fit":
        fit_purchases(name, *data)
    else:
        model = fit_of(name, BG if name == "bg_nbd" else PARETO)
        x, t_x, age = data
        model.p_none(x, t_x / 7, age / 7, 13)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"import": before / 1024, "customers": simulated / 1024, "peak": peak / 1024}


WORK: dict[str, Callable[..., dict[str, Any]]] = {
    "ours": ours,
    "theirs": theirs,
    "scoring": scoring,
    "memory_fit": lambda name, count: memory("fit", name, count),
    "memory_score": lambda name, count: memory("score", name, count),
}


def apart(work: str, name: str, count: int) -> dict[str, Any]:
    """In a process of its own."""
    command = [sys.executable, "-m", "tests.scoring.models.bench", "--do", work, name, str(count)]
    one = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # else waiting threads count as work
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=one)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def report(fits: int, scores: int) -> None:
    print(f"Fitting {fits:,} simulated customers, seconds of processor")
    for name, goal in (("bg_nbd", 5), ("pareto_nbd", 20)):
        mine, other = apart("ours", name, fits), apart("theirs", name, fits)
        times = other["seconds"] / mine["seconds"]
        print(
            f"  {name:12} ours {mine['seconds']:8.2f}  lifetimes {other['seconds']:8.2f}"
            f"  {times:6.1f} times as fast (goal {goal})"
            f"  log-likelihood {mine['log_likelihood']:.3f} / {other['log_likelihood']:.3f}"
        )
    print(
        f"Scoring {scores:,} customers, customers a second (goal for P(none): 2,000,000, 50 times)"
    )
    for name in ("bg_nbd", "pareto_nbd"):
        for question, got in apart("scoring", name, scores).items():
            rate, times = got["a second"], got["times"]
            print(f"  {name:12} {question:9} {rate:14,.0f}  {times:8,.0f} times one call each")
    print("Peak memory, MB: after import / with the customers / at the peak")
    for work, count in (("memory_fit", fits), ("memory_score", scores)):
        for name in ("bg_nbd", "pareto_nbd"):
            got = apart(work, name, count)
            line = " / ".join(f"{got[key]:.0f}" for key in ("import", "customers", "peak"))
            print(f"  {name:12} {work.removeprefix('memory_'):6} {count:10,}  {line}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--small", action="store_true", help="a tenth of the customers")
    parser.add_argument("--do", nargs=3, metavar=("WORK", "MODEL", "COUNT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.do:
        work, name, count = options.do
        print(json.dumps(WORK[work](name, int(count))))
    elif options.small:
        report(10_000, 100_000)
    else:
        report(100_000, 1_000_000)


if __name__ == "__main__":
    main()
