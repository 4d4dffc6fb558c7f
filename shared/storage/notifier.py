"""A bell that wakes those who wait for news, whichever thread rings it and whichever event loop they wait in."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

News = TypeVar("News")

POLL_INTERVAL_SECONDS = 0.5
"""Seconds after which one who waits looks again: what another process wrote rings no bell here."""


class Notifier:
    """Rung after something new is there; who waits then looks for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiters: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        """Wake everybody who waits; callable from any thread."""
        with self._lock:
            woken, self._waiters = self._waiters, set()
        for waiter in woken:
            # A loop that has been closed has nobody left to wake.
            with contextlib.suppress(RuntimeError):
                waiter.get_loop().call_soon_threadsafe(_wake, waiter)

    async def wait_for(self, look: Callable[[], News], timeout: float = float("inf")) -> News:
        """What `look` finds, once that is true, or whatever it finds after `timeout` seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while True:
            waiter: asyncio.Future[None] = loop.create_future()
            with self._lock:
                self._waiters.add(waiter)
            try:
                # Looking comes after lying down: what is written in between rings the bell.
                found, rest = look(), deadline - loop.time()
                if found or rest <= 0:
                    return found
                await asyncio.wait([waiter], timeout=min(rest, POLL_INTERVAL_SECONDS))
            finally:
                with self._lock:
                    self._waiters.discard(waiter)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
