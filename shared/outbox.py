"""Every service's outbox: the only way onto `customers`."""

from shared.numbered import Numbered

OUTBOX = Numbered("outbox")
