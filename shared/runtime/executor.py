"""Commands: load, decide, fold, and save the state and its events in one write that expects the version decided on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from shared.backoff import Backoff
from shared.clock import Clock
from shared.observability.tracing import set_attributes, start_span, traceparent
from shared.runtime.decider import Decider, Refusal
from shared.runtime.decider_runner import Cause, DeciderRunner, WorkingCopy
from shared.runtime.metrics import COMMANDS
from shared.runtime.state_cache import StateCache
from shared.runtime.write_conflicts import MAX_ATTEMPTS, TooManyConflicts, conflict_backoff
from shared.storage.port import (
    BoundedCount,
    OutboxEntry,
    ProcessedCommand,
    RecordQuery,
    SaveOutcome,
    Scalar,
    StateRecord,
    StateStore,
    Write,
)

State = TypeVar("State")


class IdempotencyKeyReused(Exception):
    """The key of an earlier command came with another body."""


class UniqueViolation(Exception):
    """Another record holds the value of a unique column."""


@dataclass(frozen=True, slots=True)
class CommandKey:
    """The identity of a command: the same id with the same digest of its content returns the first result again."""

    id: str
    digest: str
    correlation: str = ""
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of a command; `repeated` if it had been executed before."""

    id: str
    number: str
    status: str
    version: int
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Loaded(Generic[State]):
    """A stored state."""

    id: str
    version: int
    state: State


@dataclass(frozen=True, slots=True)
class LoadedPage(Generic[State]):
    """A page of a list; `next` and `previous` are the keys to continue after or before, None at either end."""

    items: tuple[Loaded[State], ...]
    next: tuple[Scalar, str] | None
    previous: tuple[Scalar, str] | None


AfterSave = Callable[[Sequence[Write]], None]


class Executor(Generic[State]):
    """Executes the commands of one service and looks up its requests. `after_save` is called with each durable write."""

    def __init__(
        self,
        runner: DeciderRunner[State],
        store: StateStore,
        cache: StateCache,
        clock: Clock,
        publish: Callable[[Sequence[OutboxEntry]], None],
        after_save: AfterSave = lambda _writes: None,
        backoff: Backoff | None = None,
    ) -> None:
        self.runner, self.store, self.clock = runner, store, clock
        self._cache, self._backoff = cache, backoff or conflict_backoff()
        self._publish, self._after_save = publish, after_save

    @property
    def decider(self) -> Decider[State]:
        return self.runner.decider

    async def execute(self, request_id: str, command: Any, key: CommandKey, *, new: bool = False) -> CommandResult:
        """Execute a command exactly once. With `new`, the request is most likely not stored yet.

        Raises:
            Refusal: The domain refuses the command.
            IdempotencyKeyReused: The key belongs to another command.
            UniqueViolation: Another record holds a unique value.
            StoreUnavailable: The outcome is unknown; the same key may be tried again.
        """
        service, name = self.decider.service, type(command).__name__
        with (
            COMMANDS.labels(service, name).time(),
            start_span(
                f"execute {name}", parent=key.traceparent, expected=Refusal, service=service, subject=request_id
            ) as span,
        ):
            traced_key = replace(key, traceparent=traceparent(span) or key.traceparent)
            try:
                result = await self._execute_with_retries(request_id, command, traced_key, new)
            except Refusal as refusal:
                set_attributes(span, outcome=refusal.code)
                raise
            set_attributes(span, outcome="repeated" if result.repeated else "executed")
            return result

    async def find_result(self, request_id: str, key: CommandKey) -> CommandResult | None:
        """Return the result of a command that was executed before, None if it was not. Raises IdempotencyKeyReused."""
        stored = await self._cache.load([request_id])
        return self._previous_result(self.runner.open(request_id, stored.get(request_id)), key)

    async def _execute_with_retries(self, request_id: str, command: Any, key: CommandKey, new: bool) -> CommandResult:
        cached = self._cache.get_cached(request_id)
        if new or cached is not None:
            working_copy = self.runner.open(request_id, cached)
            if (result := await self._execute_on_cached(working_copy, command, key)) is not None:
                return result
        for attempt in range(MAX_ATTEMPTS):
            await self._backoff.wait(attempt)
            stored = await self._cache.load([request_id])
            working_copy = self.runner.open(request_id, stored.get(request_id))
            if (result := self._previous_result(working_copy, key)) is not None:
                return result
            result, outcome = await self._decide_and_save(working_copy, command, key)
            if outcome is SaveOutcome.SAVED:
                return result
            if outcome is SaveOutcome.UNIQUE_VIOLATION:
                raise UniqueViolation(result.number)
        raise TooManyConflicts

    async def _execute_on_cached(
        self, working_copy: WorkingCopy[State], command: Any, key: CommandKey
    ) -> CommandResult | None:
        """Execute on a possibly stale record; return None unless the save proves that it was the stored one."""
        if (result := self._previous_result(working_copy, key)) is not None:
            return result
        before = working_copy.version
        try:
            result, outcome = await self._decide_and_save(working_copy, command, key)
        except Refusal:
            return None
        return result if outcome is SaveOutcome.SAVED and result.version > before else None

    def _previous_result(self, working_copy: WorkingCopy[State], key: CommandKey) -> CommandResult | None:
        for processed in working_copy.commands:
            if processed.id == key.id:
                if processed.digest != key.digest:
                    raise IdempotencyKeyReused(key.id)
                number = self.decider.number(working_copy.state)
                return CommandResult(working_copy.id, number, processed.status, processed.version, repeated=True)
        return None

    async def _decide_and_save(
        self, working_copy: WorkingCopy[State], command: Any, key: CommandKey
    ) -> tuple[CommandResult, SaveOutcome]:
        cause = Cause(key.id, key.correlation or key.id, key.id, key.traceparent)
        events = self.runner.handle(working_copy, command, self.clock(), cause)
        version = working_copy.version + 1 if events else working_copy.version
        number, status = self.decider.number(working_copy.state), self.decider.status(working_copy.state)
        result = CommandResult(working_copy.id, number, status, version)
        if not events:
            return result, SaveOutcome.SAVED
        self.runner.add_processed_command(working_copy, ProcessedCommand(key.id, key.digest, status, version))
        write = self.runner.close(working_copy)
        [outcome] = await self._cache.save([write])
        if outcome is SaveOutcome.SAVED:
            self._publish(write.outbox)
            self._after_save([write])
        return result, outcome

    async def record(self, request_id: str, command: Any, traceparent: str = "") -> Loaded[State] | None:
        """Save what a command changes beside the events; return the state after it, None if the request is not known.

        Raises:
            StoreUnavailable: The outcome is unknown; a command that changes nothing the second time may be tried again.
        """
        service, name = self.decider.service, type(command).__name__
        with (
            COMMANDS.labels(service, name).time(),
            start_span(f"record {name}", parent=traceparent, service=service, subject=request_id),
        ):
            cached = self._cache.get_cached(request_id)
            if (
                cached is not None
                and (loaded := await self._save_record(cached, command))
                and loaded.version > cached.version
            ):
                return loaded
            for attempt in range(MAX_ATTEMPTS):
                await self._backoff.wait(attempt)
                stored = (await self._cache.load([request_id])).get(request_id)
                if stored is None:
                    return None
                if loaded := await self._save_record(stored, command):
                    return loaded
        raise TooManyConflicts

    async def _save_record(self, stored: StateRecord, command: Any) -> Loaded[State] | None:
        """Return the state after the command, at the same version if nothing changed, or None if the record was not saved."""
        working_copy = self.runner.open(stored.id, stored)
        if not self.runner.record(working_copy, command, self.clock()):
            return self._to_loaded(stored)
        write = self.runner.close(working_copy)
        [outcome] = await self._cache.save([write])
        if outcome is SaveOutcome.UNIQUE_VIOLATION:
            raise UniqueViolation(self.decider.number(working_copy.state))
        if outcome is SaveOutcome.CONFLICT:
            return None
        self._after_save([write])
        return Loaded(stored.id, write.record.version, working_copy.state)

    async def read(self, request_id: str) -> Loaded[State] | None:
        """Read the state of a request, or None if this service does not know it."""
        stored = await self._cache.load([request_id])
        return self._to_loaded(stored[request_id]) if request_id in stored else None

    async def read_many(self, request_ids: Sequence[str]) -> tuple[Loaded[State], ...]:
        """Read the states of those requests that this service knows."""
        stored = await self.store.load(request_ids)
        return tuple(self._to_loaded(record) for record in stored.values())

    async def read_cached(self, request_id: str, version: int = 0) -> Loaded[State] | None:
        """Like `read`, but possibly stale, though not older than `version`.

        For a state on which a command is decided, which the save checks, or on which one was just refused.
        """
        cached = self._cache.get_cached(request_id)
        if cached is not None and cached.version >= version:
            return self._to_loaded(cached)
        return await self.read(request_id)

    async def read_change(self, request_id: str, version: int) -> Loaded[State] | None:
        """Read a state at this version or a later one, from the cache if it has one; version 0 is the stored one."""
        return await (self.read_cached(request_id, version) if version else self.read(request_id))

    async def find_one(self, column: str, value: Scalar) -> Loaded[State] | None:
        """Find the request with this value in a unique column."""
        record = await self._cache.find_one(column, value)
        return self._to_loaded(record) if record is not None else None

    async def find(self, query: RecordQuery) -> LoadedPage[State]:
        """Find a page of requests."""
        page = await self.store.find(query)
        items = tuple(self._to_loaded(record) for record in page.records)
        return LoadedPage(
            items,
            page.keys[-1] if page.keys and page.has_next else None,
            page.keys[0] if page.keys and page.has_previous else None,
        )

    async def find_all(self, query: RecordQuery) -> AsyncIterator[Loaded[State]]:
        """Yield all requests from the start of the query on, reading pages of its limit."""
        while True:
            page = await self.find(query)
            for loaded in page.items:
                yield loaded
            if page.next is None:
                return
            query = replace(query, after=page.next)

    async def count(self, query: RecordQuery) -> int:
        """Count the requests that match a query."""
        return await self.store.count(query)

    async def bounded_count(self, query: RecordQuery, before: tuple[Scalar, str] | None = None) -> BoundedCount:
        """Count like `count`, or only what precedes a key in the list, in time that does not grow with the requests."""
        return await self.store.bounded_count(query, before)

    def _to_loaded(self, record: StateRecord) -> Loaded[State]:
        return Loaded(record.id, record.version, self.runner.state(record))
