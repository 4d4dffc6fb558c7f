"""Limits to open live streams: per session or request, per network, for applicants together, and in all."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from prometheus_client import Counter as Total
from prometheus_client import Gauge

from shared.web.api.problems import Problem
from shared.workers.group import SOLE_WORKER, WorkerGroup

LIVE_STREAMS = Gauge("simpul_live_streams", "Live streams that are open", multiprocess_mode="livesum")
PUBLIC_LIVE_STREAMS = Gauge(
    "simpul_live_streams_public", "Those of them that are of applicants", multiprocess_mode="livesum"
)
STREAMS_OVER_LIMIT = Total(
    "simpul_live_streams_over_limit_total", "Live streams that were refused or displaced", ["limit"]
)
for _limit in ("owner", "address", "public", "all"):
    STREAMS_OVER_LIMIT.labels(_limit)

MAX_STREAMS = 500
PUBLIC_SHARE = 0.6
"""Share of all streams that applicants may use; the rest is reserved for staff."""
MAX_STREAMS_PER_OWNER = 8
"""Streams of one session, or with one tracking token. Pages in the background close theirs."""
MAX_STREAMS_PER_ADDRESS = 60
"""Streams of applicants from one network: an office of thirty people with two windows each."""
STREAMS_FULL_DETAIL = "Kabar langsung sedang penuh. Halaman tetap dapat dimuat ulang."
RETRY_SECONDS = 30
DISPLACE_TOPIC = "displaced stream"
"""Asks a worker to end the oldest stream of an owner; the text is the index of the worker and the key of the owner."""
_ALL, _PUBLIC = "streams", "public streams"


@dataclass(frozen=True, slots=True)
class StreamOwner:
    """Who a stream belongs to: a staff session, or the request that an applicant follows from a network."""

    key: str
    network: str = ""
    staff: bool = False


@dataclass(eq=False, slots=True)
class OpenStream:
    """An open stream; `displaced` is set when a newer stream of the same owner replaces it."""

    owner: StreamOwner
    displaced: asyncio.Event = field(default_factory=asyncio.Event)


class StreamRegistry:
    """The open streams of this process; `closing` is set when all of them must end. Limits are for all workers together."""

    def __init__(self, max_streams: int = MAX_STREAMS, workers: WorkerGroup = SOLE_WORKER) -> None:
        self.max_streams, self.closing, self._workers = max_streams, asyncio.Event(), workers
        self._open: dict[OpenStream, None] = {}
        self._counts: Counter[str] = Counter()
        workers.messages.subscribe(DISPLACE_TOPIC, self._receive_displacement)

    @property
    def open_count(self) -> int:
        return len(self._open)

    def close(self) -> None:
        """End all streams, so that a shutdown does not wait for clients."""
        self.closing.set()

    def acquire(self, owner: StreamOwner) -> OpenStream:
        """Register one more stream; the oldest of an owner with too many ends, since its client may be gone.

        Raises: Problem 429 at the limit of a network, 503 at the limit of applicants or of all, or during shutdown.
        """
        if self._total(_owner_key(owner)) >= MAX_STREAMS_PER_OWNER:
            STREAMS_OVER_LIMIT.labels("owner").inc()
            if not self._displace_oldest(owner.key):
                # The message reaches all workers, and only one stream must end.
                worker = self._workers.held.other_with_greatest(_owner_key(owner))
                self._workers.messages.send(DISPLACE_TOPIC, f"{worker} {owner.key}")
        self._require_room(owner)
        opened = OpenStream(owner)
        self._open[opened] = None
        self._count(owner, 1)
        return opened

    def release(self, opened: OpenStream) -> None:
        if opened in self._open:
            del self._open[opened]
            self._count(opened.owner, -1)

    def _displace_oldest(self, owner_key: str) -> bool:
        """End the oldest stream of an owner in this process; return whether there was one."""
        oldest = next((stream for stream in self._open if stream.owner.key == owner_key), None)
        if oldest is None:
            return False
        oldest.displaced.set()
        self.release(oldest)
        return True

    def _receive_displacement(self, text: str) -> None:
        worker, _, owner_key = text.partition(" ")
        if worker == str(self._workers.index):
            self._displace_oldest(owner_key)

    def _count(self, owner: StreamOwner, change: int) -> None:
        keys = (_ALL, _owner_key(owner), *(() if owner.staff else (_PUBLIC, _network_key(owner))))
        for key in keys:
            self._counts[key] += change
            self._workers.held.set(key, self._counts[key])
            if not self._counts[key]:
                del self._counts[key]
        LIVE_STREAMS.set(self._counts[_ALL])
        PUBLIC_LIVE_STREAMS.set(self._counts[_PUBLIC])

    def _total(self, key: str) -> float:
        """The number of such streams of all workers."""
        return self._counts[key] + self._workers.held.others_total(key)

    def _require_room(self, owner: StreamOwner) -> None:
        if self.closing.is_set() or self._total(_ALL) >= self.max_streams:
            raise _limit_problem(503, "all")
        if owner.staff:
            return
        if self._total(_network_key(owner)) >= MAX_STREAMS_PER_ADDRESS:
            raise _limit_problem(429, "address")
        if self._total(_PUBLIC) >= max(1, int(self.max_streams * PUBLIC_SHARE)):
            raise _limit_problem(503, "public")


def _owner_key(owner: StreamOwner) -> str:
    return f"streams of {owner.key}"


def _network_key(owner: StreamOwner) -> str:
    return f"public streams from {owner.network}"


def _limit_problem(status: int, limit: str) -> Problem:
    STREAMS_OVER_LIMIT.labels(limit).inc()
    return Problem(status, STREAMS_FULL_DETAIL, headers={"Retry-After": str(RETRY_SECONDS)})
