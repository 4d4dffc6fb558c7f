"""The charts of the dashboard: their geometry and their texts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from services.assignment.errors import WORDS
from services.assignment.oversight.chart_shapes import (
    Bar,
    BarChart,
    Column,
    Dot,
    Load,
    LoadChart,
    MonthName,
    MonthsChart,
    Segment,
    Stack,
    StackChart,
    Tick,
)
from services.assignment.oversight.dashboard import LEAD_TARGET, Dashboard
from services.assignment.oversight.periods import month_of
from services.assignment.oversight.presenters import ELEMENT_NAMES
from services.assignment.oversight.satisfaction import ELEMENTS, SurveySums
from shared.contracts.stages import Stage
from shared.web.views.formats import format_decimal

TEXTS = WORDS.dashboard
GOOD_BANDS = ("A", "B")
AGE_FILLS = ("a1", "a2", "c1", "c4")
PLOT_TOP, PLOT_BOTTOM = 14.0, 150.0
PLOT_LEFT = 7.0
"""The first percent of a chart of months is for the numbers of its axis."""
MAX_MONTH_LABELS = 12
DOT_SPACING_PIXELS = 18
MAX_DOTS = 8
"""A lead with more open requests gets no further dots; the number beside them is exact."""


def survey_chart(sums: SurveySums) -> BarChart | None:
    """Return a bar for each survey element; those of band C or D are grey. None without answers."""
    means = [mean for mean in map(sums.mean, range(len(ELEMENTS))) if mean is not None]
    if not means:
        return None
    names = [f"{code} {name}" for code, name in zip(ELEMENTS, ELEMENT_NAMES, strict=True)]
    bands = [sums.element_band(index) or "" for index in range(len(ELEMENTS))]
    values = [format_decimal(mean, 2) for mean in means]
    bars = tuple(
        Bar(name, f"{float(mean) * 25:.1f}", "c1" if band in GOOD_BANDS else "c3", value, band)
        for name, mean, value, band in zip(names, means, values, bands, strict=True)
    )
    best, worst = means.index(max(means)), means.index(min(means))
    label = WORDS.survey.chart.format(
        best=ELEMENT_NAMES[best].lower(),
        best_mean=values[best],
        worst=ELEMENT_NAMES[worst].lower(),
        worst_mean=values[worst],
    )
    head = (WORDS.survey.element, WORDS.survey.mean, WORDS.survey.quality)
    about = WORDS.survey.about.format(n=format_decimal(sums.n, 0))
    cells = tuple(zip(names, values, bands, strict=True))
    return BarChart(title=_survey_title(sums), about=about, label=label, head=head, cells=cells, rows=bars)


def _survey_title(sums: SurveySums) -> str:
    band = str(sums.band)
    values = {"band": band, "label": WORDS.survey.qualities[band]}
    return str(WORDS.survey.chart_title.format(index=format_decimal(sums.ikm, 2), **values))


def open_chart(dashboard: Dashboard) -> StackChart:
    """Return open requests by stage, each bar divided by age."""
    ages = dashboard.open.ages
    longest = max(map(sum, ages.values())) or 1
    fullest = max(Stage, key=lambda stage: sum(ages[stage]))
    rows = tuple(
        Stack(TEXTS.stages[stage.value], _segments(ages[stage], longest), format_decimal(sum(ages[stage]), 0))
        for stage in Stage
    )
    about = _open_about(dashboard, fullest)
    cells = tuple(
        (TEXTS.stages[stage.value], *_numbers((*ages[stage], sum(ages[stage]), dashboard.open.overdue[stage])))
        for stage in Stage
    )
    head = (TEXTS.stage, *TEXTS.ages[:-1], "> 10", TEXTS.sum, TEXTS.overdue)
    label = TEXTS.open_label.format(about=about)
    return StackChart(title=TEXTS.open_title, about=about, label=label, head=head, cells=cells, rows=rows)


def _open_about(dashboard: Dashboard, fullest: Stage) -> str:
    if not dashboard.open.total:
        return str(TEXTS.open_none)
    count = format_decimal(sum(dashboard.open.ages[fullest]), 0)
    late = format_decimal(sum(dashboard.open.overdue.values()), 0)
    values = {"total": format_decimal(dashboard.open.total, 0), "stage": TEXTS.stages[fullest.value].lower()}
    return str(TEXTS.open_about.format(count=count, overdue=late, **values))


def _segments(counts: Sequence[int], longest: int) -> tuple[Segment, ...]:
    segments, x = [], 0.0
    for count, fill in zip(counts, AGE_FILLS, strict=True):
        width = 100 * count / longest
        if count:
            segments.append(Segment(f"{x:.2f}", f"{width:.2f}", fill))
        x += width
    return tuple(segments)


def months_chart(dashboard: Dashboard) -> MonthsChart:
    """Return what came in and what was completed in each month."""
    months = dashboard.months
    step = tick_step(max((max(counts.submitted, counts.completed) for counts in months.values()), default=0))
    highest, width = step * 3, (100 - PLOT_LEFT) / len(months)
    columns, names = [], []
    for index, (month, figures) in enumerate(months.items()):
        left = PLOT_LEFT + index * width
        for place, (count, fill) in enumerate(((figures.submitted, "c1"), (figures.completed, "c3"))):
            height = (PLOT_BOTTOM - PLOT_TOP) * count / highest
            x = left + width * (0.14 + 0.38 * place)
            columns.append(
                Column(
                    x=f"{x:.2f}",
                    width=f"{width * 0.34:.2f}",
                    y=f"{PLOT_BOTTOM - height:.1f}",
                    height=f"{height:.1f}",
                    fill=fill,
                )
            )
        if index % -(-len(months) // MAX_MONTH_LABELS) == 0:
            names.append(MonthName(f"{left + width / 2:.2f}", _short_month(month), only_wide=index % 2 == 1))
    ticks = tuple(
        Tick(f"{PLOT_BOTTOM - (PLOT_BOTTOM - PLOT_TOP) * number / 3:.1f}", format_decimal(step * number, 0))
        for number in range(4)
    )
    values = [(_month_name(month), counts.submitted, counts.completed) for month, counts in months.items()]
    cells = tuple((name, *_numbers((came, done)), _difference(came - done)) for name, came, done in values)
    figures = dashboard.figures
    about = TEXTS.months_about.format(
        submitted=format_decimal(figures.submitted, 0), completed=format_decimal(figures.completed, 0)
    )
    label = TEXTS.months_label.format(first=values[0][0], last=values[-1][0], about=about)
    head = (TEXTS.month, TEXTS.submitted, TEXTS.completed, TEXTS.difference)
    return MonthsChart(
        title=TEXTS.months_title,
        about=about,
        label=label,
        head=head,
        cells=cells,
        ticks=ticks,
        columns=tuple(columns),
        names=tuple(names),
    )


def tick_step(highest: int) -> int:
    """Return a third of the top of an axis: a round number, so that three steps hold the highest value."""
    step, power = 1, 1
    while step * 3 < highest:
        step = next((factor * power for factor in (2, 5) if factor * power > step), 10 * power)
        power = power * 10 if step == 10 * power else power
    return step


def leads_chart(dashboard: Dashboard) -> LoadChart:
    """Return the open requests of each lead, the busiest first; overdue ones are red."""
    leads = sorted(dashboard.leads, key=lambda lead: (-lead["open"], lead["name"]))
    width = min(max([LEAD_TARGET + 2, *(lead["open"] for lead in leads)]), MAX_DOTS)
    rows = tuple(
        Load(lead["name"], _dots(lead["open"], lead["overdue"], width), format_decimal(lead["open"], 0))
        for lead in leads
    )
    described = [TEXTS.lead_label.format(**lead) for lead in leads]
    cells = tuple(
        (lead["name"], *_numbers((lead["open"], lead["overdue"], LEAD_TARGET)), _difference(LEAD_TARGET - lead["open"]))
        for lead in leads
    )
    return LoadChart(
        title=TEXTS.leads_title,
        about=TEXTS.leads_about.format(target=LEAD_TARGET),
        label=" ".join((TEXTS.leads_label.format(target=LEAD_TARGET), *described)),
        head=(TEXTS.name, TEXTS.open, TEXTS.overdue, TEXTS.target, TEXTS.rest),
        cells=cells,
        rows=rows,
        target_x=LEAD_TARGET * DOT_SPACING_PIXELS,
        target=LEAD_TARGET,
    )


def _dots(count: int, overdue: int, width: int) -> tuple[Dot, ...]:
    kinds = ["hot"] * overdue + ["on"] * (count - overdue) + ["free"] * (width - count)
    return tuple(
        Dot(DOT_SPACING_PIXELS // 2 + DOT_SPACING_PIXELS * place, kind) for place, kind in enumerate(kinds[:width])
    )


def returns_chart(dashboard: Dashboard) -> BarChart | None:
    """Return how often rounds were returned for each checklist item, the most frequent first. None without returns."""
    counts = dashboard.figures.failed_items
    total, most = sum(counts.values()), max(counts.values(), default=0)
    if not total:
        return None
    bars = tuple(
        Bar(
            label,
            f"{100 * counts[item] / most:.1f}",
            "c2",
            format_decimal(counts[item], 0),
            f"{100 * counts[item] / total:.0f}%",
        )
        for item, label in dashboard.checklist.items()
    )
    cells = tuple(
        (label, *_numbers((counts[item],)), f"{format_decimal(100 * counts[item] / total, 1)}%")
        for item, label in dashboard.checklist.items()
    )
    about = TEXTS.returns_about.format(items=_numbers((total,))[0], returns=_numbers((dashboard.figures.returned,))[0])
    [first, *_] = dashboard.checklist
    label = TEXTS.returns_label.format(item=dashboard.checklist[first], count=counts[first])
    head = (TEXTS.item, TEXTS.sum, TEXTS.part)
    return BarChart(title=TEXTS.returns_title, about=about, label=label, head=head, cells=cells, rows=bars)


def sparkline(values: Sequence[float | None]) -> tuple[str, str] | None:
    """Return the points and the last y of a line of 120 x 32 pixels; None for fewer than two values."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    low, high = min(known), max(known)
    step = 110 / (len(known) - 1)
    heights = [f"{27 - 22 * ((value - low) / (high - low) if high > low else 0.5):.1f}" for value in known]
    return " ".join(f"{3 + index * step:.1f},{y}" for index, y in enumerate(heights)), heights[-1]


def _numbers(counts: Sequence[int]) -> tuple[str, ...]:
    return tuple(format_decimal(count, 0) for count in counts)


def _difference(value: int) -> str:
    return f"+{value}" if value > 0 else f"\u2212{-value}" if value else "0"


def _month_name(month: str) -> str:
    return month_of(date.fromisoformat(f"{month}-01")).label


def _short_month(month: str) -> str:
    return "Agu" if month.endswith("-08") else _month_name(month)[:3]
