"""Commands: load, decide, fold, and save state and events in one write that expects the version it was decided on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from shared.clock import Clock
from shared.observability.tracing import span
from shared.runtime.backoff import MAX_ATTEMPTS, Backoff, TooManyConflicts
from shared.runtime.decider import Refusal
from shared.runtime.decider_runner import Cause, DeciderRunner, WorkingCopy
from shared.runtime.metrics import COMMANDS
from shared.runtime.state_cache import StateCache
from shared.storage.port import (
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
    """Another document holds the value of a unique column."""


@dataclass(frozen=True, slots=True)
class CommandKey:
    """What a command is known by: the same id with the same digest of what it asks for gets the first answer again."""

    id: str
    digest: str
    correlation: str = ""
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What every command is answered; `repeated` if it had been obeyed before."""

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
    """A page of a list; `next` is the key to go on after, `previous` the one to go back before, None at either end."""

    items: tuple[Loaded[State], ...]
    next: tuple[Scalar, str] | None
    previous: tuple[Scalar, str] | None


AfterSave = Callable[[Sequence[Write]], None]


class Executor(Generic[State]):
    """One service's commands and look-ups. `after_save` is told of each write that is durable, at once."""

    def __init__(
        self,
        folding: DeciderRunner[State],
        store: StateStore,
        documents: StateCache,
        clock: Clock,
        publish: Callable[[Sequence[OutboxEntry]], None],
        after_save: AfterSave = lambda writes: None,
        backoff: Backoff | None = None,
    ) -> None:
        self.folding, self.store, self.clock = folding, store, clock
        self._cache, self._backoff = documents, backoff or Backoff()
        self._publish, self._after_save = publish, after_save

    async def execute(self, request_id: str, command: Any, key: CommandKey, *, new: bool = False) -> CommandResult:
        """Obey the command once, whatever races it meets. With `new` the request is hardly ever stored yet.

        Raises Refusal, KeyReused, Taken, StoreUnavailable (then the outcome is not known, and the same key may be tried again).
        """
        service, name = self.folding.decider.service, type(command).__name__
        with (
            COMMANDS.labels(service, name).time(),
            span(f"obey {name}", parent=key.traceparent, service=service, subject=request_id) as traced,
        ):
            try:
                result = await self._execute(request_id, command, _with_traceparent(key, traced.traceparent), new)
            except Refusal as refusal:
                traced.note(outcome=refusal.code)
                raise
            traced.note(outcome="repeated" if result.repeated else "obeyed")
            return result

    async def _execute(self, request_id: str, command: Any, key: CommandKey, new: bool) -> CommandResult:
        recent = self._cache.recent(request_id)
        if new or recent is not None:
            working_copy = self.folding.open(request_id, recent)
            if (result := await self._execute_on_cached(working_copy, command, key)) is not None:
                return result
        for number in range(MAX_ATTEMPTS):
            await self._backoff.before(number)
            working_copy = await self._load_working_copy(request_id)
            if (result := self._previous_result(working_copy, key)) is not None:
                return result
            result, saved = await self._decide_and_save(working_copy, command, key)
            if saved is SaveOutcome.SAVED:
                return result
            if saved is SaveOutcome.UNIQUE_VIOLATION:
                raise UniqueViolation(result.number)
        raise TooManyConflicts

    async def _execute_on_cached(
        self, working_copy: WorkingCopy[State], command: Any, key: CommandKey
    ) -> CommandResult | None:
        """The answer if the command follows from a draft that need not be what is stored, and proves to be; else it is not
        known yet.
        """
        if (result := self._previous_result(working_copy, key)) is not None:
            return result
        before = working_copy.version
        try:
            result, saved = await self._decide_and_save(working_copy, command, key)
        except Refusal:
            return None
        return result if saved is SaveOutcome.SAVED and result.version > before else None

    async def _load_working_copy(self, request_id: str) -> WorkingCopy[State]:
        stored = await self._cache.load([request_id])
        return self.folding.open(request_id, stored.get(request_id))

    def _previous_result(self, working_copy: WorkingCopy[State], key: CommandKey) -> CommandResult | None:
        for processed in working_copy.commands:
            if processed.id == key.id:
                if processed.digest != key.digest:
                    raise IdempotencyKeyReused(key.id)
                number = self.folding.decider.number(working_copy.state)
                return CommandResult(working_copy.id, number, processed.status, processed.version, repeated=True)
        return None

    async def _decide_and_save(
        self, working_copy: WorkingCopy[State], command: Any, key: CommandKey
    ) -> tuple[CommandResult, SaveOutcome]:
        decider = self.folding.decider
        cause = Cause(key.id, key.correlation or key.id, key.id, key.traceparent)
        events = self.folding.handle(working_copy, command, self.clock(), cause)
        if not events:
            return CommandResult(
                working_copy.id,
                decider.number(working_copy.state),
                decider.status(working_copy.state),
                working_copy.version,
            ), SaveOutcome.SAVED
        result = CommandResult(
            working_copy.id,
            decider.number(working_copy.state),
            decider.status(working_copy.state),
            working_copy.version + 1,
        )
        self.folding.add_processed_command(
            working_copy, ProcessedCommand(key.id, key.digest, result.status, result.version)
        )
        write = self.folding.close(working_copy)
        [saved] = await self._cache.save([write])
        if saved is SaveOutcome.SAVED:
            self._publish(write.outbox)
            self._after_save([write])
        return result, saved

    async def read(self, request_id: str) -> Loaded[State] | None:
        """The state of a request, None if this service does not know it."""
        stored = await self._cache.load([request_id])
        return self._to_loaded(stored[request_id]) if request_id in stored else None

    async def read_many(self, request_ids: Sequence[str]) -> tuple[Loaded[State], ...]:
        """The states of those requests that this service knows, as they are stored now."""
        stored = await self.store.load(request_ids)
        return tuple(self._to_loaded(document) for document in stored.values())

    async def read_cached(self, request_id: str, version: int = 0) -> Loaded[State] | None:
        """As `read`, but perhaps as it was a moment ago, not before `version`: for what ends in a command, which is decided on
        what is stored, and for what one was refused on, which was read for that.
        """
        recent = self._cache.recent(request_id)
        return (
            self._to_loaded(recent) if recent is not None and recent.version >= version else await self.read(request_id)
        )

    async def find_one(self, column: str, value: Scalar) -> Loaded[State] | None:
        document = await self._cache.find_one(column, value)
        return self._to_loaded(document) if document is not None else None

    async def find(self, find: RecordQuery) -> LoadedPage[State]:
        found = await self.store.find(find)
        items = tuple(self._to_loaded(document) for document in found.documents)
        return LoadedPage(
            items,
            found.keys[-1] if found.keys and found.has_next else None,
            found.keys[0] if found.keys and found.has_previous else None,
        )

    async def count(self, find: RecordQuery) -> int:
        return await self.store.count(find)

    def _to_loaded(self, document: StateRecord) -> Loaded[State]:
        return Loaded(document.id, document.version, self.folding.state(document))


def _with_traceparent(key: CommandKey, traceparent: str) -> CommandKey:
    """The same key: what follows from the command belongs to this span, if there is one."""
    return replace(key, traceparent=traceparent) if traceparent else key
