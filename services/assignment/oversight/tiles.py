"""The tiles at the top of the dashboard: a figure each, what it means, and its course over the months."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from services.assignment.errors import WORDS
from services.assignment.oversight.charts import sparkline
from services.assignment.oversight.dashboard import Dashboard
from services.assignment.oversight.figures import Figures, median, ninetieth_percentile
from services.assignment.oversight.stage_chart import format_days
from shared.calendar import WorkingCalendar
from shared.contracts.stages import Stage
from shared.web.views.formats import format_decimal
from shared.web.views.navigation import OVERDUE

TEXTS = WORDS.dashboard


@dataclass(frozen=True, slots=True)
class Tile:
    """`line` are the points of a sparkline and the height of its end."""

    title: str
    value: str
    about: str
    unit: str = ""
    line: tuple[str, str] | None = None
    address: str = ""


def tiles(dashboard: Dashboard, today: date, calendar: WorkingCalendar) -> tuple[Tile, ...]:
    return (
        _open_tile(dashboard, today),
        _overdue_tile(dashboard, today, calendar),
        _median_tile(dashboard),
        _satisfaction_tile(dashboard),
    )


def _open_tile(dashboard: Dashboard, today: date) -> Tile:
    month = dashboard.months.get(f"{today:%Y-%m}")
    about = _open_about(month) if month else ""
    line = sparkline(_open_at_month_ends(dashboard)) if month else None
    return Tile(TEXTS.open_tile, format_decimal(dashboard.open.total, 0), about, line=line)


def _open_about(month: Figures) -> str:
    submitted, completed = format_decimal(month.submitted, 0), format_decimal(month.completed, 0)
    return str(TEXTS.open_month.format(submitted=submitted, completed=completed))


def _open_at_month_ends(dashboard: Dashboard) -> list[float | None]:
    """Return how many requests were open at the end of each month, counted back from now."""
    count, counts = dashboard.open.total, list[float | None]()
    for month in list(dashboard.months.values())[::-1]:
        counts.append(count)
        count -= month.submitted - month.ended
    return counts[::-1]


def _overdue_tile(dashboard: Dashboard, today: date, calendar: WorkingCalendar) -> Tile:
    overdue, oldest = dashboard.open.overdue, dashboard.open.oldest_due
    about = str(TEXTS.overdue_none)
    if oldest:
        most = max(Stage, key=lambda stage: overdue[stage])
        about = TEXTS.overdue_most.format(
            count=overdue[most],
            stage=TEXTS.stages[most.value].lower(),
            days=calendar.working_days_between(oldest, today),
        )
    return Tile(TEXTS.overdue_tile, format_decimal(sum(overdue.values()), 0), about, address=OVERDUE)


def _median_tile(dashboard: Dashboard) -> Tile:
    work = Stage.WORK.value
    histogram: Mapping[int, int] = dashboard.figures.days.get(work, {})
    line = sparkline([median(month.days.get(work, {})) for month in dashboard.months.values()])
    about = str(TEXTS.median_none)
    if histogram:
        about = TEXTS.median_about.format(p90=ninetieth_percentile(histogram), target=dashboard.targets[Stage.WORK])
    return Tile(TEXTS.median_tile, format_days(median(histogram)), about, TEXTS.days if histogram else "", line)


def _satisfaction_tile(dashboard: Dashboard) -> Tile:
    survey, before = dashboard.figures.survey, dashboard.before.survey.ikm
    if survey.ikm is None or survey.band is None:
        return Tile(TEXTS.ikm_tile, "-", WORDS.survey.no_answers)
    sentence = TEXTS.ikm_about if before is None else TEXTS.ikm_before
    about = sentence.format(
        band=survey.band,
        label=WORDS.survey.qualities[survey.band],
        before="" if before is None else format_decimal(before, 2),
    )
    indexes = [month.survey.ikm for month in dashboard.months.values()]
    line = sparkline([None if index is None else float(index) for index in indexes])
    return Tile(TEXTS.ikm_tile, format_decimal(survey.ikm, 2), about, line=line)
