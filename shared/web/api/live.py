"""Live updates as server-sent events: which request changed, to what version, while the client may know it."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query
from fastapi.sse import format_sse_event
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shared.contracts.facts import Staff
from shared.identity.principal import Principal
from shared.office.presence import PresenceRegister
from shared.storage.port import StateChange, StateStore, StoreUnavailable
from shared.web.dependencies import platform_of
from shared.web.http.client_address import client_address, client_network
from shared.web.http.methods import wants_headers_only
from shared.web.http.stream_limits import StreamOwner, StreamRegistry

logger = logging.getLogger(__name__)

VisibleFields = Callable[[str, int], Awaitable[dict[str, Any] | None]]
"""Returns the fields of a changed request that the client may see (`number`, `status`), None if it may see nothing."""
MayContinue = Callable[[], Awaitable[bool]]
"""Returns whether the client is still authorized; must not count as use of the session."""

RETRY_MS, DISPLACED_RETRY_MS = 2000, 15_000
"""Delay before a page reconnects: after a disconnection, and after a newer page of the same owner replaced it."""
BATCH_SIZE = 100
_CURSOR = re.compile(r"[\w.:+/=-]{1,200}")


@dataclass(slots=True)
class StreamTiming:
    """Seconds between comments that keep the connection open, and between authorization checks."""

    heartbeat: float = 15.0
    recheck: float = 10.0


async def live(
    request: Request,
    store: StateStore,
    visible_fields: VisibleFields,
    may_continue: MayContinue | None = None,
    timing: StreamTiming | None = None,
    reader: Principal | str = "",
    opened: OpenedRequest | None = None,
) -> Response:
    """Stream `event: request` with `{id, version, ...}` for each change after `Last-Event-ID`, or from now on.

    `reader` is the member of staff, or the id of the request that an applicant follows. With `opened`, also stream
    `event: presence` with `{id, names}` when others open or leave that request.

    Raises: StoreUnavailable; Problem 429 or 503 at the limit of streams or during shutdown.
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
    changes = _ChangeReader(store, visible_fields, may_continue, cursor, timing or StreamTiming(), opened)
    return LiveStream(streams, changes, _stream_owner(request, reader))


async def live_for_staff(
    request: Request, store: StateStore, visible_fields: VisibleFields, reader: Principal, opened_id: str = ""
) -> Response:
    """Stream changes to a member of staff while the session lasts; with `opened_id` also who else has that request open."""
    platform = platform_of(request)

    async def may_continue() -> bool:
        return await platform.identity.is_session_active(reader)

    opened = None
    if opened_id and await visible_fields(opened_id, 0):
        opened = OpenedRequest(platform.presence, opened_id, reader.staff)
    return await live(request, store, visible_fields, may_continue, reader=reader, opened=opened)


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


@dataclass(frozen=True, slots=True)
class OpenedRequest:
    """The request whose page follows this stream; its reader counts as present while the stream lasts."""

    register: PresenceRegister
    request_id: str
    staff: Staff

    async def enter(self) -> list[str]:
        """Record the presence and return the names of the others."""
        return [viewer.name for viewer in await self.register.enter(self.request_id, self.staff)]


OpenedId = Annotated[str, Query(alias="open", max_length=100, description="The request whose page follows the stream")]


class _ChangeReader:
    """The changes that one stream has sent and has yet to send."""

    def __init__(
        self,
        store: StateStore,
        visible_fields: VisibleFields,
        may_continue: MayContinue | None,
        cursor: str,
        timing: StreamTiming,
        opened: OpenedRequest | None = None,
    ) -> None:
        self._opened, self._entered_at = opened, -math.inf
        self._names: list[str] | None = None
        self.store = store
        self.cursor = cursor
        self.timing = timing
        self._visible_fields = visible_fields
        self._may_continue = may_continue
        self._last_checked_at = time.monotonic()

    async def is_still_authorized(self) -> bool:
        if self._may_continue is None or time.monotonic() - self._last_checked_at < self.timing.recheck:
            return True
        self._last_checked_at = time.monotonic()
        return await self._may_continue()

    async def next_events(self) -> tuple[bytes, bool]:
        """Encode the next changes; also return whether there may be more."""
        changes = await self.store.changes(self.cursor, BATCH_SIZE)
        events = [await self._event(change) for change in changes]
        if changes:
            self.cursor = changes[-1].cursor
        return b"".join([*events, await self._presence_event()]), len(changes) == BATCH_SIZE

    async def _presence_event(self) -> bytes:
        """Record that the request is still open here, and encode who else has it open if that has changed."""
        if self._opened is None or time.monotonic() - self._entered_at < self.timing.recheck:
            return b""
        self._entered_at = time.monotonic()
        names = await self._opened.enter()
        if names == self._names:
            return b""
        self._names = names
        data = json.dumps({"id": self._opened.request_id, "names": names}, separators=(",", ":"))
        return format_sse_event(event="presence", data_str=data)

    async def _event(self, change: StateChange) -> bytes:
        fields = await self._visible_fields(change.id, change.version)
        if fields is None:
            return b""
        data = json.dumps({"id": change.id, "version": change.version, **fields}, separators=(",", ":"), default=str)
        return format_sse_event(event="request", id=change.cursor, data_str=data)

    async def wait(self) -> None:
        await self.store.wait_for_change(self.cursor, min(self.timing.heartbeat, self.timing.recheck))


class StreamHeaders(Response):
    """The headers of a stream, without Content-Length; also the whole response to HEAD."""

    def __init__(self) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(headers=headers, media_type="text/event-stream")

    def init_headers(self, headers: Any = None) -> None:
        super().init_headers(headers)
        del self.headers["content-length"]


class LiveStream(StreamHeaders):
    """A stream that ends when the client disconnects, its session ends, the store fails or the process shuts down.

    Starlette's StreamingResponse ends only when the client disconnects or its iterator does, so this class runs its own tasks.
    """

    def __init__(self, streams: StreamRegistry, changes: _ChangeReader, owner: StreamOwner) -> None:
        super().__init__()
        self._streams = streams
        self._changes = changes
        self._stream_owner = owner
        self._started = False

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
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
            logger.error("a live stream failed", exc_info=outcome)
        if not self._started:
            await self._start(send)
        last = format_sse_event(retry=retry_ms) if retry_ms != RETRY_MS else b""
        await send({"type": "http.response.body", "body": last, "more_body": False})

    async def _start(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        self._started = True

    async def _send_events(self, send: Send) -> None:
        changes = self._changes
        await self._start(send)
        await _send_chunk(send, f"retry: {RETRY_MS}\nid: {changes.cursor}\n\n".encode())
        written = time.monotonic()
        while await changes.is_still_authorized():
            next_events, more = await changes.next_events()
            if not next_events and time.monotonic() - written >= changes.timing.heartbeat:
                next_events = format_sse_event(comment="-")
            if next_events:
                await _send_chunk(send, next_events)
                written = time.monotonic()
            if not more:
                await changes.wait()


async def _send_chunk(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
