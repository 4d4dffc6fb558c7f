"""Migrate the states and dead letters of a service to another store: fold them from the copied log, and compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from shared.eventlog.port import EventLog
from shared.runtime.decider import Decider
from shared.runtime.decider_runner import WorkingCopy, rebase
from shared.runtime.due_renewal import DUE_COLUMN
from shared.runtime.rebuild import WRITE_BATCH_SIZE, Rebuild, outdated_versions
from shared.storage.port import (
    COLUMNS_VERSION,
    Column,
    DeadLetter,
    RecordQuery,
    SaveOutcome,
    Scalar,
    StateRecord,
    StateStore,
    Write,
)

State = TypeVar("State")

Progress = Callable[[int], None]

MAX_COUNTED_VALUES = 32
"""A column with more values than this is not counted by value."""


@dataclass(slots=True)
class MigrationReport:
    """The result for one service; the field names are part of the JSON that `simpul move` prints.

    `trouble` has a line per finding; `moved_on` counts requests that changed in the source meanwhile.
    """

    service: str
    requests: int = 0
    written: int = 0
    equal: int = 0
    moved_on: int = 0
    parked: int = 0
    discarded: int = 0
    trouble: list[str] = field(default_factory=list)


class StoreMigration(Generic[State]):
    """Migrates one service from a source to a target store over the target's log; may be run again after a stop.

    What the log does not hold comes from the source: processed commands, so that a repetition returns the first result, the
    delivery of emails, and how far the events of requests with dead letters were folded.
    """

    def __init__(
        self,
        decider: Decider[State],
        source: StateStore,
        target: StateStore,
        log: EventLog,
        *,
        live: bool,
        lags: bool = False,
    ) -> None:
        """`live`: the source is in use, and may have changed since the log was copied; it `lags` if it has not folded all of it."""
        self._decider, self._source, self._target, self._log, self._live = decider, source, target, log, live
        self._lags = lags
        self._comparable = True
        self.report = MigrationReport(decider.service)

    async def dead_letters(self) -> list[DeadLetter]:
        return await self._source.dead_letters(states=("parked", "discarded"))

    async def run(self, positions: Mapping[bytes, str], progress: Progress = lambda _count: None) -> MigrationReport:
        """Copy the dead letters, then fold, write, read back and compare. `positions` of their events are those in the target."""
        bounds = await self._copy_dead_letters(positions)
        # What the source derived by older rules, states and columns, cannot be compared.
        outdated = [RecordQuery("id", where={COLUMNS_VERSION: version}) for version in outdated_versions(self._decider)]
        self._comparable = not any([await self._source.count(query) for query in outdated])
        rebuild = Rebuild(self._decider, self._target, self._log, progress, bounds)
        rebuilt = await rebuild.fold()
        working_copies = {
            request_id: working_copy for request_id, working_copy in rebuild.working_copies.items() if working_copy.seen
        }
        self.report.requests = len(working_copies)
        self.report.trouble += [f"{self.report.service}: hole at {gap}" for gap in rebuilt.gaps]
        # Events that this or another service has parked are known to be unreadable, and wait for an administrator.
        known = tuple(f"{position}: " for position in positions.values())
        unreadable = [finding for finding in rebuilt.unreadable if not finding.startswith(known)]
        self.report.trouble += [f"{self.report.service}: unreadable at {finding}" for finding in unreadable]
        ids = sorted(working_copies)
        for start in range(0, len(ids), WRITE_BATCH_SIZE):
            await self._write_batch(
                rebuild, {one: working_copies[one] for one in ids[start : start + WRITE_BATCH_SIZE]}
            )
        await self._target.prepare()
        await self._compare_lists(working_copies)
        return self.report

    async def _copy_dead_letters(self, positions: Mapping[bytes, str]) -> dict[str, Mapping[str, int]]:
        """Return how far the requests with parked events were folded, by source."""
        dead_letters = [
            replace(one, id=f"{one.service}:{positions[one.event]}", position=positions[one.event])
            for one in await self.dead_letters()
            if one.event in positions
        ]
        await self._park_dead_letters(dead_letters)
        states = Counter(dead_letter.state for dead_letter in dead_letters)
        self.report.parked, self.report.discarded = states["parked"], states["discarded"]
        waiting = sorted({dead_letter.subject for dead_letter in dead_letters if dead_letter.state == "parked"})
        known = await self._source.load(waiting)
        return {request_id: known[request_id].seen if request_id in known else {} for request_id in waiting}

    async def _park_dead_letters(self, dead_letters: Sequence[DeadLetter]) -> None:
        """Park dead letters in the target, and resolve those of an earlier run that the source has resolved since."""
        if dead_letters:
            await self._target.park(dead_letters)
        states = {dead_letter.id: dead_letter.state for dead_letter in dead_letters}
        for dead_letter in await self._target.dead_letters():
            if (state := states.get(dead_letter.id)) != "parked":
                await self._target.resolve(dead_letter.id, discarded=state == "discarded")

    async def _write_batch(self, rebuild: Rebuild[State], working_copies: Mapping[str, WorkingCopy[State]]) -> None:
        ids = list(working_copies)
        old, present = await self._source.load(ids), await self._target.load(ids)
        for one, working_copy in working_copies.items():
            working_copy.state = self._carry_over(rebuild, working_copy, old.get(one))
        writes = [
            self._write(rebuild, working_copy, old.get(one), present.get(one))
            for one, working_copy in working_copies.items()
        ]
        wanted = [write for write in writes if not _is_equal(write.record, present.get(write.record.id))]
        for write, outcome in zip(wanted, await self._target.save(wanted) if wanted else [], strict=True):
            if outcome is not SaveOutcome.SAVED:
                self._add_finding(write.record.id, f"could not be written: {outcome.value}")
        self.report.written += len(wanted)
        self._compare(rebuild, working_copies, old, await self._target.load(ids))

    def _carry_over(self, rebuild: Rebuild[State], working_copy: WorkingCopy[State], old: StateRecord | None) -> State:
        if old is None:
            return self._decider.carry_over(working_copy.state, None, self._lags)
        is_behind = any(old.seen.get(source, 0) < sequence for source, sequence in working_copy.seen.items())
        return self._decider.carry_over(working_copy.state, rebuild.runner.state(old), is_behind)

    def _write(
        self,
        rebuild: Rebuild[State],
        working_copy: WorkingCopy[State],
        old: StateRecord | None,
        present: StateRecord | None,
    ) -> Write:
        rebased = rebase(working_copy, present.version if present else 0)
        rebased.commands = old.commands if old else ()
        return rebuild.runner.close(rebased, migrated=True)

    def _compare(
        self,
        rebuild: Rebuild[State],
        working_copies: Mapping[str, WorkingCopy[State]],
        old: Mapping[str, StateRecord],
        new: Mapping[str, StateRecord],
    ) -> None:
        for one, working_copy in working_copies.items():
            if (
                one not in new
                or new[one].seen != working_copy.seen
                or rebuild.runner.state(new[one]) != working_copy.state
            ):
                self._add_finding(one, "is not what was written")
            elif self._live and (one not in old or old[one].seen != working_copy.seen):
                self.report.moved_on += 1
            elif one not in old:
                self._add_finding(one, "was not there before")
            elif differences := self._differences(rebuild, old[one], new[one]):
                self._add_finding(one, f"differs in {differences}")
            else:
                self.report.equal += 1

    def _differences(self, rebuild: Rebuild[Any], old: StateRecord, new: StateRecord) -> str:
        differs = old.body != new.body and rebuild.runner.state(old) != rebuild.runner.state(new)
        parts = {
            "state": self._comparable and differs,
            "seen": dict(old.seen) != dict(new.seen),
            "time": old.latest != new.latest,
            "commands": old.commands != new.commands,
        }
        return ", ".join(name for name, is_different in parts.items() if is_different)

    def _add_finding(self, request_id: str, finding: str) -> None:
        self.report.trouble.append(f"{self.report.service}: {request_id} {finding}")

    async def _compare_lists(self, working_copies: Mapping[str, WorkingCopy[State]]) -> None:
        """Compare how many records the target lists by column with the folded states and the source, and look for strays."""
        rows = [self._decider.columns(working_copy.state) for working_copy in working_copies.values()]
        comparable = self._comparable and not self._live
        for column in self._decider.indexed_columns:
            counts = Counter(row.get(column.name) for row in rows)
            if not column.unique and len(counts) <= MAX_COUNTED_VALUES:
                await self._compare_list(column, counts, comparable and column.name != DUE_COLUMN)
        after, count = "", 0
        while ids := await self._target.all_ids(after):
            count, after = count + len(ids), ids[-1]
        if count != len(working_copies):
            self.report.trouble.append(
                f"{self.report.service}: {count} documents where {len(working_copies)} should be"
            )

    async def _compare_list(self, column: Column, counts: Mapping[Scalar, int], comparable: bool) -> None:
        for value, count in counts.items():
            if value is None:
                continue
            query = RecordQuery(order=column.name, where={column.name: value})
            found = await self._target.count(query)
            before = await self._source.count(query) if comparable else count
            if not found == before == count:
                self.report.trouble.append(
                    f"{self.report.service}: {found} documents with {column.name} {value!r}, {before} before, {count} folded"
                )


def _is_equal(wanted: StateRecord, present: StateRecord | None) -> bool:
    return present is not None and replace(wanted, version=present.version) == replace(present, seen=dict(present.seen))
