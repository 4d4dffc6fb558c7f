"""Commands: load, decide, fold, and save state and events in one write that expects the version it was decided on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from shared.clock import Clock
from shared.runtime.backoff import MAX_TRIES, Backoff, LostRaces
from shared.runtime.decider import Refusal
from shared.runtime.documents import Documents
from shared.runtime.folding import Cause, Draft, Folding
from shared.runtime.measures import COMMANDS
from shared.storage.port import (
    CommandMemory,
    Document,
    Find,
    OutboxEntry,
    Saved,
    Scalar,
    StateStore,
    Write,
)
from shared.tracing import span

State = TypeVar("State")


class KeyReused(Exception):
    """The key of an earlier command came with another body."""


class Taken(Exception):
    """Another document holds the value of a unique column."""


@dataclass(frozen=True, slots=True)
class CommandKey:
    """What a command is known by: the same id with the same digest of what it asks for gets the first answer again."""

    id: str
    digest: str
    correlation: str = ""
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What every command is answered; `repeated` if it had been obeyed before."""

    id: str
    number: str
    status: str
    version: int
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Kept(Generic[State]):
    """A stored state."""

    id: str
    version: int
    state: State


@dataclass(frozen=True, slots=True)
class KeptPage(Generic[State]):
    """A page of a list; `next` is the key to go on after, `previous` the one to go back before, None at either end."""

    items: tuple[Kept[State], ...]
    next: tuple[Scalar, str] | None
    previous: tuple[Scalar, str] | None


AfterSave = Callable[[Sequence[Write]], None]


class Executor(Generic[State]):
    """One service's commands and look-ups. `after_save` is told of each write that is durable, at once."""

    def __init__(
        self,
        folding: Folding[State],
        store: StateStore,
        documents: Documents,
        clock: Clock,
        publish: Callable[[Sequence[OutboxEntry]], None],
        after_save: AfterSave = lambda writes: None,
        backoff: Backoff | None = None,
    ):
        self.folding, self.store, self.clock = folding, store, clock
        self._documents, self._backoff = documents, backoff or Backoff()
        self._publish, self._after_save = publish, after_save

    async def execute(self, request_id: str, command: Any, key: CommandKey, *, new: bool = False) -> Answer:
        """Obey the command once, whatever races it meets. With `new` the request is hardly ever stored yet.

        Raises Refusal, KeyReused, Taken, StoreUnavailable (then the outcome is not known, and the same key may be tried again).
        """
        service, name = self.folding.decider.service, type(command).__name__
        with (
            COMMANDS.labels(service, name).time(),
            span(f"obey {name}", parent=key.traceparent, service=service, subject=request_id) as traced,
        ):
            try:
                answer = await self._execute(request_id, command, _within(key, traced.traceparent), new)
            except Refusal as refusal:
                traced.note(outcome=refusal.code)
                raise
            traced.note(outcome="repeated" if answer.repeated else "obeyed")
            return answer

    async def _execute(self, request_id: str, command: Any, key: CommandKey, new: bool) -> Answer:
        recent = self._documents.recent(request_id)
        if new or recent is not None:
            draft = self.folding.open(request_id, recent)
            if (answer := await self._obey_unasked(draft, command, key)) is not None:
                return answer
        for number in range(MAX_TRIES):
            await self._backoff.before(number)
            draft = await self._open(request_id)
            if (answer := self._remembered(draft, key)) is not None:
                return answer
            answer, saved = await self._obey(draft, command, key)
            if saved is Saved.SAVED:
                return answer
            if saved is Saved.TAKEN:
                raise Taken(answer.number)
        raise LostRaces

    async def _obey_unasked(self, draft: Draft[State], command: Any, key: CommandKey) -> Answer | None:
        """The answer if the command follows from a draft that need not be what is stored, and proves to be; else it is not
        known yet."""
        if (answer := self._remembered(draft, key)) is not None:
            return answer
        before = draft.version
        try:
            answer, saved = await self._obey(draft, command, key)
        except Refusal:
            return None
        return answer if saved is Saved.SAVED and answer.version > before else None

    async def _open(self, request_id: str) -> Draft[State]:
        stored = await self._documents.load([request_id])
        return self.folding.open(request_id, stored.get(request_id))

    def _remembered(self, draft: Draft[State], key: CommandKey) -> Answer | None:
        for memory in draft.commands:
            if memory.id == key.id:
                if memory.digest != key.digest:
                    raise KeyReused(key.id)
                number = self.folding.decider.number(draft.state)
                return Answer(draft.id, number, memory.status, memory.version, repeated=True)
        return None

    async def _obey(self, draft: Draft[State], command: Any, key: CommandKey) -> tuple[Answer, Saved]:
        decider = self.folding.decider
        cause = Cause(key.id, key.correlation or key.id, key.id, key.traceparent)
        events = self.folding.obey(draft, command, self.clock(), cause)
        if not events:
            return Answer(
                draft.id, decider.number(draft.state), decider.status(draft.state), draft.version
            ), Saved.SAVED
        answer = Answer(draft.id, decider.number(draft.state), decider.status(draft.state), draft.version + 1)
        self.folding.remember(draft, CommandMemory(key.id, key.digest, answer.status, answer.version))
        write = self.folding.close(draft)
        [saved] = await self._documents.save([write])
        if saved is Saved.SAVED:
            self._publish(write.outbox)
            self._after_save([write])
        return answer, saved

    async def read(self, request_id: str) -> Kept[State] | None:
        """The state of a request, None if this service does not know it."""
        stored = await self._documents.load([request_id])
        return self._kept(stored[request_id]) if request_id in stored else None

    async def read_many(self, request_ids: Sequence[str]) -> tuple[Kept[State], ...]:
        """The states of those requests that this service knows, as they are stored now."""
        stored = await self.store.load(request_ids)
        return tuple(self._kept(document) for document in stored.values())

    async def recall(self, request_id: str, version: int = 0) -> Kept[State] | None:
        """As `read`, but perhaps as it was a moment ago, not before `version`: for what ends in a command, which is decided on
        what is stored, and for what one was refused on, which was read for that."""
        recent = self._documents.recent(request_id)
        return self._kept(recent) if recent is not None and recent.version >= version else await self.read(request_id)

    async def find_one(self, column: str, value: Scalar) -> Kept[State] | None:
        document = await self._documents.find_one(column, value)
        return self._kept(document) if document is not None else None

    async def find(self, find: Find) -> KeptPage[State]:
        found = await self.store.find(find)
        items = tuple(self._kept(document) for document in found.documents)
        return KeptPage(
            items,
            found.keys[-1] if found.keys and found.has_next else None,
            found.keys[0] if found.keys and found.has_previous else None,
        )

    async def count(self, find: Find) -> int:
        return await self.store.count(find)

    def _kept(self, document: Document) -> Kept[State]:
        return Kept(document.id, document.version, self.folding.state(document))


def _within(key: CommandKey, traceparent: str) -> CommandKey:
    """The same key: what follows from the command belongs to this span, if there is one."""
    return replace(key, traceparent=traceparent) if traceparent else key
