"""A service's states and dead letters in another place: folded there from the log that was copied, and compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from shared.eventlog.port import EventLog
from shared.runtime.column_migration import outdated_versions
from shared.runtime.decider import Decider
from shared.runtime.folding import Draft, reopened
from shared.runtime.rebuilding import AT_ONCE, Refold
from shared.storage.port import COLUMNS_VERSION, Column, DeadLetter, Document, Find, Saved, Scalar, StateStore, Write

State = TypeVar("State")

Progress = Callable[[int], None]

FEW = 32
"""Values of a column up to which the documents of each are counted."""


@dataclass(slots=True)
class Settled:
    """What became of one service: `trouble` has a line for each finding, `moved_on` counts what went on where it came from."""

    service: str
    requests: int = 0
    written: int = 0
    equal: int = 0
    moved_on: int = 0
    parked: int = 0
    discarded: int = 0
    trouble: list[str] = field(default_factory=list)


class Resettle(Generic[State]):
    """One service from one store into another, over the log that belongs to the other; may be run again after a stop.

    What the log does not say comes from the old documents: the memory of commands, so that a repeated one gets its first answer;
    and how far a request was folded that has parked events.
    """

    def __init__(self, decider: Decider[State], source: StateStore, target: StateStore, log: EventLog, *, live: bool):
        """`live`: the source is in use, and may have moved on since the log was copied."""
        self._decider, self._source, self._target, self._log, self._live = decider, source, target, log, live
        self.done = Settled(decider.service)

    async def letters(self) -> list[DeadLetter]:
        return await self._source.dead_letters(states=("parked", "discarded"))

    async def settle(self, positions: Mapping[bytes, str], progress: Progress = lambda count: None) -> Settled:
        """Carry the letters, fold, write, read back and compare. `positions` say where the letters' events lie in the log."""
        bounds = await self._carry_letters(positions)
        refold = Refold(self._decider, self._target, self._log, progress, bounds)
        report = await refold.fold()
        drafts = {request_id: draft for request_id, draft in refold.drafts.items() if draft.seen}
        self.done.requests = len(drafts)
        self.done.trouble += [f"{self.done.service}: hole at {hole}" for hole in report.holes]
        # What is parked, here or with another service, is known to be unreadable, and a person's to look at.
        known = tuple(f"{position}: " for position in positions.values())
        unreadable = [place for place in report.unreadable if not place.startswith(known)]
        self.done.trouble += [f"{self.done.service}: unreadable at {place}" for place in unreadable]
        ids = sorted(drafts)
        for start in range(0, len(ids), AT_ONCE):
            await self._place(refold, {one: drafts[one] for one in ids[start : start + AT_ONCE]})
        await self._compare_lists(drafts)
        return self.done

    async def _carry_letters(self, positions: Mapping[bytes, str]) -> dict[str, Mapping[str, int]]:
        """Returns how far requests with parked events were folded."""
        letters = [
            replace(one, id=f"{one.service}:{positions[one.event]}", position=positions[one.event])
            for one in await self.letters()
            if one.event in positions
        ]
        await self._put_in_place(letters)
        states = Counter(letter.state for letter in letters)
        self.done.parked, self.done.discarded = states["parked"], states["discarded"]
        waiting = sorted({letter.subject for letter in letters if letter.state == "parked"})
        known = await self._source.load(waiting)
        return {request_id: known[request_id].seen if request_id in known else {} for request_id in waiting}

    async def _put_in_place(self, letters: Sequence[DeadLetter]) -> None:
        """What an earlier try carried and was replayed or discarded since is settled in the target too."""
        if letters:
            await self._target.park(letters)
        states = {letter.id: letter.state for letter in letters}
        for letter in await self._target.dead_letters():
            if (state := states.get(letter.id)) != "parked":
                await self._target.settle(letter.id, discarded=state == "discarded")

    async def _place(self, refold: Refold[State], drafts: Mapping[str, Draft[State]]) -> None:
        ids = list(drafts)
        old, present = await self._source.load(ids), await self._target.load(ids)
        writes = [self._write(refold, draft, old.get(one), present.get(one)) for one, draft in drafts.items()]
        wanted = [write for write in writes if not _is_there(write.document, present.get(write.document.id))]
        for write, saved in zip(wanted, await self._target.save(wanted) if wanted else [], strict=True):
            if saved is not Saved.SAVED:
                self._find(write.document.id, f"could not be written: {saved.value}")
        self.done.written += len(wanted)
        self._compare(refold, drafts, old, await self._target.load(ids))

    def _write(
        self, refold: Refold[State], draft: Draft[State], old: Document | None, present: Document | None
    ) -> Write:
        again = reopened(draft, present.version if present else 0)
        again.commands = old.commands if old else ()
        return refold.folding.close(again)

    def _compare(
        self,
        refold: Refold[State],
        drafts: Mapping[str, Draft[State]],
        old: Mapping[str, Document],
        new: Mapping[str, Document],
    ) -> None:
        for one, draft in drafts.items():
            if one not in new or new[one].seen != draft.seen or refold.folding.state(new[one]) != draft.state:
                self._find(one, "is not what was written")
            elif self._live and (one not in old or old[one].seen != draft.seen):
                self.done.moved_on += 1
            elif one not in old:
                self._find(one, "was not there before")
            elif differing := _differing(refold, old[one], new[one]):
                self._find(one, f"differs in {differing}")
            else:
                self.done.equal += 1

    def _find(self, request_id: str, what: str) -> None:
        self.done.trouble.append(f"{self.done.service}: {request_id} {what}")

    async def _compare_lists(self, drafts: Mapping[str, Draft[State]]) -> None:
        """Whether lists by column find as many documents as they should, and as many as before; and none that should not be."""
        rows = [self._decider.columns(draft.state) for draft in drafts.values()]
        # Columns that the source still has by older rules say nothing about what was written here.
        outdated = [Find("id", where={COLUMNS_VERSION: version}) for version in outdated_versions(self._decider)]
        comparable = not self._live and not any([await self._source.count(find) for find in outdated])
        for column in self._decider.indexed:
            counts = Counter(row.get(column.name) for row in rows)
            if not column.unique and len(counts) <= FEW:
                await self._compare_list(column, counts, comparable)
        after, count = "", 0
        while ids := await self._target.all_ids(after):
            count, after = count + len(ids), ids[-1]
        if count != len(drafts):
            self.done.trouble.append(f"{self.done.service}: {count} documents where {len(drafts)} should be")

    async def _compare_list(self, column: Column, counts: Mapping[Scalar, int], comparable: bool) -> None:
        for value, count in counts.items():
            if value is None:
                continue
            find = Find(order=column.name, where={column.name: value})
            found = await self._target.count(find)
            before = await self._source.count(find) if comparable else count
            if not found == before == count:
                self.done.trouble.append(
                    f"{self.done.service}: {found} documents with {column.name} {value!r}, {before} before, {count} folded"
                )


def _is_there(wanted: Document, present: Document | None) -> bool:
    return present is not None and replace(wanted, version=present.version) == replace(present, seen=dict(present.seen))


def _differing(refold: Refold[Any], old: Document, new: Document) -> str:
    parts = {
        "state": old.body != new.body and refold.folding.state(old) != refold.folding.state(new),
        "seen": dict(old.seen) != dict(new.seen),
        "time": old.latest != new.latest,
        "commands": old.commands != new.commands,
    }
    return ", ".join(name for name, differs in parts.items() if differs)
