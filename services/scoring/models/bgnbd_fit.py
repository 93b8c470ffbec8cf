"""Maximum likelihood for the BG/NBD: from whole days per customer to parameters in weeks."""

from services.scoring.models.bgnbd import BOX, fit
from services.scoring.models.collapse import collapse

NAMES = BOX.names

__all__ = ["NAMES", "collapse", "fit"]
