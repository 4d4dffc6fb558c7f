"""The application service of oversight, which its API and pages call."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from services.assignment.oversight.counted_requests import CourseReader
from services.assignment.oversight.dashboard import (
    Dashboard,
    FiguresReader,
    checklist_labels,
    count_open_requests,
    stage_targets,
    year_before,
)
from services.assignment.oversight.figures import merge
from services.assignment.oversight.periods import Period
from services.assignment.oversight.public_figures import PublicFigures, public_figures, public_period, survey_period
from services.assignment.oversight.register import MAX_REGISTER_ENTRIES, RegisterPart, register_entry
from services.assignment.oversight.satisfaction import SurveySums
from services.assignment.projections import period_query
from services.assignment.service import AssignmentService
from shared.backends.platform import Platform
from shared.calendar import today
from shared.contracts.facts import Scope
from shared.runtime.request_columns import PageKey

MAX_ANSWERS_READ = 500
"""Of more answers, sums and comments are taken from the stored figures."""


@dataclass(frozen=True, slots=True)
class SurveyReport:
    """The answers of a period: their sums, and the newest comments, in no relation to a request."""

    period: Period
    scope: Scope | None
    sums: SurveySums
    comments: tuple[str, ...]


class OversightService:
    """Figures and reports about all requests."""

    def __init__(self, assignment: AssignmentService, platform: Platform) -> None:
        self._assignment = assignment
        self._executor = assignment.executor
        self._platform = platform
        self._figures = FiguresReader(platform.office)
        self._reader = CourseReader(assignment.store, pauses=False)

    def today(self) -> date:
        """Return the current date in Halmahera Timur."""
        return today(self._platform.clock())

    async def survey_report(self, period: Period, scope: Scope | None = None) -> SurveyReport:
        """Return the satisfaction report of the months of a period; of many answers, those of the last minutes may be missing.

        A report of single days would show who answered: everybody sees on which day a request was completed.
        """
        period = period.whole_months
        answers = await self._read_answers(period, scope)
        sums, comments = answers or (
            await self._figures.survey_sums(period, scope),
            await self._figures.newest_comments(period, scope),
        )
        # Alphabetical, because the order of time would show to which request a comment belongs.
        return SurveyReport(period, scope, sums, tuple(sorted(comments, key=str.casefold)))

    async def _read_answers(self, period: Period, scope: Scope | None) -> tuple[SurveySums, list[str]] | None:
        """Return the sums and the comments of the answers of a period, None if they are too many to read."""
        if (await self._figures.survey_sums(period, None)).n > MAX_ANSWERS_READ:
            return None
        sums, comments, read = SurveySums(), list[str](), 0
        answers = period_query("surveyed_at", period.begin, period.end)
        async for _, _, course in self._reader.read(answers):
            read += 1
            if read > MAX_ANSWERS_READ:
                return None
            # The scope is tested here, so that the index of the time is read and no other.
            if course.survey and scope in (None, course.scope):
                sums = sums.add(1, course.survey.scores)
                comments += [course.survey.comment] if course.survey.comment.strip() else []
        return sums, comments

    async def dashboard(self, period: Period, scope: Scope | None = None, unit: str = "") -> Dashboard:
        """Return the figures of the whole months of a period, and of the requests that are open now."""
        months = await self._figures.months(period, scope, unit)
        before = await self._figures.months(year_before(period), scope, unit)
        rules, figures = self._assignment.rules, merge(months.values())
        return Dashboard(
            period=period,
            scope=scope,
            unit=unit,
            months=months,
            figures=figures,
            before=merge(before.values()),
            open=await count_open_requests(self._executor, rules.calendar, self.today(), scope, unit),
            leads=tuple(await self._assignment.list_workloads()),
            targets=stage_targets(rules),
            checklist=checklist_labels(self._assignment.platform.checklists(), figures, scope),
            updated_at=await self._figures.updated_at(),
            progress=await self._figures.progress(),
        )

    async def public_figures(self) -> PublicFigures:
        """Return the figures that everybody may read."""
        day = self.today()
        months = await self._figures.months(public_period(day))
        return public_figures(day, months, await self._figures.months(survey_period(day)))

    async def register(
        self, month: Period, after: PageKey = None, before: PageKey = None, limit: int = MAX_REGISTER_ENTRIES
    ) -> RegisterPart:
        """Return the part of the register of a month that follows or precedes a key."""
        whole = period_query("submitted_at", month.begin, month.end)
        found = await self._executor.find(replace(whole, after=after, before=before, limit=limit))
        entries = [entry for loaded in found.items if (entry := register_entry(loaded.state))]
        total = await self._executor.count(whole)
        first = 1
        if found.previous:
            first += (await self._executor.bounded_count(whole, found.previous)).number
        return RegisterPart(tuple(entries), first, total, found.next, found.previous)
