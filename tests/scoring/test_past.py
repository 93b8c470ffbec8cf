"""A customer as they stood, by cut points that were made later: recency counts as an age."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from services.scoring import past
from services.scoring.policies import RFM, RfmCuts
from services.scoring.projector import State
from shared.moments import micros
from shared.projection import Policies, Policy
from tests.scoring.projector.folding import folded
from tests.strategies import bought, make_event

FITTED = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
AGES = (200, 90, 30, 7)
"""Days before the fit at which the scores 2 to 5 begin."""


@pytest.fixture
def policies() -> Policies:
    cuts = RfmCuts(
        customers=500,
        fitted_at="2026-11-20T12:00:00Z",
        recency=[micros(FITTED - timedelta(days=age)) for age in AGES],
        frequency=[2, 3, 4, 5],
        monetary={},
    )
    return {RFM: Policy(RFM, 4, msgspec.to_builtins(cuts))}


def buyer(at: datetime) -> State:
    return folded([make_event(bought(1000), time=at)])


@pytest.mark.parametrize("silent", [0, 6, 8, 29, 31, 89, 91, 199, 201])
@pytest.mark.parametrize("back", [0, 1, 40, 400])
def test_recency_scores_alike_on_every_day(policies: Policies, silent: int, back: int) -> None:
    """So many days after the last purchase, looked at so many days before the fit."""
    clock = FITTED - timedelta(days=back)
    state = buyer(clock - timedelta(days=silent))
    found = past.THEN.derive(state, clock, policies)
    assert found.rfm is not None
    assert found.rfm.r == 1 + sum(silent <= age for age in AGES)
    assert found.policy == "rfm@4"


def test_from_the_fit_on_nothing_is_moved(policies: Policies) -> None:
    for clock in (FITTED, FITTED + timedelta(hours=20), None):
        assert past.as_of(policies, clock) is policies
    assert past.as_of({}, FITTED) == {}


def test_nobody_scores_where_nobody_did(policies: Policies) -> None:
    """Ties leave scores empty: they stay so."""
    body = {**policies[RFM].body, "recency": [None, 10**15, None, None]}
    moved = past.as_of({RFM: Policy(RFM, 4, body)}, FITTED - timedelta(days=1))
    assert moved[RFM].body["recency"] == [None, 10**15 - 86_400_000_000, None, None]
