"""Loopback ports for the processes of the local run."""

import errno
import random
import socket
from collections.abc import Collection

# Below what systems hand out to outgoing connections (from 32768), so that nobody takes the port
# of a child between its death and its restart.
_LOWEST, _HIGHEST = 20000, 32000


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now; an address left in TIME_WAIT counts as free.

    Raises OSError where the host is none of this machine, or the port is not for us."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True


def free_port(taken: Collection[int] = ()) -> int:
    """A port that is free now and not among `taken`."""
    while True:
        port = random.randint(_LOWEST, _HIGHEST)  # noqa: S311 - no secret
        if port not in taken and is_free(port):
            return port
