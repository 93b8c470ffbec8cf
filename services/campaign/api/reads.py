"""What every route of campaign needs: who may ask, and where to look."""

from fastapi import Depends

from shared.access import require
from shared.reading import read_manners

READS = [Depends(require("read")), Depends(read_manners)]
