"""The dashboard as PDF: what each chart says, and its table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from services.assignment.errors import WORDS
from services.assignment.handover_record.pdf_layout import LEFT, LINE_HEIGHT, RIGHT
from services.assignment.handover_record.pdf_table import Column, table
from services.assignment.oversight import charts, stage_chart
from services.assignment.oversight.chart_shapes import Chart
from services.assignment.oversight.dashboard import Dashboard
from services.assignment.oversight.pdf_report import start_report
from services.assignment.oversight.presenters import scope_name

WIDTH = RIGHT - LEFT
NUMBER_WIDTH = 18.0
HEAD_HEIGHT = 24.0
"""A chart begins on the next page if there is no space for its title and a row."""


def dashboard_pdf(dashboard: Dashboard, day: date) -> bytes:
    """Render the dashboard; `day` is that on which it is made. Takes a while: run it in a thread."""
    subtitles = [
        WORDS.survey.period.format(period=dashboard.period.label),
        f"{scope_name(dashboard.scope)}, {dashboard.unit or WORDS.period.all_units}",
    ]
    layout = start_report(WORDS.dashboard.title, subtitles, day)
    for chart in _charts(dashboard):
        layout.ensure_space(HEAD_HEIGHT)
        layout.text(LEFT, chart.title, bold=True)
        layout.y += LINE_HEIGHT
        layout.paragraph(chart.about)
        first = WIDTH - NUMBER_WIDTH * (len(chart.head) - 1)
        widths = [first] + [NUMBER_WIDTH] * (len(chart.head) - 1)
        columns = [
            Column(name, width, number=index > 0)
            for index, (name, width) in enumerate(zip(chart.head, widths, strict=True))
        ]
        table(layout, columns, chart.cells)
    return layout.output()


def _charts(dashboard: Dashboard) -> Iterator[Chart]:
    yield charts.open_chart(dashboard)
    yield charts.months_chart(dashboard)
    yield stage_chart.stages_chart(dashboard)
    if dashboard.leads:
        yield charts.leads_chart(dashboard)
    for chart in (charts.returns_chart(dashboard), charts.survey_chart(dashboard.figures.survey)):
        if chart:
            yield chart
