"""What people may say about a cell of the matrix."""

from services.scoring.commands import Confirm, Override
from services.scoring.decider import decide
from services.scoring.projector import State
from shared.language import MatrixReviewed
from tests.scoring.projector.folding import folded
from tests.strategies import make_event

OVERRIDE = Override(matrix="core", reason="A contract")
SAID = MatrixReviewed("2026-10", "overridden", "core", "chen.li", "A contract")
KNOWN = folded([make_event(SAID, origin="scoring")])


def decided(command: Confirm | Override, state: State, by: str = "chen.li", month: str = "2026-10"):
    return decide(command, state, month=month, found="watch", by=by)


def test_an_override_says_which_cell_holds():
    assert decided(OVERRIDE, State()) == [SAID]


def test_a_confirmation_says_what_was_found():
    confirmed = MatrixReviewed("2026-10", "confirmed", "watch", "chen.li", "Checked")
    assert decided(Confirm(reason="Checked"), KNOWN) == [confirmed]


def test_the_same_word_again_is_no_event():
    assert decided(OVERRIDE, KNOWN) == []


def test_another_person_another_month_or_another_reason_is_another_word():
    assert len(decided(OVERRIDE, KNOWN, by="wang.fang")) == 1
    assert len(decided(OVERRIDE, KNOWN, month="2026-11")) == 1
    assert len(decided(Override(matrix="core", reason="Another"), KNOWN)) == 1
