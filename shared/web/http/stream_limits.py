"""Limits to open live streams: per session or request, per network, for applicants together, and in all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from prometheus_client import Counter, Gauge

from shared.web.api.problems import Problem

LIVE_STREAMS = Gauge("simpul_live_streams", "Live streams that are open", multiprocess_mode="livesum")
PUBLIC_LIVE_STREAMS = Gauge(
    "simpul_live_streams_public", "Those of them that are of applicants", multiprocess_mode="livesum"
)
STREAMS_OVER_LIMIT = Counter(
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
    """The open streams of this process; `closing` is set when all of them must end."""

    def __init__(self, max_streams: int = MAX_STREAMS) -> None:
        self.max_streams, self.closing = max_streams, asyncio.Event()
        self._open: dict[OpenStream, None] = {}

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
        owned = [stream for stream in self._open if stream.owner.key == owner.key]
        if len(owned) >= MAX_STREAMS_PER_OWNER:
            STREAMS_OVER_LIMIT.labels("owner").inc()
            owned[0].displaced.set()
            self.release(owned[0])
        self._require_room(owner)
        opened = OpenStream(owner)
        self._open[opened] = None
        self._update_gauges()
        return opened

    def release(self, opened: OpenStream) -> None:
        self._open.pop(opened, None)
        self._update_gauges()

    def _require_room(self, owner: StreamOwner) -> None:
        public = [stream for stream in self._open if not stream.owner.staff]
        if self.closing.is_set() or self.open_count >= self.max_streams:
            raise _limit_problem(503, "all")
        if owner.staff:
            return
        if sum(stream.owner.network == owner.network for stream in public) >= MAX_STREAMS_PER_ADDRESS:
            raise _limit_problem(429, "address")
        if len(public) >= max(1, int(self.max_streams * PUBLIC_SHARE)):
            raise _limit_problem(503, "public")

    def _update_gauges(self) -> None:
        LIVE_STREAMS.set(self.open_count)
        PUBLIC_LIVE_STREAMS.set(sum(not stream.owner.staff for stream in self._open))


def _limit_problem(status: int, limit: str) -> Problem:
    STREAMS_OVER_LIMIT.labels(limit).inc()
    return Problem(status, STREAMS_FULL_DETAIL, headers={"Retry-After": str(RETRY_SECONDS)})
