"""Consumption: a batch of the log is folded in memory, saved with expected versions, and only then is the position let go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from shared.clock import Clock
from shared.contracts.envelope import Event
from shared.contracts.registry import UnknownFact
from shared.eventlog.port import Record
from shared.runtime.backoff import MAX_TRIES, Backoff, LostRaces
from shared.runtime.documents import Documents
from shared.runtime.execution import AfterSave
from shared.runtime.folding import Draft, Folding
from shared.runtime.incoming import Heard, Incoming, was_seen
from shared.runtime.measures import DEAD_LETTERS, EVENTS
from shared.runtime.reading import NEWER, Skipped, place_of
from shared.storage.port import DeadLetter, Document, OutboxEntry, Saved, StateStore, StoreUnavailable, Write
from shared.tracing import span

logger = logging.getLogger(__name__)

State = TypeVar("State")

REPLAY_AFTER = (0.2, 1.0, 5.0, 15.0)
"""Seconds after which a newly parked request is tried again by itself; then it waits for a person."""

LOOKS_AGAIN = 5.0
"""Seconds after which it is looked up again which requests have dead letters."""

BEHIND = "menunggu kejadian sebelumnya"
TAKEN = "a unique column holds this value in another document"


class Consumer(Generic[State]):
    """Folds what other services publish into one service's documents."""

    def __init__(
        self,
        folding: Folding[State],
        store: StateStore,
        documents: Documents,
        clock: Clock,
        publish: Callable[[Sequence[OutboxEntry]], None],
        after_save: AfterSave = lambda writes: None,
        replay_after: Sequence[float] = REPLAY_AFTER,
        backoff: Backoff | None = None,
    ):
        self.folding, self.store, self.clock = folding, store, clock
        self._documents, self._backoff = documents, backoff or Backoff()
        self._publish, self._after_save = publish, after_save
        self._service, self.incoming = folding.decider.service, Incoming(folding.decider)
        self._replay_after = replay_after
        self._replays: dict[str, asyncio.Task[None]] = {}
        self._blocked: set[str] | None = None
        self._looked = 0.0
        self._newly_parked: set[str] = set()

    async def resume(self) -> None:
        """Try once more what an earlier process left parked: it may have ended before it did, or not have understood it."""
        self._blocked = await self.store.parked_subjects()
        for subject in self._blocked:
            self.try_again_later(subject, self._replay_after[:1])

    async def handle(self, records: Sequence[Record]) -> None:
        """Fold a batch durably. Raises StoreUnavailable; the same batch may then be handed over again."""
        by_request = self._by_request(records)
        for subject in await self._still_blocked() & by_request.keys():
            if await self._park(by_request[subject], BEHIND, only_behind=True):
                del by_request[subject]
        recent = {subject: found for subject in by_request if (found := self._documents.recent(subject)) is not None}
        by_request = await self._fold(by_request, recent)
        for number in range(MAX_TRIES):
            if not by_request:
                return
            await self._backoff.before(number)
            by_request = await self._fold(by_request, {})
        if by_request:
            raise LostRaces

    async def _still_blocked(self) -> set[str]:
        """The requests whose events must wait; looked up again now and then, because their events may have come to another
        process of this service before they came here."""
        now = asyncio.get_running_loop().time()
        if self._blocked is None or now - self._looked > LOOKS_AGAIN:
            self._blocked, self._looked = await self.store.parked_subjects(), now
        return self._blocked

    def _by_request(self, records: Sequence[Record]) -> dict[str, list[Heard]]:
        by_request: dict[str, list[Heard]] = {}
        for record in records:
            if (heard := self.incoming.listen(record)) is not None:
                by_request.setdefault(record.key, []).append(heard)
        return by_request

    async def _fold(self, by_request: dict[str, list[Heard]], recent: Mapping[str, Document]) -> dict[str, list[Heard]]:
        """Fold what can be folded, park what cannot; what lost a race comes back, to be folded again, and so does what cannot
        be folded into a recent document, which may not be the one that is stored."""
        stored = {**recent, **await self._documents.load([one for one in by_request if one not in recent])}
        writes: list[Write] = []
        troubles: dict[str, tuple[int, str]] = {}
        for subject, heard in by_request.items():
            draft = self.folding.open(subject, stored.get(subject))
            done, trouble = self._hear(draft, heard)
            if trouble:
                troubles[subject] = done, trouble
            if draft.seen != (stored[subject].seen if subject in stored else {}):
                writes.append(self.folding.close(draft))
        failed = await self._save(writes)
        lost = {subject for subject, saved in failed.items() if saved is Saved.CONFLICT}
        lost |= troubles.keys() & recent.keys()
        troubles |= dict.fromkeys(failed.keys() - lost, (0, TAKEN))
        for subject in troubles.keys() - lost:
            done, trouble = troubles[subject]
            await self._park(by_request[subject][done:], trouble)
        return {subject: heard for subject, heard in by_request.items() if subject in lost}

    def _hear(self, draft: Draft[State], heard: Iterable[Heard]) -> tuple[int, str]:
        """How many records were folded, and what was wrong with the one after them."""
        for index, one in enumerate(heard):
            if one.event is None:
                if was_seen(draft, one.record):
                    continue
                return index, one.trouble
            try:
                outcome = self._hear_one(draft, one.event)
            except Exception as error:
                logger.exception("%s cannot fold an event of %s", self._service, draft.id, extra={"subject": draft.id})
                return index, f"{type(error).__name__}: {error}"
            EVENTS.labels(self._service, outcome).inc()
        return -1, ""

    def _hear_one(self, draft: Draft[State], event: Event | Skipped) -> str:
        """The outcome in a word. What was told of here is part of the trace in which the event was saved."""
        if isinstance(event, Skipped):
            return "unknown" if self.folding.skip(draft, event.source, event.sequence) else "repeated"
        facts = {"service": self._service, "subject": draft.id}
        with span(f"fold {event.type}", "consumer", event.traceparent, **facts) as traced:
            folded = self.folding.hear(draft, event, self.clock(), traced.traceparent)
            outcome = "repeated" if not folded else "unknown" if isinstance(event.fact, UnknownFact) else "folded"
            traced.note(outcome=outcome)
        return outcome

    async def _save(self, writes: Sequence[Write]) -> dict[str, Saved]:
        """What became of the writes that were not saved."""
        if not writes:
            return {}
        outcomes = list(zip(writes, await self._documents.save(writes), strict=True))
        saved = [write for write, outcome in outcomes if outcome is Saved.SAVED]
        self._publish([entry for write in saved for entry in write.outbox])
        self._after_save(saved)
        return {write.document.id: outcome for write, outcome in outcomes if outcome is not Saved.SAVED}

    async def _park(self, heard: Sequence[Heard], reason: str, *, only_behind: bool = False) -> bool:
        subject, now = heard[0].record.key, self.clock()
        letters = [
            DeadLetter(
                id=f"{self._service}:{one.record.position}",
                service=self._service,
                subject=subject,
                position=one.record.position,
                event=one.record.value,
                reason=reason if index == 0 else BEHIND,
                tries=1,
                parked_at=now,
            )
            for index, one in enumerate(heard)
        ]
        if not await self.store.park(letters, only_behind=only_behind):
            self._unblock(subject)
            return False
        DEAD_LETTERS.labels(self._service).inc(len(letters))
        if reason == NEWER:
            EVENTS.labels(self._service, "newer").inc()
        logger.error(
            "%s parked %d events of %s: %s", self._service, len(letters), subject, reason, extra={"subject": subject}
        )
        self._blocked = (self._blocked or set()) | {subject}
        self._newly_parked.add(subject)
        self.try_again_later(subject, self._replay_after)
        return True

    def _unblock(self, subject: str) -> None:
        if self._blocked:
            self._blocked.discard(subject)

    def try_again_later(self, subject: str, pauses: Sequence[float] = REPLAY_AFTER[:1]) -> None:
        """Replay a request in the background after each of these pauses, until nothing of it is parked."""
        if subject not in self._replays:
            task = asyncio.create_task(self._replay_soon(subject, pauses))
            self._replays[subject] = task
            task.add_done_callback(lambda _: self._replays.pop(subject, None))

    async def _replay_soon(self, subject: str, pauses: Sequence[float]) -> None:
        for seconds in pauses:
            await asyncio.sleep(seconds)
            try:
                if not await self.replay(subject):
                    return
            except StoreUnavailable as error:
                logger.warning("store unavailable while replaying: %s", error)

    async def replay(self, subject: str) -> list[DeadLetter]:
        """Fold a request's dead letters in order, and what waits behind them; those that still cannot be folded are returned."""
        while True:
            self._newly_parked.discard(subject)
            letters = await self.store.dead_letters(subject=subject, states=("parked", "discarded"))
            parked = any(letter.state == "parked" for letter in letters)
            progress = await self._replay_once(letters)
            if progress or subject in self._newly_parked:
                continue
            if not parked:
                self._unblock(subject)
            return await self.store.dead_letters(subject=subject) if parked else []

    async def _replay_once(self, letters: Sequence[DeadLetter]) -> bool:
        """Whether any of them could be folded. What was discarded is passed by as soon as all before it was folded."""
        progress = False
        for letter in letters:
            if letter.state == "discarded":
                progress = await self._pass_by(letter) or progress
                continue
            trouble = await self._replay_one(letter)
            progress = progress or not trouble
            if trouble:
                await self.store.tried(letter.id, trouble)
            if trouble and not trouble.startswith("Gap"):
                break
        return progress

    async def _replay_one(self, letter: DeadLetter) -> str:
        """What is still wrong with a dead letter, "" if it was folded and is gone."""
        heard = self.incoming.listen(Record(letter.position, letter.subject, letter.event))
        if heard is not None and (trouble := await self._fold_alone(letter.subject, heard)):
            return trouble
        await self.store.settle(letter.id, discarded=False)
        return ""

    async def _fold_alone(self, subject: str, heard: Heard) -> str:
        """What is wrong with it, "" if it was folded."""
        for number in range(MAX_TRIES):
            await self._backoff.before(number)
            stored = (await self._documents.load([subject])).get(subject)
            draft = self.folding.open(subject, stored)
            _, trouble = self._hear(draft, [heard])
            if trouble or (stored is not None and draft.seen == stored.seen):
                return trouble
            failed = await self._save([self.folding.close(draft)])
            if Saved.CONFLICT not in failed.values():
                return TAKEN if failed else ""
        raise LostRaces

    async def discard(self, letter: DeadLetter) -> None:
        """Give an event up: it counts as seen, changes nothing, and is remembered so that no fold meets it again.

        What waited behind it is folded at once.
        """
        await self.store.settle(letter.id, discarded=True)
        await self._pass_by(letter)
        await self.replay(letter.subject)

    async def _pass_by(self, letter: DeadLetter) -> bool:
        """Count a discarded event as seen, if it is the next of its source; says whether it was."""
        if (place := place_of(letter.event)) is None:
            return False
        source, sequence = place
        for number in range(MAX_TRIES):
            await self._backoff.before(number)
            stored = await self._documents.load([letter.subject])
            draft = self.folding.open(letter.subject, stored.get(letter.subject))
            if sequence != draft.seen.get(source, 0) + 1:
                return False
            self.folding.skip(draft, source, sequence)
            failed = await self._save([self.folding.close(draft)])
            if Saved.CONFLICT not in failed.values():
                return not failed
        raise LostRaces

    async def stop(self) -> None:
        """End the replays that are waiting."""
        for task in list(self._replays.values()):
            task.cancel()
        await asyncio.gather(*self._replays.values(), return_exceptions=True)
