"""The figures of all requests: computed in parts that a stop does not lose, beside other work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.assignment.oversight import counted_requests, full_computation, projection
from services.assignment.oversight.counted_requests import CourseReader, StoredCourse
from services.assignment.oversight.full_computation import FullComputation
from services.assignment.oversight.projection import FiguresProjection
from services.assignment.projections import submitted_query
from shared.contracts.facts import Scope
from shared.contracts.intake import SurveyAnswered
from shared.storage.port import RecordQuery, Scalar
from tests.support.domain.request_events import COMPLETED, withdrawn
from tests.support.services.assignment_pages import page, visible_text
from tests.support.services.services_harness import request_id, submission
from tests.support.services.staff_harness import StaffHarness, open_sessions, staff_harness

REQUESTS = 10
ANSWERS = (4, 3, 2, 4, 3, 3, 4, 2, 2)


class Stopped(Exception):
    """The process ends here."""


class CountingReader(CourseReader):
    """Counts what is read; `on_read` runs before each request with their number so far."""

    def __init__(self, harness: StaffHarness, on_read: Callable[[int], Awaitable[None]] | None = None) -> None:
        super().__init__(harness.services["assignment"].runtime.store, pauses=False)
        self.count, self._on_read = 0, on_read

    async def read(self, query: RecordQuery) -> AsyncIterator[tuple[str, tuple[Scalar, str], StoredCourse]]:
        async for one in super().read(query):
            if self._on_read:
                await self._on_read(self.count)
            self.count += 1
            yield one


def stop_after(count: int) -> Callable[[int], Awaitable[None]]:
    async def on_read(read: int) -> None:
        if read == count:
            raise Stopped

    return on_read


@pytest.fixture
async def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StaffHarness]:
    """Requests of five months with answers to the survey two months later, and a page of two requests."""
    monkeypatch.setattr(counted_requests, "PAGE_SIZE", 2)
    async with staff_harness(tmp_path) as opened:
        for index in range(REQUESTS):
            opened.clock.now = datetime(2026, 1 + index // 2, 5 + index, 2, tzinfo=UTC)
            subject, scope = request_id(index), (Scope.DATA, Scope.APPLICATION)[index % 2]
            await opened.publish(submission(index, scope=scope), *COMPLETED[1:], subject=subject)
        for index in range(REQUESTS):
            opened.clock.now = datetime(2026, 3 + index // 2, 6 + index, 2, tzinfo=UTC)
            await opened.publish(SurveyAnswered(answers=ANSWERS, comment=f"Saran {index}"), subject=request_id(index))
        yield opened


def computation(harness: StaffHarness, reader: CourseReader) -> FullComputation:
    platform = harness.platform
    return FullComputation(reader, harness.services["assignment"].runtime.store, platform.office, platform.calendar)


async def test_a_stopped_computation_goes_on_where_it_was_with_the_same_result(
    harness: StaffHarness, monkeypatch: pytest.MonkeyPatch
):
    plain = await computation(harness, CountingReader(harness)).run("rules")
    assert plain is not None
    assert sorted(plain.figures) == [f"2026-0{month}" for month in range(1, 8)]
    monkeypatch.setattr(full_computation, "CHECKPOINT_REQUESTS", 3)
    with pytest.raises(Stopped):
        await computation(harness, CountingReader(harness, stop_after(8))).run("rules")
    stored = {entry.key for entry in await harness.platform.office.entries(full_computation.COLLECTION)}
    assert stored == {"checkpoint", "count", "2026-01"}
    reader = CountingReader(harness)
    resumed = await computation(harness, reader).run("rules")
    assert resumed == plain
    assert reader.count == REQUESTS - 6


async def test_a_computation_by_other_rules_begins_anew(harness: StaffHarness, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(full_computation, "CHECKPOINT_REQUESTS", 3)
    with pytest.raises(Stopped):
        await computation(harness, CountingReader(harness, stop_after(8))).run("rules")
    reader = CountingReader(harness)
    assert await computation(harness, reader).run("other rules") is not None
    assert reader.count == REQUESTS


async def test_what_changed_during_a_stop_is_found_from_where_the_computation_began(
    harness: StaffHarness, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(full_computation, "CHECKPOINT_REQUESTS", 3)
    before = await harness.services["assignment"].runtime.store.latest_change()
    with pytest.raises(Stopped):
        await computation(harness, CountingReader(harness, stop_after(8))).run("rules")
    await harness.publish(withdrawn, subject=request_id(0))
    resumed = await computation(harness, CountingReader(harness)).run("rules")
    assert resumed is not None
    assert resumed.cursor == before


async def test_of_two_computations_the_one_that_is_ahead_goes_on(
    harness: StaffHarness, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(full_computation, "CHECKPOINT_REQUESTS", 3)

    async def another(read: int) -> None:
        if read == 4:
            with pytest.raises(Stopped):
                await computation(harness, CountingReader(harness, stop_after(5))).run("rules")

    reader = CountingReader(harness, another)
    assert await computation(harness, reader).run("rules") is None
    assert reader.count == 6


@pytest.mark.parametrize("most", [0, 1000])
async def test_all_changes_are_in_the_figures_and_nothing_is_left_of_the_way(
    harness: StaffHarness, monkeypatch: pytest.MonkeyPatch, most: int
):
    monkeypatch.setattr(full_computation, "CHECKPOINT_REQUESTS", 3)
    monkeypatch.setattr(projection, "MAX_CHANGES", most)
    runtime, platform = harness.services["assignment"].runtime, harness.platform
    figures = FiguresProjection(runtime.store, platform.office, lambda: platform.calendar, harness.clock)
    await figures.update()
    for index in (98, 99):
        await harness.publish(submission(index), subject=request_id(index))
        await figures.update()
    entry = await platform.office.get(projection.COLLECTION, f"{harness.clock():%Y-%m}")
    assert entry is not None
    assert sum(cell["submitted"] for _, _, cell in entry.body["cells"]) == 2
    assert await platform.office.entries(full_computation.COLLECTION) == []


async def test_other_work_goes_on_between_the_requests(harness: StaffHarness, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(counted_requests, "SLICE_SECONDS", 0)
    monkeypatch.setattr(counted_requests, "PAGE_SIZE", REQUESTS)
    turns = 0

    async def other_work() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    other = asyncio.create_task(other_work())
    turns_at = list[int]()
    async for _ in CourseReader(harness.services["assignment"].runtime.store).read(submitted_query()):
        turns_at.append(turns)
    other.cancel()
    assert len(turns_at) == len(set(turns_at)) == REQUESTS


async def test_the_dashboard_says_how_far_the_computation_is(harness: StaffHarness):
    await open_sessions(harness.platform)
    office = harness.platform.office
    await office.put(full_computation.COLLECTION, full_computation.COUNT_KEY, {"done": 430_000, "total": 1_000_000})
    shown = visible_text(await page(harness, "hasan", "/dasbor"))
    assert "Sedang dihitung: 430.000 dari 1.000.000" in shown
