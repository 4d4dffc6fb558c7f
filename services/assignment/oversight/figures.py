"""Monthly figures by scope and unit; months, scopes and units merge, because durations are kept as histograms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache, partial
from typing import Any

from services.assignment.domain.state import SurveyAnswers
from services.assignment.oversight.comments import MonthComments
from services.assignment.oversight.counted_requests import CountedRequest
from services.assignment.oversight.satisfaction import SurveySums
from services.assignment.oversight.stage_visits import ENDING_EVENTS, stage_visits
from shared.calendar import WorkingCalendar, today
from shared.contracts.facts import Scope
from shared.work_units import WORK_UNITS

TOTAL = "total"
"""The duration from the submission of a completed request to its last handover."""
OTHER_UNIT = "Lainnya"
LISTED_UNITS = frozenset(unit.name for unit in WORK_UNITS)
_COUNTS = ("submitted", "completed", "ended", "returned")

CellKey = tuple[str, str]
"""Scope and unit."""


@dataclass(slots=True)
class Figures:
    """Counts of what happened; `days` has by stage how many visits took how many working days."""

    submitted: int = 0
    completed: int = 0
    ended: int = 0
    returned: int = 0
    failed_items: Counter[str] = field(default_factory=Counter)
    days: dict[str, Counter[int]] = field(default_factory=dict)
    survey: SurveySums = field(default_factory=SurveySums)

    def add_days(self, name: str, days: int, count: int = 1) -> None:
        histogram = self.days.get(name)
        if histogram is None:
            histogram = self.days[name] = Counter()
        histogram[days] += count

    def merge(self, other: Figures) -> None:
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.failed_items.update(other.failed_items)
        for name, histogram in other.days.items():
            for days, count in histogram.items():
                self.add_days(name, days, count)
        self.survey = self.survey.add(other.survey.n, other.survey.scores)

    def merge_json(self, body: Mapping[str, Any]) -> None:
        """Merge stored figures, of which a page reads thousands."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + body[name])
        for item, count in body["failed_items"].items():
            self.failed_items[item] += count
        for name, stored in body["days"].items():
            for days, count in stored.items():
                self.add_days(name, int(days), count)
        n, *scores = body["survey"]
        if n:
            self.survey = self.survey.add(n, scores)

    def to_json(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in _COUNTS},
            "failed_items": dict(sorted(self.failed_items.items())),
            "days": {
                name: {str(d): n for d, n in sorted(histogram.items())} for name, histogram in sorted(self.days.items())
            },
            "survey": [self.survey.n, *self.survey.scores],
        }


def figures_from_json(body: Mapping[str, Any]) -> Figures:
    figures = Figures()
    figures.merge_json(body)
    return figures


def merge(figures: Iterable[Figures]) -> Figures:
    merged = Figures()
    for part in figures:
        merged.merge(part)
    return merged


def median(histogram: Mapping[int, int]) -> float | None:
    """Return the median of whole days, half a day between two middle ones; None without values."""
    count = sum(histogram.values())
    if not count:
        return None
    return (_nth(histogram, (count + 1) // 2) + _nth(histogram, count // 2 + 1)) / 2


def ninetieth_percentile(histogram: Mapping[int, int]) -> int | None:
    """Return the smallest number of days within which nine of ten are done; None without values."""
    count = sum(histogram.values())
    return _nth(histogram, -(-count * 9 // 10)) if count else None


def _nth(histogram: Mapping[int, int], position: int) -> int:
    seen = 0
    for days in sorted(histogram):
        seen += histogram[days]
        if seen >= position:
            return days
    raise ValueError(position)


def unit_name(unit: str) -> str:
    """Return the unit if the form offers it, otherwise one name for all others, so that months stay small."""
    return unit if unit in LISTED_UNITS else OTHER_UNIT


class MonthlyTally:
    """Adds requests to the figures and comments of months; earlier months than `first_month` are left out."""

    def __init__(self, calendar: WorkingCalendar, first_month: str = "") -> None:
        self.months: dict[str, dict[CellKey, Figures]] = {}
        self.comments: dict[str, MonthComments] = {}
        self._first_month, self._left_out = first_month, Figures()
        # The days of requests recur, and a stage of months is long to count.
        self._days_between = cache(partial(_days_between, calendar))

    def add(self, request: CountedRequest) -> None:
        """Add everything that happened to a request, each to the month in which it happened."""
        if request.applicant is None or request.scope is None or request.submitted_at is None:
            return
        key = request.scope.value, unit_name(request.applicant.unit)
        submitted = today(request.submitted_at)
        self._figures(submitted, key).submitted += 1
        for visit in stage_visits(request.history, self._days_between):
            self._figures(visit.ended, key).add_days(visit.stage.value, visit.days)
        for failed in request.failed_checklists:
            figures = self._figures(today(failed.at), key)
            figures.returned += 1
            figures.failed_items.update(failed.items)
        if request.survey:
            day = today(request.survey.at)
            figures = self._figures(day, key)
            figures.survey = figures.survey.add(1, request.survey.scores)
            self._add_comment(day, request.scope, request.survey)
        self._add_end(request, key, submitted)

    def comments_of(self, month: str) -> dict[str, Any]:
        """Return the newest comments of a month as JSON."""
        return self.comments[month].to_json() if month in self.comments else {}

    def drop_before(self, month: str) -> None:
        """Drop the earlier months, and leave out what is added to them."""
        self._first_month = month
        for of_months in (self.months, self.comments):
            for name in [name for name in of_months if name < month]:
                del of_months[name]

    def _add_end(self, request: CountedRequest, key: CellKey, submitted: date) -> None:
        end = next((entry for entry in request.history if entry.event in ENDING_EVENTS), None)
        if end is None:
            return
        figures = self._figures(today(end.time), key)
        figures.ended += 1
        handover = _last_handover(request)
        if end.event == "HandoverConfirmed" and handover:
            figures.completed += 1
            figures.add_days(TOTAL, self._days_between(submitted, today(handover)))

    def _add_comment(self, day: date, scope: Scope, survey: SurveyAnswers) -> None:
        month = _month_of(day)
        if month >= self._first_month and survey.comment.strip():
            self.comments.setdefault(month, MonthComments()).add(scope, survey)

    def _figures(self, day: date, key: CellKey) -> Figures:
        month = _month_of(day)
        if month < self._first_month:
            return self._left_out
        cells = self.months.setdefault(month, {})
        figures = cells.get(key)
        if figures is None:
            figures = cells[key] = Figures()
        return figures


def _month_of(day: date) -> str:
    return day.isoformat()[:7]


def _days_between(calendar: WorkingCalendar, start: date, end: date) -> int:
    """Count the working days; none if events of two services crossed."""
    return max(0, calendar.working_days_between(start, end))


def _last_handover(request: CountedRequest) -> datetime | None:
    return next((entry.time for entry in reversed(request.history) if entry.event == "WorkCompleted"), None)


MonthFilter = Callable[[CellKey], bool]


def month_to_json(cells: Mapping[CellKey, Figures]) -> dict[str, Any]:
    return {"cells": [[*key, figures.to_json()] for key, figures in sorted(cells.items())]}


def scope_totals(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored month with one cell for each scope, in which all units are merged."""
    totals: dict[CellKey, Figures] = {}
    for scope, _, cell in body["cells"]:
        totals.setdefault((scope, ""), Figures()).merge_json(cell)
    return month_to_json(totals)


def cells_from_json(body: Mapping[str, Any]) -> dict[CellKey, Figures]:
    return {(scope, unit): figures_from_json(cell) for scope, unit, cell in body["cells"]}


def month_from_json(body: Mapping[str, Any], wanted: MonthFilter = lambda _key: True) -> Figures:
    """Return the merged figures of the wanted scopes and units of a month."""
    figures = Figures()
    for scope, unit, cell in body["cells"]:
        if wanted((scope, unit)):
            figures.merge_json(cell)
    return figures
