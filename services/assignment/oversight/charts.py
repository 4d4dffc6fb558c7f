"""The geometry and texts of charts, whose SVG is in `charts.html`; lengths are in percent."""

from __future__ import annotations

from dataclasses import dataclass

from services.assignment.errors import WORDS
from services.assignment.oversight.presenters import ELEMENT_NAMES
from services.assignment.oversight.satisfaction import ELEMENTS, SurveySums
from shared.web.views.formats import format_decimal

GOOD_QUALITIES = ("A", "B")


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    percent: str
    fill: str
    value: str
    more: str = ""


@dataclass(frozen=True, slots=True)
class BarChart:
    """A chart with the text for people who cannot see it, and the cells of its table."""

    title: str
    label: str
    rows: tuple[Bar, ...]
    cells: tuple[tuple[str, ...], ...]


def survey_chart(sums: SurveySums) -> BarChart | None:
    """Return a bar for each survey element; those of quality C or D are grey. None without answers."""
    means = [mean for mean in map(sums.mean, range(len(ELEMENTS))) if mean is not None]
    if not means:
        return None
    names = [f"{code} {name}" for code, name in zip(ELEMENTS, ELEMENT_NAMES, strict=True)]
    qualities = [sums.element_quality(index) or "" for index in range(len(ELEMENTS))]
    values = [format_decimal(mean, 2) for mean in means]
    bars = tuple(
        Bar(name, f"{float(mean) * 25:.1f}", "c1" if quality in GOOD_QUALITIES else "c3", value, quality)
        for name, mean, value, quality in zip(names, means, values, qualities, strict=True)
    )
    best, worst = means.index(max(means)), means.index(min(means))
    label = WORDS.survey.chart.format(
        best=ELEMENT_NAMES[best].lower(),
        best_mean=values[best],
        worst=ELEMENT_NAMES[worst].lower(),
        worst_mean=values[worst],
    )
    cells = tuple(zip(names, values, qualities, strict=True))
    return BarChart(WORDS.survey.chart_title, label, bars, cells)
