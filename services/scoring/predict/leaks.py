"""Whether a feature knows the future."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from services.scoring.predict.features import Table
from services.scoring.predict.visits import Fact, Visits

Build = Callable[[Visits, int], Table]


def leaks(build: Build, visits: Visits, cut: int) -> tuple[str, ...]:
    """Names of the features at `cut` that change when the future does.

    The table is made of everything, of only what was before the cut, and of a future in which all
    is different. Who is in the table must not depend on the future either: then it is "customer".
    """
    past = build(visits.before(cut), cut)
    found: set[str] = set()
    for world in (visits, _another(visits, cut)):
        seen = build(world, cut)
        if not np.array_equal(seen.customer, past.customer):
            found.add("customer")
        elif seen.names != past.names:
            found |= set(seen.names) ^ set(past.names)
        else:
            same = np.isclose(seen.values, past.values, rtol=1e-12, atol=1e-12, equal_nan=True)
            found |= {past.names[index] for index in np.flatnonzero(~same.all(axis=0))}
    return tuple(sorted(found))


def _another(visits: Visits, cut: int) -> Visits:
    """The same past; on later days, everything is larger."""

    def larger(fact: Fact) -> Fact:
        return replace(fact, value=np.where(fact.day < cut, fact.value, 3 * fact.value + 7))

    later = visits.day >= cut
    return replace(
        visits,
        money=np.where(later, 3 * visits.money + 7, visits.money),
        lines=np.where(later, visits.lines + 5, visits.lines),
        kinds=np.where(later, visits.kinds + 5, visits.kinds),
        refunds=larger(visits.refunds),
        facts={name: larger(fact) for name, fact in visits.facts.items()},
    )
