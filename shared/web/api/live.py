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

from shared.identity.service import Principal
from shared.storage.port import StateChange, StateStore, StoreUnavailable
from shared.web.http.client_address import client_address, client_network
from shared.web.http.methods import wants_headers_only
from shared.web.http.stream_limits import StreamOwner, StreamRegistry

logger = logging.getLogger(__name__)

VisibleFields = Callable[[str, int], Awaitable[dict[str, Any] | None]]
"""What the listener may know of a request that reached a version (`number`, `status`), or None if nothing."""
MayContinue = Callable[[], Awaitable[bool]]
"""Whether the listener may go on listening; must not count as using the session."""

RETRY_MS, DISPLACED_RETRY_MS = 2000, 15_000
"""Until a page connects again: after a cut, and after a newer page of the same owner has taken its place."""
BATCH_SIZE = 100
_CURSOR = re.compile(r"[\w.:+/=-]{1,200}")


@dataclass(slots=True)
class StreamTiming:
    """Seconds between comments that keep the connection open, and between looks at whether it may stay open."""

    heartbeat: float = 15.0
    recheck: float = 10.0


async def live(
    request: Request,
    store: StateStore,
    visible_fields: VisibleFields,
    may_continue: MayContinue | None = None,
    timing: StreamTiming | None = None,
    reader: Principal | str = "",
) -> Response:
    """`event: request` with `{id, version, ...}` for each change after `Last-Event-ID`, or from now on.

    `reader` is the member of staff who listens, or the id of the request whose key an applicant holds. Raises StoreUnavailable,
    and Problem 429 or 503 if too many listen or the service is about to stop.
    """
    if wants_headers_only(request):
        return StreamHeaders()
    streams: StreamRegistry = request.app.state.streams
    requested = request.headers.get("last-event-id") or request.query_params.get("last_event_id", "")
    cursor = (
        requested
        if _CURSOR.fullmatch(requested) and await _is_known_cursor(store, requested)
        else await store.latest_change()
    )
    listener = _Listener(store, visible_fields, may_continue, cursor, timing or StreamTiming())
    return LiveStream(streams, listener, _stream_owner(request, reader))


def _stream_owner(request: Request, reader: Principal | str) -> StreamOwner:
    if isinstance(reader, Principal):
        return StreamOwner(reader.token_hash, staff=True)
    network = client_network(client_address(request))
    return StreamOwner(reader or f"address {network}", network)


async def _is_known_cursor(store: StateStore, cursor: str) -> bool:
    try:
        await store.changes(cursor, 1)
    except ValueError:
        return False
    return True


class _Listener:
    """What one stream has told and has to tell."""

    def __init__(
        self,
        store: StateStore,
        visible_fields: VisibleFields,
        may_continue: MayContinue | None,
        cursor: str,
        timing: StreamTiming,
    ) -> None:
        self.store, self.cursor, self.timing = store, cursor, timing
        self._visible_fields, self._may_continue, self._last_checked_at = visible_fields, may_continue, time.monotonic()

    async def is_still_authorized(self) -> bool:
        if self._may_continue is None or time.monotonic() - self._last_checked_at < self.timing.recheck:
            return True
        self._last_checked_at = time.monotonic()
        return await self._may_continue()

    async def next_events(self) -> tuple[bytes, bool]:
        """The events of the next changes, and whether there may be more."""
        changes = await self.store.changes(self.cursor, BATCH_SIZE)
        events = [await self._event(change) for change in changes]
        if changes:
            self.cursor = changes[-1].cursor
        return b"".join(events), len(changes) == BATCH_SIZE

    async def _event(self, change: StateChange) -> bytes:
        facts = await self._visible_fields(change.id, change.version)
        if facts is None:
            return b""
        data = json.dumps({"id": change.id, "version": change.version, **facts}, separators=(",", ":"), default=str)
        return f"id: {change.cursor}\nevent: request\ndata: {data}\n\n".encode()

    async def wait(self) -> None:
        await self.store.wait_for_change(self.cursor, min(self.timing.heartbeat, self.timing.recheck))


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

    def __init__(self, streams: StreamRegistry, listener: _Listener, owner: StreamOwner) -> None:
        super().__init__()
        self._streams, self._listener, self._stream_owner, self._started = streams, listener, owner, False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        place = self._streams.acquire(self._stream_owner)
        ends = (_wait_for_disconnect(receive), self._streams.closing.wait(), place.displaced.wait())
        end_conditions = [asyncio.create_task(end) for end in ends]
        sender = asyncio.create_task(self._send_events(send))
        try:
            await asyncio.wait([*end_conditions, sender], return_when=asyncio.FIRST_COMPLETED)
            if not end_conditions[0].done():
                await self._finish(sender, send, DISPLACED_RETRY_MS if place.displaced.is_set() else RETRY_MS)
        finally:
            self._streams.release(place)
            for task in (*end_conditions, sender):
                task.cancel()
            await asyncio.gather(*end_conditions, sender, return_exceptions=True)

    async def _finish(self, sender: asyncio.Task[None], send: Send, retry_ms: int) -> None:
        sender.cancel()
        [outcome] = await asyncio.gather(sender, return_exceptions=True)
        if isinstance(outcome, Exception) and not isinstance(outcome, StoreUnavailable):
            logger.error("a live stream broke", exc_info=outcome)
        if not self._started:
            await self._start(send)
        last = f"retry: {retry_ms}\n\n".encode() if retry_ms != RETRY_MS else b""
        await send({"type": "http.response.body", "body": last, "more_body": False})

    async def _start(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        self._started = True

    async def _send_events(self, send: Send) -> None:
        listener = self._listener
        await self._start(send)
        await _send_chunk(send, f"retry: {RETRY_MS}\nid: {listener.cursor}\n\n".encode())
        written = time.monotonic()
        while await listener.is_still_authorized():
            next_events, more = await listener.next_events()
            if not next_events and time.monotonic() - written >= listener.timing.heartbeat:
                next_events = b": -\n\n"
            if next_events:
                await _send_chunk(send, next_events)
                written = time.monotonic()
            if not more:
                await listener.wait()


async def _send_chunk(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
