"""The figures of the dashboard: months from the stored figures, and open requests from counts by index."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from services.assignment.domain.state import State
from services.assignment.oversight.comments import MAX_COMMENTS, newest_of_month
from services.assignment.oversight.figures import Figures, MonthFilter, merge, month_from_json
from services.assignment.oversight.full_computation import COLLECTION as PROGRESS
from services.assignment.oversight.full_computation import COUNT_KEY
from services.assignment.oversight.periods import Period, months_between
from services.assignment.oversight.projection import COLLECTION, COMMENTS, TOTALS, UPDATED_AT_KEY
from services.assignment.oversight.satisfaction import SurveySums
from shared.calendar import WorkingCalendar
from shared.contracts.checklist import Checklists
from shared.contracts.facts import Scope
from shared.contracts.lifecycle import Status
from shared.contracts.stages import Stage, StageRules
from shared.office.port import OfficeStore
from shared.runtime.executor import Executor
from shared.storage.port import RecordQuery, Scalar

AGE_LIMITS = (2, 5, 10)
"""Ages of open requests are counted up to these numbers of working days in the stage, and above."""
LEAD_TARGET = 6
"""How many open requests a lead should have at most."""


@dataclass(frozen=True, slots=True)
class OpenRequests:
    """Open requests by stage: `ages` by the limits of age, and those past their due date."""

    ages: Mapping[Stage, tuple[int, ...]]
    overdue: Mapping[Stage, int]
    oldest_due: date | None

    @property
    def total(self) -> int:
        return sum(map(sum, self.ages.values()))


@dataclass(frozen=True, slots=True)
class Dashboard:
    """`months` has the figures of each month of the period, `figures` those of all; `before` is the same time a year earlier.

    `checklist` has the wording of the items that are checked or were in this period, by id. `progress` is how many requests have
    been counted, and of how many, while the figures of all are computed.
    """

    period: Period
    scope: Scope | None
    unit: str
    months: Mapping[str, Figures]
    figures: Figures
    before: Figures
    open: OpenRequests
    leads: tuple[Mapping[str, Any], ...]
    targets: Mapping[Stage, int]
    checklist: Mapping[str, str]
    updated_at: datetime | None
    progress: tuple[int, int] | None = None


class FiguresReader:
    """Reads the stored figures; the cost depends on the number of months alone."""

    def __init__(self, office: OfficeStore) -> None:
        self._office = office

    async def months(self, period: Period, scope: Scope | None = None, unit: str = "") -> dict[str, Figures]:
        """Return the figures of each month of the period, empty ones for a month in which nothing happened."""
        return {
            name: month_from_json(body, _filter(scope, unit)) if body else Figures()
            for name, body in (await self._bodies(period, unit)).items()
        }

    async def survey_sums(self, period: Period, scope: Scope | None) -> SurveySums:
        """Return the sums of the answers of the period."""
        return merge((await self.months(period, scope)).values()).survey

    async def newest_comments(self, period: Period, scope: Scope | None) -> list[str]:
        """Return the newest comments of the period, at most MAX_COMMENTS."""
        comments = list[str]()
        for name in reversed(list(months_between(period.first, period.last))):
            entry = await self._office.get(COMMENTS, name)
            comments += newest_of_month(entry.body, scope) if entry else []
            if len(comments) >= MAX_COMMENTS:
                break
        return comments[:MAX_COMMENTS]

    async def _bodies(self, period: Period, unit: str) -> dict[str, Mapping[str, Any] | None]:
        names = list(months_between(period.first, period.last))
        return dict(zip(names, await asyncio.gather(*(self._body(name, unit) for name in names)), strict=True))

    async def _body(self, month: str, unit: str) -> Mapping[str, Any] | None:
        """Return a stored month, without its units unless one is asked for; an earlier version stored no totals."""
        entry = None if unit else await self._office.get(TOTALS, month)
        entry = entry or await self._office.get(COLLECTION, month)
        return entry.body if entry else None

    async def updated_at(self) -> datetime | None:
        """Return when the figures were last recomputed."""
        entry = await self._office.get(COLLECTION, UPDATED_AT_KEY)
        return datetime.fromisoformat(entry.body["at"]) if entry else None

    async def progress(self) -> tuple[int, int] | None:
        """Return how many requests have been counted, and of how many, None unless the figures of all are being computed."""
        entry = await self._office.get(PROGRESS, COUNT_KEY)
        return (entry.body["done"], entry.body["total"]) if entry else None


def _filter(scope: Scope | None, unit: str) -> MonthFilter:
    return lambda key: (scope is None or key[0] == scope.value) and (not unit or key[1] == unit)


def year_before(period: Period) -> Period:
    """Return the same months of the year before."""
    first = period.first.replace(day=1, year=period.first.year - 1)
    last = period.last.replace(day=1, year=period.last.year - 1)
    return Period(first, last)


def checklist_labels(checklists: Checklists, figures: Figures, scope: Scope | None) -> dict[str, str]:
    """Return the wording of the items in use and of those that rounds were returned for, by id, the most frequent first."""
    labels, counts = checklists.labels(scope), figures.failed_items
    ids = dict.fromkeys((*checklists.ids_in_use(scope), *counts))
    return {one: labels.get(one, one) for one in sorted(ids, key=lambda one: -counts[one])}


def stage_targets(rules: StageRules) -> dict[Stage, int]:
    """Return the working days within which a stage should end; that of a reply is the longer of its two."""
    return {
        Stage.VERIFY: rules.verify_days,
        Stage.APPOINT: rules.appoint_days,
        Stage.START: rules.start_days,
        Stage.WORK: rules.work_days,
        Stage.REPLY: max(rules.days_of(Status.RETURNED), rules.days_of(Status.ON_HOLD)),
        Stage.CONFIRM: rules.confirm_days,
    }


async def count_open_requests(
    executor: Executor[State], calendar: WorkingCalendar, day: date, scope: Scope | None = None, unit: str = ""
) -> OpenRequests:
    """Count open requests by stage and age, by index."""
    where: dict[str, Scalar | tuple[Scalar, ...]] = {"open": 1}
    if scope:
        where["scope"] = scope.value
    if unit:
        where["unit"] = unit
    bounds = [calendar.earliest_day_within(limit, day).isoformat() for limit in AGE_LIMITS]
    ages, overdue = {}, {}
    for stage in Stage:
        query = {**where, "stage": stage.value}
        older = [await executor.count(RecordQuery("due", where=query))]
        older += [
            await executor.count(RecordQuery("due", where=query, below={"stage_since": bound})) for bound in bounds
        ]
        ages[stage] = tuple(count - other for count, other in zip(older, [*older[1:], 0], strict=True))
        overdue[stage] = await executor.count(RecordQuery("due", where=query, below={"due": day.isoformat()}))
    return OpenRequests(ages, overdue, await _oldest_due(executor, where, day))


async def _oldest_due(
    executor: Executor[State], where: Mapping[str, Scalar | tuple[Scalar, ...]], day: date
) -> date | None:
    stages = tuple(stage.value for stage in Stage)
    query = RecordQuery("due", where={**where, "stage": stages}, below={"due": day.isoformat()}, limit=1)
    page = await executor.store.find(query)
    return date.fromisoformat(str(page.keys[0][0])) if page.keys else None
