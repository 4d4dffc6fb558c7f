"""The figures that everybody may read: sums over whole months and quarters, in which no single answer can be recognised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from services.assignment.oversight.figures import TOTAL, Figures, median, merge
from services.assignment.oversight.periods import Period, months_back
from services.assignment.oversight.satisfaction import SurveySums

MIN_COUNT = 5
"""Fewer completed requests have no median, and a quarter with fewer answers is left out.

A quarter enters and leaves the figures as a whole, so that two publications never differ by fewer answers.
"""


@dataclass(frozen=True, slots=True)
class PublicFigures:
    """`requests` and `median_days` belong to the last twelve whole months, `survey` to the last four whole quarters."""

    period: Period
    requests: int
    completed: int
    median_days: float | None
    survey_period: Period
    survey: SurveySums


def public_period(today: date) -> Period:
    """Return the last twelve whole months."""
    return Period(months_back(today, 12), today.replace(day=1) - timedelta(days=1))


def survey_period(today: date) -> Period:
    """Return the last four whole quarters."""
    quarter = today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1)
    return Period(months_back(quarter, 12), quarter - timedelta(days=1))


def public_figures(today: date, months: Mapping[str, Figures], survey_months: Mapping[str, Figures]) -> PublicFigures:
    """Return the public figures from those of the months of both periods."""
    whole = merge(months.values())
    days: Mapping[int, int] = whole.days.get(TOTAL, {})
    middle = median(days) if whole.completed >= MIN_COUNT else None
    in_order = [survey_months[month] for month in sorted(survey_months)]
    survey = SurveySums()
    for start in range(0, len(in_order), 3):
        quarter = merge(in_order[start : start + 3]).survey
        if quarter.n >= MIN_COUNT:
            survey = survey.add(quarter.n, quarter.scores)
    return PublicFigures(public_period(today), whole.submitted, whole.completed, middle, survey_period(today), survey)
