"""Ports for the servers that tests start."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from functools import cache
from pathlib import Path
from typing import IO

PORTS = range(12_000, 32_000)
"""Below the ports from which the system serves outgoing connections, one of which could take a port before the server."""

_candidates = random.sample(PORTS, len(PORTS))


def free_port() -> int:
    """Return an unused local port, reserved for as long as this process lives.

    A port that is only looked up can be given to another server before the first one listens: the process that came too
    late ends, and its requests are answered by the other.
    """
    while _candidates:
        port = _candidates.pop()
        if _reserve(port) and _is_unused(port):
            return port
    raise RuntimeError("no local port is unused")


def _reserve(port: int) -> bool:
    """Lock the byte of this port in a file that all test processes share."""
    try:
        fcntl.lockf(_reservations(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except (BlockingIOError, PermissionError):
        return False
    return True


@cache
def _reservations() -> IO[bytes]:
    return (Path(tempfile.gettempdir()) / f"simpul-test-ports-{os.getuid()}").open("ab")


def _is_unused(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
