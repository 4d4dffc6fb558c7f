"""HTTP as strangers are served it: every wait for them ends, be it for a head, a body, the next request or their reading."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from shared.web.connections import CLOSED, Connections

HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 20.0
BODY_GRACE_SECONDS = 30.0
BODY_BYTES_PER_SECOND = 1024.0
"""Least average of a body, after the grace: a tenth of what the thinnest links of the islands carry."""
STALL_SECONDS = 120.0
"""Seconds in which a reader takes some 48 KiB of an answer, or is given up."""
YOUNG_SECONDS = 2.0
"""Seconds for which a connection is not closed to make room, because nobody can tell yet how fast it is."""
TOO_SLOW = "Kiriman ini terlalu lambat dan dihentikan. Periksa sambungan Anda, lalu kirim kembali."
TOO_MANY = "Terlalu banyak sambungan dari jaringan Anda. Tutup yang tidak dipakai, lalu coba lagi sebentar lagi."


class TimedFlow(FlowControl):
    """Knows for how many seconds we did not read: that is not the sender's slowness."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop):
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


class CarefulHttp(HttpToolsProtocol):
    """uvicorn's protocol with the limits that it lacks."""

    flow: TimedFlow
    _in_head, _in_body, _head_bytes, _body_bytes = False, False, 0, 0
    _began = _paused_before = 0.0
    _deadline: asyncio.TimerHandle | None = None
    """When what is being sent must be there: the head, or enough of the body."""
    _stalled: asyncio.TimerHandle | None = None

    def __init__(self, *args: Any, connections: Connections | None = None, **options: Any):
        super().__init__(*args, **options)
        self._registry = connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = TimedFlow(transport, self.loop)
        address = self.client[0] if self.client else ""
        if self._registry is not None and not self._registry.admit(self, address):
            self._refuse(429, "Too Many Requests", TOO_MANY, retry_after=10)
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._stop_stalling()
        if self._registry is not None:
            self._registry.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head and self._head_bytes > HEAD_BYTES:
            self.send_400_response("Request head too large.")
        elif self._in_body and self._deadline is None:
            self._deadline = self.loop.call_later(BODY_GRACE_SECONDS, self._check_body)
        elif not self._in_body and self._deadline is None and self._has_no_deadline():
            self._expect_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if not self._in_head:
            self._expect_head()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        self._in_head, self._in_body, self._head_bytes, self._body_bytes = False, True, 0, 0
        self._began, self._paused_before = self.loop.time(), self.flow.seconds_paused()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body = False
        self._stop_waiting()
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(STALL_SECONDS, self._give_up, "slow_reader")

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_stalling()

    def usefulness(self) -> float | None:
        """Bytes a second of what is being sent, less than nothing if nothing is."""
        if self._answering() and not self._in_body:
            return None
        if not self._in_body and not self._in_head:
            return -1.0
        age = self._seconds_waited()
        return None if age < YOUNG_SECONDS else (self._body_bytes if self._in_body else self._head_bytes) / age

    def give_way(self) -> None:
        self.transport.abort()

    def _has_no_deadline(self) -> bool:
        """Nothing is under way: a byte that begins no request has stopped uvicorn's own wait for the next one."""
        return not self._answering() and self.timeout_keep_alive_task is None

    def _answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _expect_head(self) -> None:
        self._stop_waiting()
        self._in_head, self._head_bytes = True, 0
        self._began, self._paused_before = self.loop.time(), self.flow.seconds_paused()
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._give_up, "slow_head")

    def _seconds_waited(self) -> float:
        paused: float = self.flow.seconds_paused() - self._paused_before
        return self.loop.time() - self._began - paused

    def _check_body(self) -> None:
        """Close if too little has come; else look again when the least rate would have caught up with what came."""
        self._deadline = None
        if not self._in_body or self.transport.is_closing():
            return
        if self.cycle.waiting_for_100_continue:
            self._began, self._paused_before = self.loop.time(), self.flow.seconds_paused()
        ahead = BODY_GRACE_SECONDS + self._body_bytes / BODY_BYTES_PER_SECOND - self._seconds_waited()
        if ahead > 0:
            self._deadline = self.loop.call_later(max(ahead, 0.05), self._check_body)
        elif self.cycle.response_started:
            self._give_up("slow_body")
        else:
            CLOSED.labels("slow_body").inc()
            self._refuse(408, "Request Timeout", TOO_SLOW)

    def _refuse(self, status: int, title: str, sentence: str, retry_after: int = 0) -> None:
        body = json.dumps({"title": title, "status": status, "detail": sentence}).encode()
        head = [STATUS_LINE[status], b"content-type: application/problem+json\r\n"]
        if retry_after:
            head.append(b"retry-after: %d\r\n" % retry_after)
        head.append(b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body))
        self.transport.write(b"".join([*head, body]))
        self.transport.close()

    def _give_up(self, reason: str) -> None:
        CLOSED.labels(reason).inc()
        self.transport.abort()

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _stop_stalling(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
