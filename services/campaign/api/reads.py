"""What every route of campaign needs: who may ask, and where to look."""

from fastapi import Depends, Request

from shared.access import require
from shared.kernel import Kernel
from shared.reading import read_manners

READS = [Depends(require("read")), Depends(read_manners)]


def kernel_of(request: Request) -> Kernel:
    """The things of this process."""
    kernel: Kernel = request.app.state.kernel
    return kernel
