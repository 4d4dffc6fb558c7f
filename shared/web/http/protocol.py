"""uvicorn's HTTP protocol with a time limit for each wait for the client: request head, body, next request, response."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from shared.web.http.connections import CONNECTIONS_CLOSED, ConnectionRegistry

MAX_HEAD_BYTES = 64 * 1024
HEAD_TIMEOUT_SECONDS = 20.0
BODY_GRACE_SECONDS = 30.0
MIN_BODY_BYTES_PER_SECOND = 1024.0
"""Lowest average rate of a body after the grace period: a tenth of the slowest links in the region."""
STALL_TIMEOUT_SECONDS = 120.0
"""How long a client may leave the write buffer (about 48 KiB) full before its connection is closed."""
EVICTION_GRACE_SECONDS = 2.0
"""Age below which a connection is not evicted, because its rate is not known yet."""
TOO_SLOW_DETAIL = "Kiriman ini terlalu lambat dan dihentikan. Periksa sambungan Anda, lalu kirim kembali."
TOO_MANY_DETAIL = "Terlalu banyak sambungan dari jaringan Anda. Tutup yang tidak dipakai, lalu coba lagi sebentar lagi."


class TimedFlowControl(FlowControl):
    """Flow control that measures how long reading was paused, which must not count as the sender's slowness."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(transport)
        self._loop, self._paused, self._since = loop, 0.0, 0.0

    def pause_reading(self) -> None:
        if not self.read_paused:
            self._since = self._loop.time()
        super().pause_reading()

    def resume_reading(self) -> None:
        self._paused, self._since = self.seconds_paused(), 0.0
        super().resume_reading()

    def seconds_paused(self) -> float:
        return self._paused + (self._loop.time() - self._since if self.read_paused else 0.0)


class TimeLimitedHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol with limits to time, size of the head and number of connections."""

    flow: TimedFlowControl
    _in_head, _in_body, _head_bytes, _body_bytes = False, False, 0, 0
    _phase_started_at = _paused_at_phase_start = 0.0
    _deadline: asyncio.TimerHandle | None = None
    """Fires when the head must be complete, or when the rate of the body is checked next."""
    _stall_timer: asyncio.TimerHandle | None = None

    def __init__(self, *args: Any, connections: ConnectionRegistry | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._registry = connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = TimedFlowControl(transport, self.loop)
        address = self.client[0] if self.client else ""
        if self._registry is not None and not self._registry.admit(self, address):
            self._refuse(429, "Too Many Requests", TOO_MANY_DETAIL, retry_after=10)
            return
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_deadline()
        self._cancel_stall_timer()
        if self._registry is not None:
            self._registry.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self.send_400_response("Request head too large.")
        elif self._in_body and self._deadline is None:
            self._deadline = self.loop.call_later(BODY_GRACE_SECONDS, self._check_body)
        elif not self._in_body and self._deadline is None and self._is_idle_without_timer():
            self._start_head_timer()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if not self._in_head:
            self._start_head_timer()

    def on_headers_complete(self) -> None:
        self._cancel_deadline()
        self._in_head, self._in_body, self._head_bytes, self._body_bytes = False, True, 0, 0
        self._phase_started_at, self._paused_at_phase_start = self.loop.time(), self.flow.seconds_paused()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body = False
        self._cancel_deadline()
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stall_timer is None:
            self._stall_timer = self.loop.call_later(STALL_TIMEOUT_SECONDS, self._abort, "slow_reader")

    def resume_writing(self) -> None:
        super().resume_writing()
        self._cancel_stall_timer()

    def eviction_score(self) -> float | None:
        """Bytes per second that the client sends, -1 for an idle connection, None if it must not be evicted."""
        if self._is_responding() and not self._in_body:
            return None
        if not self._in_body and not self._in_head:
            return -1.0
        age = self._seconds_waited()
        return None if age < EVICTION_GRACE_SECONDS else (self._body_bytes if self._in_body else self._head_bytes) / age

    def evict(self) -> None:
        self.transport.abort()

    def _is_idle_without_timer(self) -> bool:
        """Whether no timer is running: a byte that begins no request has cancelled uvicorn's keep-alive timer."""
        return not self._is_responding() and self.timeout_keep_alive_task is None

    def _is_responding(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _start_head_timer(self) -> None:
        self._cancel_deadline()
        self._in_head, self._head_bytes = True, 0
        self._phase_started_at, self._paused_at_phase_start = self.loop.time(), self.flow.seconds_paused()
        self._deadline = self.loop.call_later(HEAD_TIMEOUT_SECONDS, self._abort, "slow_head")

    def _seconds_waited(self) -> float:
        paused: float = self.flow.seconds_paused() - self._paused_at_phase_start
        return self.loop.time() - self._phase_started_at - paused

    def _check_body(self) -> None:
        """Refuse a body that is below the minimum rate; otherwise check again when the minimum rate would have caught up."""
        self._deadline = None
        if not self._in_body or self.transport.is_closing():
            return
        if self.cycle.waiting_for_100_continue:
            self._phase_started_at, self._paused_at_phase_start = self.loop.time(), self.flow.seconds_paused()
        seconds_left = BODY_GRACE_SECONDS + self._body_bytes / MIN_BODY_BYTES_PER_SECOND - self._seconds_waited()
        if seconds_left > 0:
            self._deadline = self.loop.call_later(max(seconds_left, 0.05), self._check_body)
        elif self.cycle.response_started:
            self._abort("slow_body")
        else:
            CONNECTIONS_CLOSED.labels("slow_body").inc()
            self._refuse(408, "Request Timeout", TOO_SLOW_DETAIL)

    def _refuse(self, status: int, title: str, detail: str, retry_after: int = 0) -> None:
        body = json.dumps({"title": title, "status": status, "detail": detail}).encode()
        head = [STATUS_LINE[status], b"content-type: application/problem+json\r\n"]
        if retry_after:
            head.append(b"retry-after: %d\r\n" % retry_after)
        head.append(b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body))
        self.transport.write(b"".join([*head, body]))
        self.transport.close()

    def _abort(self, reason: str) -> None:
        CONNECTIONS_CLOSED.labels(reason).inc()
        self.transport.abort()

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cancel_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None
