"""What figures need of a stored request, read without the rest of its record and in short slices."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from pydantic import TypeAdapter

from services.assignment.domain.state import FailedChecklist, SurveyAnswers
from services.assignment.oversight.stage_visits import TimedEvent
from shared.contracts.facts import Scope
from shared.storage.port import RecordQuery, Scalar, StateRecord, StateStore

PAGE_SIZE = 100
SLICE_SECONDS = 0.003
"""Other work of the event loop waits for so much of the processor's time at most."""
BUSY_SECONDS = 0.002
"""If a pause lasts longer than it should by as much, the event loop has other work."""
BUSY_FACTOR, MAX_PAUSE_SECONDS = 4, 0.1


class _WithUnit(Protocol):
    @property
    def unit(self) -> str: ...


class CountedRequest(Protocol):
    """What figures need of a request; the state of assignment has it, and `StoredCourse` nothing else."""

    @property
    def history(self) -> Sequence[TimedEvent]: ...
    @property
    def submitted_at(self) -> datetime | None: ...
    @property
    def applicant(self) -> _WithUnit | None: ...
    @property
    def scope(self) -> Scope | None: ...
    @property
    def failed_checklists(self) -> Sequence[FailedChecklist]: ...
    @property
    def survey(self) -> SurveyAnswers | None: ...


@dataclass(frozen=True, slots=True)
class _Event:
    time: datetime
    event: str


@dataclass(frozen=True, slots=True)
class _Applicant:
    unit: str


@dataclass(frozen=True, slots=True)
class StoredCourse:
    """The fields of a stored state that figures need; to read them takes a fourth of the time of the whole state."""

    history: tuple[_Event, ...] = ()
    submitted_at: datetime | None = None
    applicant: _Applicant | None = None
    scope: Scope | None = None
    failed_checklists: tuple[FailedChecklist, ...] = ()
    survey: SurveyAnswers | None = None


_ADAPTER = TypeAdapter(StoredCourse)


def stored_course(record: StateRecord) -> StoredCourse:
    """Return what figures need of a record."""
    return _ADAPTER.validate_json(record.body)


class CourseReader:
    """Reads many requests in the background, slowly while the event loop has other work; without `pauses`, at once."""

    def __init__(self, store: StateStore, *, pauses: bool = True) -> None:
        self._store, self._pauses = store, pauses

    async def read(self, query: RecordQuery) -> AsyncIterator[tuple[str, tuple[Scalar, str], StoredCourse]]:
        """Yield the id, the key and the course of each request of a list, from the key of the query to its end."""
        query = replace(query, limit=PAGE_SIZE)
        while True:
            page = await self._store.find(query)
            began = time.thread_time()
            for record, key in zip(page.records, page.keys, strict=True):
                yield record.id, key, stored_course(record)
                began = await self._pause(began)
            if not page.has_next:
                return
            query = replace(query, after=page.keys[-1])

    async def courses(self, ids: Sequence[str]) -> AsyncIterator[StoredCourse]:
        """Yield the courses of the stored requests among these ids."""
        records = await self._store.load(ids)
        began = time.thread_time()
        for record in records.values():
            yield stored_course(record)
            began = await self._pause(began)

    async def _pause(self, began: float) -> float:
        """Pause for as long as a slice took that is over, longer if other work waited; return when the slice began."""
        worked = time.thread_time() - began
        if not self._pauses or worked < SLICE_SECONDS:
            return began
        expected = time.monotonic() + worked
        await asyncio.sleep(worked)
        if (late := time.monotonic() - expected) > BUSY_SECONDS:
            await asyncio.sleep(min(late * BUSY_FACTOR, MAX_PAUSE_SECONDS))
        return time.thread_time()
