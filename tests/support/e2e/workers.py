"""The worker processes of a real server, and connections to a chosen one of them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.support.e2e.server_process import ServerProcess
from tests.support.e2e.server_session import wait_until

WORKERS = {"SIMPUL_WORKERS": "2"}


def worker_pids(server: ServerProcess) -> list[int]:
    """The workers of a server, in the order in which they were started."""
    assert server.process is not None
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return sorted(int(pid) for pid in children if b"simpul.worker" in Path(f"/proc/{pid}/cmdline").read_bytes())


def wait_for_workers(server: ServerProcess, but_not: int = 0) -> list[int]:
    """Wait until both workers accept connections and none is the one that was killed; return them."""

    def are_ready() -> bool:
        pids = worker_pids(server)
        return len(pids) == 2 and but_not not in pids and all(map(_has_started, pids))

    wait_until(are_ready, timeout=120.0)
    return worker_pids(server)


def _has_started(pid: int) -> bool:
    """Whether a worker has an event loop, which it enters with everything loaded."""
    with contextlib.suppress(OSError):
        return any("[eventpoll]" in os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir())
    return False


@contextlib.contextmanager
def connected_to(server: ServerProcess, pid: int) -> Iterator[httpx.Client]:
    """A client with one connection, which this worker has accepted, as the others were stopped meanwhile."""
    others = [other for other in worker_pids(server) if other != pid]
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=None)
    with httpx.Client(base_url=server.url, timeout=30, limits=limits) as client:
        for other in others:
            os.kill(other, signal.SIGSTOP)
        try:
            wait_until(lambda: all(_is_stopped(other) for other in others))
            assert client.get("/health/live").status_code == 200
        finally:
            for other in others:
                os.kill(other, signal.SIGCONT)
        yield client


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
