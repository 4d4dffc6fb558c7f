"""Mutants of the runtime, each with one rule broken; the simulation must find every one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from services.notification.domain.commands import EndSending, StartSending
from services.notification.domain.delivery import CLAIM_DURATION
from shared.contracts.envelope import Event, decode_header
from shared.contracts.facts import Fact
from shared.contracts.notification import ReminderFellDue, RemindersDropped
from shared.eventlog.port import LogUnavailable
from shared.runtime.dead_letters import DeadLetterQueue
from shared.runtime.decider_runner import Cause, DeciderRunner, WorkingCopy
from shared.runtime.event_folding import EventFolder
from shared.runtime.executor import CommandResult, Executor, Loaded
from shared.runtime.outbox import PendingEvent
from shared.runtime.publication_queue import PublicationQueue
from shared.runtime.relay import Relay
from shared.runtime.service_runtime import ServiceRuntime
from shared.runtime.state_cache import StateCache
from shared.storage.port import OutboxEntry, ProcessedCommand, SaveOutcome, StateRecord, StateStore, Write
from tests.faults.simulation.unreliable_storage import MemoryLog

Runtime = ServiceRuntime[Any]


class PublishesFirst(Executor[Any]):
    async def _decide_and_save(
        self, working_copy: WorkingCopy[Any], command: Any, key: Any
    ) -> tuple[CommandResult, SaveOutcome]:
        trial = replace(working_copy, seen=dict(working_copy.seen), new_events=[])
        cause = Cause(key.id, key.correlation or key.id, key.id, key.traceparent)
        if self.runner.handle(trial, command, self.clock(), cause):
            self._publish(self.runner.close(trial).outbox)
        return await super()._decide_and_save(working_copy, command, key)


def publishes_before_the_save(runtime: Runtime) -> None:
    runtime.executor.__class__ = PublishesFirst


def commits_the_position_before_the_write(runtime: Runtime) -> None:
    cast(MemoryLog, runtime.log).commits_first = True


class WithoutSequenceGate(DeciderRunner[Any]):
    def fold(self, working_copy: WorkingCopy[Any], event: Event) -> bool:
        self._evolve(working_copy, event)
        return True


def has_no_sequence_gate(runtime: Runtime) -> None:
    runtime.event_folder.runner.__class__ = WithoutSequenceGate


class WithoutCommandMemory(DeciderRunner[Any]):
    def add_processed_command(self, working_copy: WorkingCopy[Any], command: ProcessedCommand) -> None:
        pass


def forgets_processed_commands(runtime: Runtime) -> None:
    runtime.executor.runner.__class__ = WithoutCommandMemory


class ShuffledWaves(PublicationQueue):
    def next_batch(self) -> list[PendingEvent]:
        for waiting in self._waiting.values():
            waiting.reverse()
        return super().next_batch()


def publishes_out_of_order(runtime: Runtime) -> None:
    runtime.relay._queue.__class__ = ShuffledWaves


class TrustsEarlierWaves(PublicationQueue):
    def add_saved(self, entry: OutboxEntry) -> bool:
        self.add(entry, decode_header(entry.event))
        return False


def overtakes_events_that_a_crash_left(runtime: Runtime) -> None:
    runtime.relay._queue.__class__ = TrustsEarlierWaves


class WithoutSweep(Relay):
    async def _scan_outbox(self, wanted: Callable[[OutboxEntry], bool]) -> set[str]:
        return set()

    async def _resolve_gaps(self) -> None:
        self._queue.take_possible_gaps()
        self._queue.fill_gaps(())


def never_sweeps_the_outbox(runtime: Runtime) -> None:
    runtime.relay.__class__ = WithoutSweep


class SkipsHeldBack(Relay):
    async def _append(self, batch: Sequence[PendingEvent]) -> None:
        try:
            await super()._append(batch)
        except LogUnavailable:
            for pending in batch:
                if pending in self._queue._waiting.get(pending.subject, ()):
                    self._queue.mark_published(pending)
            raise


def drops_events_that_the_log_refused(runtime: Runtime) -> None:
    runtime.relay.__class__ = SkipsHeldBack


class DoesNotWait(PublicationQueue):
    def next_batch(self) -> list[PendingEvent]:
        """Events overtake those that are held back."""
        batch = super().next_batch()
        late = [
            waiting[1] for subject, waiting in self._waiting.items() if subject in self.held_back and len(waiting) > 1
        ]
        return batch or late


def lets_an_event_overtake_one_that_is_held_back(runtime: Runtime) -> None:
    runtime.relay._queue.__class__ = DoesNotWait


class ForgetsEarly(Relay):
    async def _append(self, batch: Sequence[PendingEvent]) -> None:
        await self._store.remove_published([pending.entry.event_id for pending in batch])
        await super()._append(batch)


def removes_entries_before_it_publishes(runtime: Runtime) -> None:
    runtime.relay.__class__ = ForgetsEarly


class LastWriterWins:
    """A store that ignores the expected version."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def save(self, writes: Sequence[Write]) -> list[SaveOutcome]:
        records = self._store.disk.records
        lifted = []
        for write in writes:
            stored = records.get(write.record.id)
            version = (stored.version if stored else 0) + 1
            lifted.append(replace(write, record=replace(write.record, version=version)))
        return cast(list[SaveOutcome], await self._store.save(lifted))


def ignores_versions(runtime: Runtime) -> None:
    runtime.executor._cache = StateCache(cast(StateStore, LastWriterWins(runtime.store)))


class GoesBack(StateCache):
    def _put(self, record: StateRecord) -> None:
        self._records[record.id] = record


def lets_a_slow_read_replace_a_newer_record(runtime: Runtime) -> None:
    runtime.executor._cache.__class__ = GoesBack


class LosesTheOutbox(EventFolder[Any]):
    async def save(self, writes: Sequence[Write]) -> dict[str, SaveOutcome]:
        return await super().save([replace(write, outbox=()) for write in writes])


def saves_reactions_without_their_events(runtime: Runtime) -> None:
    runtime.event_folder.__class__ = LosesTheOutbox


class ByTheClock(DeciderRunner[Any]):
    def handle(self, working_copy: WorkingCopy[Any], command: Any, now: datetime, cause: Cause) -> list[Event]:
        working_copy.latest = None
        return super().handle(working_copy, command, now, cause)


def dates_events_by_the_clock_only(runtime: Runtime) -> None:
    runtime.executor.runner.__class__ = ByTheClock


class GivesUpRaces(EventFolder[Any]):
    async def save(self, writes: Sequence[Write]) -> dict[str, SaveOutcome]:
        await super().save(writes)
        return {}


def ignores_a_conflict(runtime: Runtime) -> None:
    runtime.event_folder.__class__ = GivesUpRaces


class WithoutAutomaticRetry(DeadLetterQueue[Any]):
    async def replay_parked(self) -> None:
        pass


def never_replays_dead_letters(runtime: Runtime) -> None:
    runtime.dead_letters.__class__ = WithoutAutomaticRetry


def skips_events_of_a_newer_version(runtime: Runtime) -> None:
    runtime.event_folder.reader.types = frozenset()


class LosesOutcomes(Executor[Any]):
    async def record(self, request_id: str, command: Any, traceparent: str = "") -> Loaded[Any] | None:
        if isinstance(command, EndSending) and command.outcomes[0].status == "sent" and command.claim < "4":
            return None
        return await super().record(request_id, command, traceparent)


def loses_some_delivery_outcomes(runtime: Runtime) -> None:
    runtime.executor.__class__ = LosesOutcomes


class ClaimsInMemory(Executor[Any]):
    async def record(self, request_id: str, command: Any, traceparent: str = "") -> Loaded[Any] | None:
        loaded = await self.read(request_id)
        if isinstance(command, StartSending) and loaded is not None:
            return replace(loaded, state=self.decider.record(loaded.state, command, self.clock()))
        return await super().record(request_id, command, traceparent)


def sends_without_saving_a_claim(runtime: Runtime) -> None:
    runtime.executor.__class__ = ClaimsInMemory


class RemindsWhenever(DeciderRunner[Any]):
    def handle(self, working_copy: WorkingCopy[Any], command: Any, now: datetime, cause: Cause) -> list[Event]:
        facts = self.decider.decide(working_copy.state, command, now)
        late = [fact for fact in facts if isinstance(fact, RemindersDropped)]
        if not late:
            return super().handle(working_copy, command, now, cause)
        kept: list[Fact] = [ReminderFellDue(reminder=one) for one in late[0].reminders]
        stubborn = replace(self.decider, decide=lambda state, command, now: kept)
        return DeciderRunner(stubborn).handle(working_copy, command, now, cause)

    def record(self, working_copy: WorkingCopy[Any], command: Any, now: datetime) -> bool:
        if not isinstance(command, StartSending):
            return super().record(working_copy, command, now)
        claim: dict[str, Any] = {"status": "sending", "due": now + CLAIM_DURATION, "claim": command.claim}
        messages = [
            replace(one, tries=one.tries + 1, **claim) if one.due and one.due <= now else one
            for one in working_copy.state.messages
        ]
        working_copy.state = replace(working_copy.state, messages=tuple(messages))
        return True


def sends_outdated_reminders(runtime: Runtime) -> None:
    runtime.executor.runner.__class__ = RemindsWhenever


MUTANTS: tuple[Callable[[Runtime], None], ...] = (
    publishes_before_the_save,
    commits_the_position_before_the_write,
    has_no_sequence_gate,
    forgets_processed_commands,
    publishes_out_of_order,
    overtakes_events_that_a_crash_left,
    never_sweeps_the_outbox,
    drops_events_that_the_log_refused,
    lets_an_event_overtake_one_that_is_held_back,
    removes_entries_before_it_publishes,
    ignores_versions,
    lets_a_slow_read_replace_a_newer_record,
    saves_reactions_without_their_events,
    dates_events_by_the_clock_only,
    ignores_a_conflict,
    never_replays_dead_letters,
    skips_events_of_a_newer_version,
    loses_some_delivery_outcomes,
    sends_without_saving_a_claim,
    sends_outdated_reminders,
)
