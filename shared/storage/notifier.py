"""Notify waiting tasks of changes, across threads and event loops."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

POLL_INTERVAL_SECONDS = 0.5
"""Interval of polls, because not every process that writes notifies this one."""


class Notifier:
    """Wakes tasks that wait for a condition after something has changed; `notify_others` reaches other processes."""

    def __init__(self, notify_others: Callable[[], None] = lambda: None) -> None:
        self._lock, self._notify_others = threading.Lock(), notify_others
        self._waiters: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        """Wake all waiting tasks, also those of other workers."""
        self.wake()
        self._notify_others()

    def wake(self) -> None:
        """Wake the waiting tasks of this process; callable from any thread."""
        with self._lock:
            woken, self._waiters = self._waiters, set()
        for waiter in woken:
            # The event loop may have been closed.
            with contextlib.suppress(RuntimeError):
                waiter.get_loop().call_soon_threadsafe(_wake, waiter)

    async def wait_for(self, poll: Callable[[], Result], timeout: float = float("inf")) -> Result:
        """Return the result of `poll` once it is true, or after `timeout` seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while True:
            waiter: asyncio.Future[None] = loop.create_future()
            with self._lock:
                self._waiters.add(waiter)
            try:
                # Polled after the waiter is registered, so that no change in between is missed.
                result, remaining = poll(), deadline - loop.time()
                if result or remaining <= 0:
                    return result
                await asyncio.wait([waiter], timeout=min(remaining, POLL_INTERVAL_SECONDS))
            finally:
                with self._lock:
                    self._waiters.discard(waiter)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
