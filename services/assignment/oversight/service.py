"""The application service of oversight, which its API and pages call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date

from services.assignment.domain.state import State
from services.assignment.oversight.dashboard import (
    Dashboard,
    FiguresReader,
    checklist_labels,
    count_open_requests,
    stage_targets,
    year_before,
)
from services.assignment.oversight.figures import merge
from services.assignment.oversight.periods import Period, split_into_months
from services.assignment.oversight.public_figures import PublicFigures, public_figures, public_period, survey_period
from services.assignment.oversight.register import RegisterEntry, register_entry
from services.assignment.oversight.satisfaction import SurveySums
from services.assignment.service import AssignmentService
from shared.backends.platform import Platform
from shared.calendar import today
from shared.contracts.facts import Scope
from shared.storage.port import RecordQuery, Scalar, sortable_time

PAGE_SIZE = 200
MAX_COMMENTS = 1000
MAX_ANSWERS_READ = 5_000
"""Of more answers, whole months are taken from the stored figures, and comments from the newest answers."""


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

    def today(self) -> date:
        """Return the current date in Halmahera Timur."""
        return today(self._platform.clock())

    async def survey_report(self, period: Period, scope: Scope | None = None) -> SurveyReport:
        """Return the satisfaction report of the months of a period; of very many answers, those of the last minutes may be missing.

        A report of single days would show who answered: everybody sees on which day a request was completed.
        """
        period = period.whole_months
        if await self._count_answers(period) > MAX_ANSWERS_READ:
            sums, comments = await self._stored_sums(period, scope), await self._newest_comments(period, scope)
        else:
            sums, comments = await self._read_answers(period, scope)
        # Alphabetical, because the order of time would show to which request a comment belongs.
        return SurveyReport(period, scope, sums, tuple(sorted(comments[-MAX_COMMENTS:], key=str.casefold)))

    async def _count_answers(self, period: Period) -> int:
        begin, end = {"surveyed_at": sortable_time(period.begin)}, {"surveyed_at": sortable_time(period.end)}
        return await self._executor.count(RecordQuery("surveyed_at", at_least=begin, below=end))

    async def _read_answers(self, period: Period, scope: Scope | None) -> tuple[SurveySums, list[str]]:
        sums, comments = SurveySums(), []
        async for state in self._states("surveyed_at", period, scope):
            if state.survey:
                sums = sums.add(1, state.survey.scores)
                comments += [state.survey.comment] if state.survey.comment.strip() else []
        return sums, comments

    async def _stored_sums(self, period: Period, scope: Scope | None) -> SurveySums:
        """Return the sums of the stored months, and of the answers in months that are not whole in the period."""
        whole, parts = split_into_months(period, self.today())
        sums = merge((await self._figures.months(whole, scope)).values()).survey if whole else SurveySums()
        for part in parts:
            read, _ = await self._read_answers(part, scope)
            sums = sums.add(read.n, read.scores)
        return sums

    async def _newest_comments(self, period: Period, scope: Scope | None) -> list[str]:
        """Return the comments of the newest answers, the newest last."""
        before: tuple[Scalar, str] | None = (sortable_time(period.end), "")
        begin, comments, read = {"surveyed_at": sortable_time(period.begin)}, list[str](), 0
        while before and read < MAX_ANSWERS_READ:
            query = RecordQuery("surveyed_at", at_least=begin, after=before, limit=PAGE_SIZE, descending=True)
            found = await self._executor.find(query)
            states = [loaded.state for loaded in found.items if scope is None or loaded.state.scope is scope]
            texts = [state.survey.comment for state in states if state.survey]
            comments += [text for text in texts if text.strip()]
            read, before = read + len(found.items), found.next
        return comments[::-1]

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
        )

    async def public_figures(self) -> PublicFigures:
        """Return the figures that everybody may read."""
        day = self.today()
        months = await self._figures.months(public_period(day))
        return public_figures(day, months, await self._figures.months(survey_period(day)))

    async def register(self, month: Period) -> list[RegisterEntry]:
        """Return the register of a month."""
        lines = [register_entry(state) async for state in self._states("submitted_at", month, None)]
        return [line for line in lines if line]

    async def _states(self, column: str, period: Period, scope: Scope | None) -> AsyncIterator[State]:
        """Yield the states with a time in the period in this column, oldest first."""
        after: tuple[Scalar, str] = (sortable_time(period.begin), "")
        query = RecordQuery(column, below={column: sortable_time(period.end)}, after=after, limit=PAGE_SIZE)
        async for loaded in self._executor.find_all(query):
            # The scope is tested here, so that the index of the time is read and no other.
            if scope is None or loaded.state.scope is scope:
                yield loaded.state
