"""What every route of scoring needs: who may ask, and where to look."""

from fastapi import Depends, Request

from shared.access import require
from shared.database import Database
from shared.kernel import Kernel
from shared.reading import read_manners

READS = [Depends(require("read")), Depends(read_manners)]


def database_of(request: Request) -> Database:
    """Scoring's database, from which an answer is read."""
    kernel: Kernel = request.app.state.kernel
    return kernel.database
