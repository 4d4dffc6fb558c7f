"""Timers: a sweep finds the records that are due, and each is processed, a few at a time."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from shared.clock import Clock
from shared.runtime.decider import Refusal
from shared.runtime.executor import CommandKey, Executor
from shared.storage.port import StateStore, StoreUnavailable, Write

logger = logging.getLogger(__name__)

SWEEP_INTERVAL_SECONDS = 1.0
MAX_CONCURRENCY = 16
MAX_DUE_PER_SWEEP = 500

DueHandler = Callable[[str], Awaitable[None]]


class Timers:
    """Call `process_due` with the id of each request that is due, never twice at once for the same one."""

    def __init__(
        self,
        store: StateStore,
        clock: Clock,
        process_due: DueHandler,
        sweep_interval: float = SWEEP_INTERVAL_SECONDS,
    ) -> None:
        self._store = store
        self._clock = clock
        self._process_due = process_due
        self._sweep_interval = sweep_interval
        self._in_progress: set[str] = set()
        self._rerun: set[str] = set()
        self._sweeping = False
        self._semaphore = asyncio.Semaphore(MAX_CONCURRENCY)
        self._tasks: set[asyncio.Task[None]] = set()

    def on_saved(self, writes: Sequence[Write]) -> None:
        """Process records that were just saved and are due already, without waiting for the next sweep.

        Not before the first sweep: an event that waits in the log may have made the timer obsolete.
        """
        if not self._sweeping:
            return
        now = self._clock()
        for write in writes:
            if write.due_at is not None and write.due_at <= now:
                self._schedule(write.record.id)

    async def run(self) -> None:
        """Sweep until cancelled."""
        self._sweeping = True
        while True:
            try:
                for request_id in await self._store.due(self._clock(), MAX_DUE_PER_SWEEP):
                    self._schedule(request_id)
            except StoreUnavailable as error:
                logger.warning("store unavailable: %s", error)
            await asyncio.sleep(self._sweep_interval)

    def _schedule(self, request_id: str) -> None:
        if request_id in self._in_progress:
            self._rerun.add(request_id)
            return
        self._in_progress.add(request_id)
        task = asyncio.create_task(self._process(request_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _process(self, request_id: str) -> None:
        try:
            async with self._semaphore:
                await self._process_due(request_id)
        except (Refusal, StoreUnavailable) as error:
            logger.warning("timer of %s: %s", request_id, error)
        except Exception:
            logger.exception("timer of %s failed", request_id)
        finally:
            self._in_progress.discard(request_id)
        if request_id in self._rerun:
            self._rerun.discard(request_id)
            self._schedule(request_id)

    async def stop(self) -> None:
        """Wait for what is in progress."""
        while self._tasks:
            self._rerun.clear()
            await asyncio.gather(*self._tasks, return_exceptions=True)


def run_due_commands(executor: Executor[Any]) -> DueHandler:
    """Return a handler that executes the commands which a decider has for a due request.

    The state is read again after each command: of several overdue commands, only those still due are executed.
    """

    async def process_due(request_id: str) -> None:
        decider, version = executor.decider, 0
        while (loaded := await executor.read(request_id)) is not None and loaded.version > version:
            due = decider.due_at(loaded.state)
            if due is None or due > executor.clock() or not (commands := decider.on_due(loaded.state)):
                return
            command, version = commands[0], loaded.version
            name = f"{decider.service}:{type(command).__name__}:{due.isoformat()}:{loaded.version}"
            key = CommandKey(str(uuid.uuid5(uuid.UUID(request_id), name)), digest="")
            await executor.execute(request_id, command, key)

    return process_due
