"""The runtime with one rule broken, each as somebody might break it; the simulation must notice every one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from services.notification.domain import CLAIM, EndSending
from shared.contracts.envelope import Event
from shared.contracts.facts import Fact
from shared.contracts.notification import ReminderFellDue, RemindersDropped, SendingStarted
from shared.eventlog.port import LogUnavailable
from shared.runtime.consumption import Consumer
from shared.runtime.documents import Documents
from shared.runtime.execution import Answer, CommandKey, Executor
from shared.runtime.folding import Cause, Draft, Folding
from shared.runtime.relay import Numbered, Relay
from shared.runtime.service import ServiceRuntime
from shared.storage.port import CommandMemory, Document, OutboxEntry, Saved, StateStore, Write
from tests.faults.memory import MemoryLog

Runtime = ServiceRuntime[Any]


class PublishesFirst(Executor[Any]):
    async def _obey(self, draft: Draft[Any], command: Any, key: Any) -> tuple[Answer, Saved]:
        trial = replace(draft, seen=dict(draft.seen), fresh=[])
        cause = Cause(key.id, key.correlation or key.id, key.id, key.traceparent)
        if self.folding.obey(trial, command, self.clock(), cause):
            self._publish(self.folding.close(trial).outbox)
        return await super()._obey(draft, command, key)


def publishes_before_the_save(runtime: Runtime) -> None:
    runtime.executor.__class__ = PublishesFirst


def commits_the_position_before_the_write(runtime: Runtime) -> None:
    cast(MemoryLog, runtime.log).commits_first = True


class Gateless(Folding[Any]):
    def fold(self, draft: Draft[Any], event: Event) -> bool:
        self._take(draft, event)
        return True


def has_no_sequence_gate(runtime: Runtime) -> None:
    runtime.consumer.folding.__class__ = Gateless


class Forgetful(Folding[Any]):
    def remember(self, draft: Draft[Any], memory: CommandMemory) -> None:
        pass


def forgets_commands(runtime: Runtime) -> None:
    runtime.executor.folding.__class__ = Forgetful


class Shuffled(Relay):
    def _next_wave(self) -> list[Numbered]:
        for waiting in self._waiting.values():
            waiting.reverse()
        return super()._next_wave()


def publishes_out_of_order(runtime: Runtime) -> None:
    runtime.relay.__class__ = Shuffled


class Trusting(Relay):
    def hand_over(self, entries: Sequence[OutboxEntry]) -> None:
        for entry in entries:
            self._take(entry)


def overtakes_what_a_crash_left(runtime: Runtime) -> None:
    runtime.relay.__class__ = Trusting
    runtime.executor._publish = runtime.consumer._publish = runtime.relay.hand_over


class Sweepless(Relay):
    async def _look(self, wanted: Callable[[OutboxEntry], bool]) -> None:
        pass

    async def _settle_doubts(self) -> None:
        self._doubted.clear()


def never_sweeps_the_outbox(runtime: Runtime) -> None:
    runtime.relay.__class__ = Sweepless


class SkipsHeldBack(Relay):
    async def _append(self, wave: Sequence[Numbered]) -> None:
        try:
            await super()._append(wave)
        except LogUnavailable:
            for numbered in wave:
                if numbered in self._waiting.get(numbered[2].subject, ()):
                    self._note(numbered)
            raise


def gives_up_what_the_log_did_not_take(runtime: Runtime) -> None:
    runtime.relay.__class__ = SkipsHeldBack


class DoesNotWait(Relay):
    def _next_wave(self) -> list[Numbered]:
        """What is held back is passed by its successors."""
        wave = super()._next_wave()
        late = [waiting[1] for subject, waiting in self._waiting.items() if subject in self._held and len(waiting) > 1]
        return wave or late


def lets_an_event_overtake_one_that_is_held_back(runtime: Runtime) -> None:
    runtime.relay.__class__ = DoesNotWait


class ForgetsEarly(Relay):
    async def _append(self, wave: Sequence[Numbered]) -> None:
        await self._store.published([event_id for _, event_id, _ in wave])
        await super()._append(wave)


def forgets_before_it_publishes(runtime: Runtime) -> None:
    runtime.relay.__class__ = ForgetsEarly


class LastWriterWins:
    """A store that is given whatever version it has."""

    def __init__(self, store: Any):
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def save(self, writes: Sequence[Write]) -> list[Saved]:
        documents = self._store.disk.documents
        lifted = []
        for write in writes:
            stored = documents.get(write.document.id)
            version = (stored.version if stored else 0) + 1
            lifted.append(replace(write, document=replace(write.document, version=version)))
        return cast(list[Saved], await self._store.save(lifted))


def ignores_versions(runtime: Runtime) -> None:
    runtime.executor._documents = Documents(cast(StateStore, LastWriterWins(runtime.store)))


class GoesBack(Documents):
    def _meet(self, document: Document) -> None:
        self._met[document.id] = asyncio.get_running_loop().time(), document


def lets_a_slow_read_replace_a_newer_save(runtime: Runtime) -> None:
    runtime.executor._documents.__class__ = GoesBack


class LosesTheOutbox(Consumer[Any]):
    async def _save(self, writes: Sequence[Write]) -> dict[str, Saved]:
        return await super()._save([replace(write, outbox=()) for write in writes])


def saves_reactions_without_their_events(runtime: Runtime) -> None:
    runtime.consumer.__class__ = LosesTheOutbox


class ByTheClock(Folding[Any]):
    def obey(self, draft: Draft[Any], command: Any, now: datetime, cause: Cause) -> list[Event]:
        draft.latest = None
        return super().obey(draft, command, now, cause)


def dates_by_the_clock_alone(runtime: Runtime) -> None:
    runtime.executor.folding.__class__ = ByTheClock


class GivesUpRaces(Consumer[Any]):
    async def _save(self, writes: Sequence[Write]) -> dict[str, Saved]:
        await super()._save(writes)
        return {}


def gives_up_a_lost_race(runtime: Runtime) -> None:
    runtime.consumer.__class__ = GivesUpRaces


class Neglectful(Consumer[Any]):
    async def resume(self) -> None:
        pass


def leaves_dead_letters_to_people(runtime: Runtime) -> None:
    runtime.consumer.__class__ = Neglectful


def skips_what_a_newer_version_wrote(runtime: Runtime) -> None:
    runtime.consumer.incoming.types = frozenset()


class LosesOutcomes(Executor[Any]):
    async def execute(self, request_id: str, command: Any, key: CommandKey, *, new: bool = False) -> Answer:
        if isinstance(command, EndSending) and command.outcomes[0].status == "sent" and key.id < "4":
            return Answer(request_id, "", "", 0)
        return await super().execute(request_id, command, key, new=new)


def forgets_now_and_then_what_was_sent(runtime: Runtime) -> None:
    runtime.executor.__class__ = LosesOutcomes


class RemindsWhenever(Folding[Any]):
    def obey(self, draft: Draft[Any], command: Any, now: datetime, cause: Cause) -> list[Event]:
        facts = self.decider.decide(draft.state, command, now)
        late = [fact for fact in facts if isinstance(fact, RemindersDropped)]
        if not late:
            return super().obey(draft, command, now, cause)
        kept: list[Fact] = [ReminderFellDue(reminder=one) for one in late[0].reminders]
        kept = kept or [SendingStarted(messages=late[0].messages, until=now + CLAIM)]
        stubborn = replace(self.decider, decide=lambda state, command, now: kept)
        return Folding(stubborn).obey(draft, command, now, cause)


def reminds_after_time_has_decided(runtime: Runtime) -> None:
    runtime.executor.folding.__class__ = RemindsWhenever


MUTANTS: tuple[Callable[[Runtime], None], ...] = (
    publishes_before_the_save,
    commits_the_position_before_the_write,
    has_no_sequence_gate,
    forgets_commands,
    publishes_out_of_order,
    overtakes_what_a_crash_left,
    never_sweeps_the_outbox,
    gives_up_what_the_log_did_not_take,
    lets_an_event_overtake_one_that_is_held_back,
    forgets_before_it_publishes,
    ignores_versions,
    lets_a_slow_read_replace_a_newer_save,
    saves_reactions_without_their_events,
    dates_by_the_clock_alone,
    gives_up_a_lost_race,
    leaves_dead_letters_to_people,
    skips_what_a_newer_version_wrote,
    forgets_now_and_then_what_was_sent,
    reminds_after_time_has_decided,
)
