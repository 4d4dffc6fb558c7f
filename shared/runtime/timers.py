"""Timers: a sweep finds the documents that are due, and each is attended to, a few at a time."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from shared.clock import Clock
from shared.runtime.decider import Refusal
from shared.runtime.execution import CommandKey, Executor
from shared.storage.port import StateStore, StoreUnavailable, Write

logger = logging.getLogger(__name__)

SWEEP_EVERY = 1.0
ABREAST = 16
MOST_AT_ONCE = 500

Attend = Callable[[str], Awaitable[None]]


class Timers:
    """Calls `attend` with the id of each document whose time has come; never twice at once for the same one."""

    def __init__(self, store: StateStore, clock: Clock, attend: Attend, sweep_every: float = SWEEP_EVERY):
        self._store, self._clock, self._attend, self._sweep_every = store, clock, attend, sweep_every
        self._at_work: set[str] = set()
        self._again: set[str] = set()
        self._sweeping = False
        self._room = asyncio.Semaphore(ABREAST)
        self._tasks: set[asyncio.Task[None]] = set()

    def notice(self, writes: Sequence[Write]) -> None:
        """Look at documents that were just saved and are due already, without waiting for the next sweep.

        Before the first sweep nothing is looked at: an event that waits in the log may have settled it, and the sweep finds it.
        """
        if not self._sweeping:
            return
        now = self._clock()
        for write in writes:
            if write.due_at is not None and write.due_at <= now:
                self._take_up(write.document.id)

    async def run(self) -> None:
        """Sweep until cancelled."""
        self._sweeping = True
        while True:
            try:
                for request_id in await self._store.due(self._clock(), MOST_AT_ONCE):
                    self._take_up(request_id)
            except StoreUnavailable as error:
                logger.warning("store unavailable: %s", error)
            await asyncio.sleep(self._sweep_every)

    def _take_up(self, request_id: str) -> None:
        if request_id in self._at_work:
            self._again.add(request_id)
            return
        self._at_work.add(request_id)
        task = asyncio.create_task(self._see_to(request_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _see_to(self, request_id: str) -> None:
        try:
            async with self._room:
                await self._attend(request_id)
        except (Refusal, StoreUnavailable) as error:
            logger.warning("timer of %s: %s", request_id, error)
        except Exception:
            logger.exception("timer of %s failed", request_id)
        finally:
            self._at_work.discard(request_id)
        if request_id in self._again:
            self._again.discard(request_id)
            self._take_up(request_id)

    async def stop(self) -> None:
        """Finish what is in hand."""
        while self._tasks:
            self._again.clear()
            await asyncio.gather(*self._tasks, return_exceptions=True)


def obey_when_due(executor: Executor[Any]) -> Attend:
    """Attend to a document by giving the commands that its service has for it when it is due.

    After each it is looked at again, so that of several that were overdue only those are given that the ones before left due.
    """

    async def attend(request_id: str) -> None:
        decider, version = executor.folding.decider, 0
        while (kept := await executor.read(request_id)) is not None and kept.version > version:
            due = decider.due_at(kept.state)
            if due is None or due > executor.clock() or not (commands := decider.on_due(kept.state)):
                return
            command, version = commands[0], kept.version
            name = f"{decider.service}:{type(command).__name__}:{due.isoformat()}:{kept.version}"
            key = CommandKey(str(uuid.uuid5(uuid.UUID(request_id), name)), digest="")
            await executor.execute(request_id, command, key)

    return attend
