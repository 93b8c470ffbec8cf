"""Made-up prospects whose rates are known."""

from collections.abc import Mapping

import numpy as np

from services.scoring.screening.cohort import NEVER, Cohort

LAST = 740_000
RATIOS = {"": 0.5, "advert": 1.0, "expo": 3.0}


def crowd(
    people: int,
    *,
    seed: int = 1,
    ratios: Mapping[str, float] | None = None,
    rate: float = 0.004,
    span: int = 400,
) -> Cohort:
    """Everybody has a daily rate of buying of their source's, twice as great after five contacts or
    more; first seen over the last `span` days."""
    chance, known = np.random.default_rng(seed), ratios or RATIOS
    names = list(known)
    of = chance.integers(0, len(names), people)
    seen = LAST - chance.integers(0, span, people)
    contacts = chance.poisson(2, people)
    rates = rate * np.array([known[name] for name in names])[of] * np.where(contacts >= 5, 2, 1)
    waiting = chance.geometric(-np.expm1(-rates)) - 1
    won = np.where(seen + waiting <= LAST, seen + waiting, NEVER)
    worth = np.where(of == names.index("expo") if "expo" in names else of < 0, 20_000, 10_000)
    spend = chance.gamma(2, worth / 2).astype(int).tolist()
    return Cohort(
        seen=seen,
        won=won,
        at_once=np.zeros(people, dtype=np.bool_),
        source=[names[at] for at in of],
        source_day=seen.copy(),
        kind=[("call", "visit")[at] for at in chance.integers(0, 2, people)],
        channel=["web"] * people,
        contact_day=seen.copy(),
        contacts=np.stack([np.minimum(contacts, 1), contacts, contacts], axis=1),
        spend=[{"CNY": spent} for spent in spend],
    )
