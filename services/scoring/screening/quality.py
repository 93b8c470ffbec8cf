"""How well probabilities tell who buys. Pure."""

import numpy as np
from scipy.stats import rankdata

from services.scoring.screening.cohort import Numbers

_SURE = 1.96


def auc_of(found: Numbers, truth: Numbers) -> tuple[float | None, tuple[float, float] | None]:
    """Area under the curve with its 95 % interval (DeLong, DeLong & Clarke-Pearson 1988); None where
    all are alike."""
    yes, no = found[truth > 0], found[truth <= 0]
    if not len(yes) or not len(no):
        return None, None
    ranks = rankdata(found)
    of_yes = (ranks[truth > 0] - rankdata(yes)) / len(no)
    of_no = 1 - (ranks[truth <= 0] - rankdata(no)) / len(yes)
    auc = float(of_yes.mean())
    if min(len(yes), len(no)) < 2:
        return auc, None
    spread = float(np.sqrt(of_yes.var(ddof=1) / len(yes) + of_no.var(ddof=1) / len(no)))
    low, high = max(auc - _SURE * spread, 0.0), min(auc + _SURE * spread, 1.0)
    return auc, (round(low, 4), round(high, 4))


def gain_of(found: Numbers, naive: Numbers, truth: Numbers) -> tuple[float, float]:
    """How much lower the Brier score is than the naive one, person by person: its 95 % interval."""
    gain = (naive - truth) ** 2 - (found - truth) ** 2
    spread = float(gain.std(ddof=1) / np.sqrt(len(gain))) if len(gain) > 1 else 0.0
    mean = float(gain.mean())
    return round(mean - _SURE * spread, 6), round(mean + _SURE * spread, 6)
