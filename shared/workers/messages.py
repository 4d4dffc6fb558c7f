"""Short messages between worker processes, through one pipe per process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Sequence

logger = logging.getLogger(__name__)

MAX_WRITE_BYTES = 512
"""POSIX guarantees that a write of as many bytes to a pipe is not mixed with those of other processes."""
READ_BYTES = 65_536

Listener = Callable[[str], object]


class WorkerMessages:
    """Sends lines of a topic and a text to the other workers, and calls the listeners of what arrives.

    A message is lost if its receiver is not running or has many to read, so a listener must not be the only way to learn
    something. Without pipes, there are no other workers.
    """

    def __init__(self, inbox: int = -1, outboxes: Sequence[int] = ()) -> None:
        self._inbox, self._outboxes = inbox, tuple(outboxes)
        self._listeners: dict[str, Listener] = {}
        self._incomplete = b""
        self._pending: list[bytes] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        for pipe in (inbox, *outboxes) if outboxes else ():
            os.set_blocking(pipe, False)

    def subscribe(self, topic: str, listener: Listener) -> None:
        """Call the listener with the text of each message of this topic, in the event loop."""
        if self._outboxes:
            self._listeners[topic] = listener

    def send(self, topic: str, text: str = "") -> None:
        """Send a message to all other workers, from the event loop and at its next turn, so that messages share a write."""
        if not self._outboxes:
            return
        message = f"{topic}\t{text}\n".encode()
        if len(message) > MAX_WRITE_BYTES:
            raise ValueError(f"a message of {len(message)} bytes is too long")
        if self._loop is not None:
            if not self._pending:
                self._loop.call_soon(self._write)
            self._pending.append(message)

    def start(self) -> None:
        """Send and receive messages in the running event loop."""
        if self._outboxes:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._inbox, self._receive)

    def stop(self) -> None:
        if self._loop is not None:
            self._loop.remove_reader(self._inbox)
            self._loop = None

    def _write(self) -> None:
        """Write what waits, each message once, as several lines at a time."""
        messages, self._pending = list(dict.fromkeys(self._pending)), []
        lines = b""
        for message in messages:
            if len(lines) + len(message) > MAX_WRITE_BYTES:
                self._write_lines(lines)
                lines = b""
            lines += message
        self._write_lines(lines)

    def _write_lines(self, lines: bytes) -> None:
        for pipe in self._outboxes:
            # A full pipe means that its reader has messages to wake it; a closed one, that all workers are ending.
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                os.write(pipe, lines)

    def _receive(self) -> None:
        try:
            received = os.read(self._inbox, READ_BYTES)
        except BlockingIOError:
            return
        *lines, self._incomplete = (self._incomplete + received).split(b"\n")
        # A topic without a text only wakes, so once is enough.
        for line in dict.fromkeys(lines):
            topic, _, text = line.decode(errors="replace").partition("\t")
            if listener := self._listeners.get(topic):
                try:
                    listener(text)
                except Exception:
                    logger.exception("a message of another worker about %s failed", topic)
