"""What a training is to be made of."""

import msgspec


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to train on: where the log is, and up to where it is read."""

    event_log_url: str
    namespace: str
    partitions: int
    replication: int
    position: dict[str, int] | None = None
    """Offset by partition; None: to the end as it is now."""
    seed: int = 0
