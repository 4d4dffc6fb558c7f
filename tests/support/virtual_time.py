"""An event loop with virtual time, which advances only when nothing is ready to run."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class Deadlock(Exception):
    """No task can ever run again."""


class _Selector:
    """A selector without files that advances the loop's time instead of sleeping."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Deadlock
        self._loop.passed += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0
        self._selector = _Selector(self)

    def time(self) -> float:
        return self.passed

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


def run_virtually(main: Coroutine[Any, Any, Result]) -> Result:
    """Run `main` to its end, and cancel the remaining tasks."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        _end(loop)


def _end(loop: VirtualLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=60))
    loop.close()
