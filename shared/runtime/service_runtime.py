"""A service at work: its executor, consumer, relay and timers, started and stopped in order and watched while they run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Generic, TypeVar

from shared.clock import Clock
from shared.eventlog.port import EventLog, LogUnavailable
from shared.observability.logging import service
from shared.runtime.backoff import Backoff
from shared.runtime.column_migration import migrate_columns
from shared.runtime.consumer import Consumer
from shared.runtime.dead_letters import replay_readable_forever
from shared.runtime.decider import Decider
from shared.runtime.decider_runner import DeciderRunner
from shared.runtime.executor import Executor
from shared.runtime.relay import Relay
from shared.runtime.state_cache import StateCache
from shared.runtime.timers import DueHandler, Timers, run_due_commands
from shared.storage.port import StateStore, StoreUnavailable, Write

logger = logging.getLogger(__name__)

State = TypeVar("State")

DRAIN_SECONDS = 5.0
CATCH_UP_SECONDS = 30.0
"""Seconds for which what is due waits at most until the events that came while nothing ran have been folded."""
CATCH_UP_POLL_SECONDS = 0.25
MIGRATION_INTERVAL_SECONDS = 3600.0


class ServiceRuntime(Generic[State]):
    """Everything that moves in one service. Made without I/O; `start` and `stop` are called once each."""

    def __init__(
        self, decider: Decider[State], store: StateStore, log: EventLog, clock: Clock, backoff: Backoff | None = None
    ) -> None:
        self.name = decider.service
        self.store, self.log, self.clock = store, log, clock
        folding, documents = DeciderRunner(decider), StateCache(store)
        self.relay = Relay(self.name, store, log, store.unpublished_of)
        common = folding, store, documents, clock, self.relay.enqueue, self._on_saved
        self.executor = Executor(*common, backoff=backoff)
        self.consumer = Consumer(*common, backoff=backoff)
        self.timers = Timers(store, clock, run_due_commands(self.executor))
        self._tasks: list[asyncio.Task[None]] = []
        self._started_at = 0.0

    def set_due_handler(self, process_due: DueHandler) -> None:
        """Let something else than the decider's own commands happen when a document is due; before `start`."""
        self.timers = Timers(self.store, self.clock, process_due)

    def _on_saved(self, writes: Sequence[Write]) -> None:
        self.timers.on_saved(writes)

    async def prepare(self) -> None:
        """Make what storage needs."""
        await self.store.prepare()
        try:
            await self.log.prepare()
        except LogUnavailable as error:
            logger.warning("%s begins without the log: %s", self.name, error)

    def start(self) -> None:
        """Publish, consume and keep time in the background."""
        self._started_at = asyncio.get_running_loop().time()
        self._tasks = [
            asyncio.create_task(self._supervise("relay", self.relay.run)),
            asyncio.create_task(self._supervise("consumer", self._consume)),
            asyncio.create_task(self._supervise("timers", self._run_timers)),
            asyncio.create_task(self._supervise("columns", self._migrate_columns)),
            asyncio.create_task(self._supervise("replays", partial(replay_readable_forever, self.consumer))),
        ]

    async def _migrate_columns(self) -> None:
        """Again now and then, because a process of an older version may still write beside this one."""
        since: datetime | None = None
        while True:
            started_at = self.clock()
            await migrate_columns(self.executor.folding, self.store, since)
            # Clocks of other machines may be behind by as much as that.
            since = started_at - timedelta(seconds=MIGRATION_INTERVAL_SECONDS)
            await asyncio.sleep(MIGRATION_INTERVAL_SECONDS)

    async def _consume(self) -> None:
        await self.consumer.resume()
        await self.log.consume(self.name, self.consumer.handle)

    async def _run_timers(self) -> None:
        """Look at what is due once the log was caught up with: an event that waits there may have settled it."""
        ends = self._started_at + CATCH_UP_SECONDS
        while await self._has_lag() and asyncio.get_running_loop().time() < ends:  # noqa: ASYNC110 - no log tells of its lag
            await asyncio.sleep(CATCH_UP_POLL_SECONDS)
        await self.timers.run()

    async def _has_lag(self) -> bool:
        try:
            return await self.log.lag(self.name) > 0
        except LogUnavailable:
            return True

    async def _supervise(self, part: str, run: Callable[[], Awaitable[Any]]) -> None:
        """Run a part for ever; if it breaks, say so and start it again, more slowly each time."""
        service.set(self.name)
        pause = 0.2
        while True:
            try:
                await run()
            except (StoreUnavailable, LogUnavailable) as error:
                logger.warning("%s of %s waits: %s", part, self.name, error)
            except Exception:
                logger.exception("%s of %s broke and is started again", part, self.name)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 15.0)

    async def stop(self) -> None:
        """Take no more in, finish what is in hand, publish what waits, and stop."""
        if not self._tasks:
            return
        relay, *others = self._tasks
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self.consumer.stop()
        await self.timers.stop()
        relay.cancel()
        await asyncio.gather(relay, return_exceptions=True)
        await self._drain()

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self.relay.drain()
        except (TimeoutError, LogUnavailable, StoreUnavailable) as error:
            logger.warning("the outbox of %s is left to the next start: %s", self.name, error)


@dataclass(frozen=True, slots=True)
class ServiceApp:
    """A service, wired: what moves in it, the routes it answers, and what must happen before it starts."""

    runtime: ServiceRuntime[Any]
    routers: tuple[Any, ...]
    before_start: Callable[[], Awaitable[None]] | None = None
    waiting: Mapping[str, Callable[[], Awaitable[int]]] = field(default_factory=dict)
    """By the path of a console, how many things there wait for an administrator."""

    @property
    def name(self) -> str:
        return self.runtime.name

    async def start(self) -> None:
        await self.runtime.prepare()
        if self.before_start is not None:
            await self.before_start()
        self.runtime.start()

    async def stop(self) -> None:
        await self.runtime.stop()
