"""How sure a share is."""

from math import sqrt

_Z = 1.959964


def wilson(share: float, among: int) -> tuple[float, float]:
    """The 95 % interval of a share of so many (at least one), within 0 and 1: Wilson's, 1927."""
    whole = 1 + _Z**2 / among
    middle = (share + _Z**2 / (2 * among)) / whole
    half = _Z * sqrt(share * (1 - share) / among + _Z**2 / (4 * among**2)) / whole
    return max(middle - half, 0.0), min(middle + half, 1.0)
