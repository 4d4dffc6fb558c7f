"""The runtime of a service: its executor, consumer, relay and timers, started and stopped in order and supervised."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from shared.backoff import Backoff
from shared.clock import Clock
from shared.contracts.stages import MovedDue, StageRules
from shared.eventlog.port import EventLog, LogUnavailable
from shared.identity.open_work import StaffWork
from shared.observability.logging import current_service
from shared.runtime.column_migration import complete_search, migrate_columns, refold_outdated
from shared.runtime.consumer import Consumer
from shared.runtime.dead_letters import DeadLetterQueue
from shared.runtime.decider import Decider
from shared.runtime.decider_runner import DeciderRunner
from shared.runtime.event_folding import EventFolder
from shared.runtime.executor import Executor
from shared.runtime.relay import Relay
from shared.runtime.state_cache import StateCache
from shared.runtime.timers import DueHandler, Timers, run_due_commands
from shared.runtime.write_conflicts import conflict_backoff
from shared.storage.port import StateStore, StoreUnavailable, Write
from shared.workers.group import SOLE_WORKER, WorkerGroup
from shared.workers.messages import WorkerMessages

logger = logging.getLogger(__name__)

State = TypeVar("State")

DRAIN_TIMEOUT_SECONDS = 5.0
CATCH_UP_TIMEOUT_SECONDS = 30.0
"""Time that timers wait at most until the events that arrived while nothing ran have been folded."""
CATCH_UP_POLL_SECONDS = 0.25
MIGRATION_INTERVAL_SECONDS = 3600.0
RESTART_BACKOFF = Backoff(0.2, 15.0)
STABLE_SECONDS = 60.0
"""After so long a run, a failure counts as the first one."""


async def supervise(service: str, part: str, run: Callable[[], Awaitable[Any]]) -> None:
    """Run a part of a service forever; if it fails, log the error and start it again after a growing delay."""
    current_service.set(service)
    loop, failures = asyncio.get_running_loop(), 0
    while True:
        await RESTART_BACKOFF.wait(failures)
        started_at = loop.time()
        try:
            await run()
        except (StoreUnavailable, LogUnavailable) as error:
            logger.warning("%s of %s waits: %s", part, service, error)
        except Exception:
            logger.exception("%s of %s failed and is restarted", part, service)
        failures = 1 if loop.time() - started_at >= STABLE_SECONDS else failures + 1


class ServiceRuntime(Generic[State]):
    """The moving parts of one service. Constructed without I/O; `start` and `stop` are called once each."""

    def __init__(
        self, decider: Decider[State], store: StateStore, log: EventLog, clock: Clock, backoff: Backoff | None = None
    ) -> None:
        self.name, self._subscribes_to = decider.service, decider.subscribes_to
        self.store, self.log, self.clock = store, log, clock
        runner, backoff = DeciderRunner(decider), backoff or conflict_backoff()
        cache = self.cache = StateCache(store)
        self.relay = Relay(self.name, store, log)
        publish = self.relay.enqueue
        self.executor = Executor(runner, store, cache, clock, publish, self._after_save, backoff)
        self.event_folder = EventFolder(runner, cache, clock, publish, self._after_save)
        self.dead_letters = DeadLetterQueue(self.event_folder, store, clock, backoff)
        self.consumer = Consumer(self.event_folder, self.dead_letters, backoff)
        self.timers = Timers(store, clock, run_due_commands(self.executor))
        self._background: dict[str, Callable[[], Awaitable[Any]]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._started_at = 0.0

    def set_due_handler(self, process_due: DueHandler) -> None:
        """Replace the decider's own commands as the handler of due requests; before `start`."""
        self.timers = Timers(self.store, self.clock, process_due)

    def add_background(self, part: str, run: Callable[[], Awaitable[Any]]) -> None:
        """Add a part that runs from `start` to `stop`, and is started again if it fails; before `start`."""
        self._background[part] = run

    def _after_save(self, writes: Sequence[Write]) -> None:
        self.timers.on_saved(writes)

    async def prepare(self) -> None:
        """Create what the store and the log need."""
        await self.store.prepare()
        try:
            await self.log.prepare()
        except LogUnavailable as error:
            logger.warning("%s starts without the log: %s", self.name, error)

    def start(self) -> None:
        """Publish, consume and run timers in the background."""
        self._started_at = asyncio.get_running_loop().time()
        self._tasks = [
            asyncio.create_task(supervise(self.name, "relay", self.relay.run)),
            asyncio.create_task(supervise(self.name, "consumer", self._consume)),
            asyncio.create_task(supervise(self.name, "timers", self._run_timers)),
            asyncio.create_task(supervise(self.name, "columns", self._migrate_columns)),
            asyncio.create_task(supervise(self.name, "replays", self.dead_letters.replay_readable_forever)),
            *(asyncio.create_task(supervise(self.name, part, run)) for part, run in self._background.items()),
        ]

    def share(self, messages: WorkerMessages) -> None:
        """Execute commands in several processes, which exchange messages; before `start`."""
        self.cache.share(self.name, messages)
        self.relay.share(messages)

    def start_beside_another(self) -> None:
        """Only publish what is saved here; another process of the service on the same folder does everything else."""
        self._tasks = [asyncio.create_task(supervise(self.name, "relay", self.relay.run_beside_another))]

    async def _migrate_columns(self) -> None:
        """Migrate now and then, because a process of an older version may still write."""
        since: datetime | None = None
        while True:
            started_at = self.clock()
            await complete_search(self.store, self.name)
            await refold_outdated(self.executor.runner, self.store, self.log, since)
            await migrate_columns(self.executor.runner, self.store, since)
            # The clocks of other machines may be behind by as much.
            since = started_at - timedelta(seconds=MIGRATION_INTERVAL_SECONDS)
            await asyncio.sleep(MIGRATION_INTERVAL_SECONDS)

    async def _consume(self) -> None:
        await self.dead_letters.replay_parked()
        await self.log.consume(self.name, self.consumer.handle, events=self._subscribes_to)

    async def _run_timers(self) -> None:
        """Run timers once the consumer has caught up: an event that waits in the log may make one obsolete."""
        deadline = self._started_at + CATCH_UP_TIMEOUT_SECONDS
        while await self._has_lag() and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - a log does not report its lag
            await asyncio.sleep(CATCH_UP_POLL_SECONDS)
        await self.timers.run()

    async def _has_lag(self) -> bool:
        try:
            return await self.log.lag(self.name) > 0
        except LogUnavailable:
            return True

    async def stop(self) -> None:
        """Stop consuming, finish what is in progress, and publish what waits."""
        if not self._tasks:
            return
        relay, *others = self._tasks
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self.dead_letters.stop()
        await self.timers.stop()
        relay.cancel()
        await asyncio.gather(relay, return_exceptions=True)
        await self._drain()

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(DRAIN_TIMEOUT_SECONDS):
                await self.relay.drain()
        except (TimeoutError, LogUnavailable, StoreUnavailable) as error:
            logger.warning("the outbox of %s is left for the next start: %s", self.name, error)


MovedDues = Callable[[StageRules, StageRules], Awaitable[Sequence[MovedDue]]]


@dataclass(frozen=True, slots=True)
class ServiceApp:
    """A service with its routes, and what must happen before it starts."""

    runtime: ServiceRuntime[Any]
    routers: tuple[Any, ...]
    before_start: Callable[[], Awaitable[None]] | None = None
    waiting: Mapping[str, Callable[[], Awaitable[int]]] = field(default_factory=dict)
    """By the path of an administration page, a function that counts the entries that need attention."""
    staff_work: StaffWork | None = None
    """The open work of staff that a successor takes over; usable without starting the service."""
    moved_dues: MovedDues | None = None
    """Finds the open requests whose due day moves from the first rules to the second; usable without starting the service."""

    @property
    def name(self) -> str:
        return self.runtime.name

    async def start(self, workers: WorkerGroup = SOLE_WORKER, part: int = 0) -> None:
        """Start the service; of several workers, one runs its background work, which has the number `part`."""
        await self.runtime.prepare()
        if workers.size > 1:
            self.runtime.share(workers.messages)
        if not workers.runs(part):
            self.runtime.start_beside_another()
            return
        if self.before_start is not None:
            await self.before_start()
        self.runtime.start()

    async def stop(self) -> None:
        await self.runtime.stop()
