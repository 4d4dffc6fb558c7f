"""How many live streams may be open: of one session or request, of one address, of the public, and in all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from prometheus_client import Counter, Gauge

from shared.web.problems import Problem

STREAMS = Gauge("simpul_live_streams", "Live streams that are open")
PUBLIC_STREAMS = Gauge("simpul_live_streams_public", "Those of them that are of applicants")
ENDED = Counter("simpul_live_streams_over_limit_total", "Live streams that were refused or displaced", ["limit"])
for _limit in ("owner", "address", "public", "all"):
    ENDED.labels(_limit)

MAX_STREAMS = 500
PUBLIC_SHARE = 0.6
"""Of all streams; the rest is for staff, however many applicants listen."""
MAX_OF_OWNER = 8
"""Streams of one session, or with the key of one request. Pages that nobody looks at close theirs."""
MAX_OF_ADDRESS = 60
"""Streams of applicants behind one address: an office of thirty with two windows each."""
FULL = "Kabar langsung sedang penuh. Halaman tetap dapat dimuat ulang."
RETRY_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a stream is: a session of staff, or a request that somebody holds the key of, seen from an address."""

    key: str
    network: str = ""
    staff: bool = False


@dataclass(eq=False, slots=True)
class OpenStream:
    """A place that a stream has taken; `displaced` is set when a newer one of the same owner has taken it instead."""

    owner: Owner
    displaced: asyncio.Event = field(default_factory=asyncio.Event)


class Streams:
    """The streams of this process, and the moment when all of them must end."""

    def __init__(self, most: int = MAX_STREAMS):
        self.most, self.closing = most, asyncio.Event()
        self._open: dict[OpenStream, None] = {}

    @property
    def open(self) -> int:
        return len(self._open)

    def close(self) -> None:
        """End all streams, so that a stop need not wait for listeners."""
        self.closing.set()

    def enter(self, owner: Owner) -> OpenStream:
        """A place for one more stream. Of too many with one owner the oldest ends: it may be one that nobody reads any more.

        Raises Problem 429 if too many of one address listen, 503 if too many of the public or of all do, or at a stop.
        """
        theirs = [stream for stream in self._open if stream.owner.key == owner.key]
        if len(theirs) >= MAX_OF_OWNER:
            ENDED.labels("owner").inc()
            theirs[0].displaced.set()
            self.leave(theirs[0])
        self._require_room(owner)
        place = OpenStream(owner)
        self._open[place] = None
        self._show()
        return place

    def leave(self, place: OpenStream) -> None:
        self._open.pop(place, None)
        self._show()

    def _require_room(self, owner: Owner) -> None:
        public = [stream for stream in self._open if not stream.owner.staff]
        if self.closing.is_set() or self.open >= self.most:
            raise _full(503, "all")
        if owner.staff:
            return
        if sum(stream.owner.network == owner.network for stream in public) >= MAX_OF_ADDRESS:
            raise _full(429, "address")
        if len(public) >= max(1, int(self.most * PUBLIC_SHARE)):
            raise _full(503, "public")

    def _show(self) -> None:
        STREAMS.set(self.open)
        PUBLIC_STREAMS.set(sum(not stream.owner.staff for stream in self._open))


def _full(status: int, limit: str) -> Problem:
    ENDED.labels(limit).inc()
    return Problem(status, FULL, headers={"Retry-After": str(RETRY_SECONDS)})
