"""Server-sent events: which request changed, to what version, for as long as the one who listens may know."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shared.identity.identity import Principal
from shared.storage.port import Change, StateStore, StoreUnavailable
from shared.web.client_address import client_address, network_of
from shared.web.methods import wants_headers_only
from shared.web.stream_limits import Owner, Streams

logger = logging.getLogger(__name__)

Allowed = Callable[[str, int], Awaitable[dict[str, Any] | None]]
"""What the listener may know of a request that reached a version (`number`, `status`), or None if nothing."""
StillAllowed = Callable[[], Awaitable[bool]]
"""Whether the listener may go on listening; must not count as using the session."""

RETRY_MS, DISPLACED_RETRY_MS = 2000, 15_000
"""Until a page connects again: after a cut, and after a newer page of the same owner has taken its place."""
BATCH = 100
_CURSOR = re.compile(r"[\w.:+/=-]{1,200}")


@dataclass(slots=True)
class Pace:
    """Seconds between comments that keep the connection open, and between looks at whether it may stay open."""

    heartbeat: float = 15.0
    recheck: float = 10.0


async def live(
    request: Request,
    store: StateStore,
    allowed: Allowed,
    still_allowed: StillAllowed | None = None,
    pace: Pace | None = None,
    reader: Principal | str = "",
) -> Response:
    """`event: request` with `{id, version, ...}` for each change after `Last-Event-ID`, or from now on.

    `reader` is the member of staff who listens, or the id of the request whose key an applicant holds. Raises StoreUnavailable,
    and Problem 429 or 503 if too many listen or the service is about to stop.
    """
    if wants_headers_only(request):
        return StreamHeaders()
    streams: Streams = request.app.state.streams
    asked = request.headers.get("last-event-id") or request.query_params.get("last_event_id", "")
    cursor = asked if _CURSOR.fullmatch(asked) and await _known(store, asked) else await store.latest_change()
    listener = _Listener(store, allowed, still_allowed, cursor, pace or Pace())
    return LiveStream(streams, listener, _owner(request, reader))


def _owner(request: Request, reader: Principal | str) -> Owner:
    if isinstance(reader, Principal):
        return Owner(reader.token_hash, staff=True)
    network = network_of(client_address(request))
    return Owner(reader or f"address {network}", network)


async def _known(store: StateStore, cursor: str) -> bool:
    try:
        await store.changes(cursor, 1)
    except ValueError:
        return False
    return True


class _Listener:
    """What one stream has told and has to tell."""

    def __init__(self, store: StateStore, allowed: Allowed, still: StillAllowed | None, cursor: str, pace: Pace):
        self.store, self.cursor, self.pace = store, cursor, pace
        self._allowed, self._still, self._checked = allowed, still, time.monotonic()

    async def may_go_on(self) -> bool:
        if self._still is None or time.monotonic() - self._checked < self.pace.recheck:
            return True
        self._checked = time.monotonic()
        return await self._still()

    async def news(self) -> tuple[bytes, bool]:
        """The events of the next changes, and whether there may be more."""
        changes = await self.store.changes(self.cursor, BATCH)
        told = [await self._event(change) for change in changes]
        if changes:
            self.cursor = changes[-1].cursor
        return b"".join(told), len(changes) == BATCH

    async def _event(self, change: Change) -> bytes:
        facts = await self._allowed(change.id, change.version)
        if facts is None:
            return b""
        data = json.dumps({"id": change.id, "version": change.version, **facts}, separators=(",", ":"), default=str)
        return f"id: {change.cursor}\nevent: request\ndata: {data}\n\n".encode()

    async def wait(self) -> None:
        await self.store.wait_for_change(self.cursor, min(self.pace.heartbeat, self.pace.recheck))


class StreamHeaders(Response):
    """What precedes a stream, and all of the answer to HEAD; nobody knows how long the stream will be."""

    def __init__(self) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(headers=headers, media_type="text/event-stream")

    def init_headers(self, headers: Any = None) -> None:
        super().init_headers(headers)
        del self.headers["content-length"]


class LiveStream(StreamHeaders):
    """The stream itself; it ends when the client goes, the session dies, the store fails or the process stops."""

    def __init__(self, streams: Streams, listener: _Listener, owner: Owner):
        super().__init__()
        self._streams, self._listener, self._owner, self._started = streams, listener, owner, False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        place = self._streams.enter(self._owner)
        ends = (_gone(receive), self._streams.closing.wait(), place.displaced.wait())
        over = [asyncio.create_task(end) for end in ends]
        telling = asyncio.create_task(self._tell(send))
        try:
            await asyncio.wait([*over, telling], return_when=asyncio.FIRST_COMPLETED)
            if not over[0].done():
                await self._end(telling, send, DISPLACED_RETRY_MS if place.displaced.is_set() else RETRY_MS)
        finally:
            self._streams.leave(place)
            for task in (*over, telling):
                task.cancel()
            await asyncio.gather(*over, telling, return_exceptions=True)

    async def _end(self, telling: asyncio.Task[None], send: Send, retry_ms: int) -> None:
        telling.cancel()
        [outcome] = await asyncio.gather(telling, return_exceptions=True)
        if isinstance(outcome, Exception) and not isinstance(outcome, StoreUnavailable):
            logger.error("a live stream broke", exc_info=outcome)
        if not self._started:
            await self._start(send)
        last = f"retry: {retry_ms}\n\n".encode() if retry_ms != RETRY_MS else b""
        await send({"type": "http.response.body", "body": last, "more_body": False})

    async def _start(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        self._started = True

    async def _tell(self, send: Send) -> None:
        listener = self._listener
        await self._start(send)
        await _write(send, f"retry: {RETRY_MS}\nid: {listener.cursor}\n\n".encode())
        written = time.monotonic()
        while await listener.may_go_on():
            news, more = await listener.news()
            if not news and time.monotonic() - written >= listener.pace.heartbeat:
                news = b": -\n\n"
            if news:
                await _write(send, news)
                written = time.monotonic()
            if not more:
                await listener.wait()


async def _write(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
