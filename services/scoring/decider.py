"""decide(command, state) -> events: what people may say about a customer's cell of the matrix."""

from services.scoring.commands import Confirm, Override
from services.scoring.projector import State
from shared.errors import Conflict
from shared.language import MatrixReviewed


def decide(
    command: Confirm | Override, state: State, *, month: str, found: str | None, by: str
) -> list[MatrixReviewed]:
    """The event that it amounts to; none where it was said already.

    `found` is the cell that the policy finds, `by` who decides. Raises Conflict("customer_erased").
    """
    if state.erased:
        raise Conflict("customer_erased")
    overridden = isinstance(command, Override)
    cell = command.matrix if isinstance(command, Override) else found
    known = state.verdict
    if known is not None:
        said = (known.month, known.overridden, known.matrix, known.reason, known.by)
        if said == (month, overridden, cell, command.reason, by):
            return []
    verdict = "overridden" if overridden else "confirmed"
    return [MatrixReviewed(month, verdict, cell, by, command.reason)]
