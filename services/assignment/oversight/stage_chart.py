"""The chart of how long the stages take, against their targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.assignment.oversight.chart_shapes import Span, SpanChart
from services.assignment.oversight.charts import TEXTS, tick_step
from services.assignment.oversight.dashboard import Dashboard
from services.assignment.oversight.figures import median, ninetieth_percentile
from shared.contracts.stages import Stage
from shared.web.views.formats import format_decimal


class StageSpan(NamedTuple):
    """A stage with the median and the 90th percentile of its working days, None without visits, and its target."""

    stage: Stage
    median: float | None
    p90: int | None
    target: int

    @property
    def name(self) -> str:
        return str(TEXTS.stages[self.stage.value])


def stages_chart(dashboard: Dashboard) -> SpanChart:
    """Return the median and the 90th percentile of each stage's working days, and its target."""
    spans = _stage_spans(dashboard)
    step = tick_step(max(max(span.p90 or 0, span.target) for span in spans))
    full = step * 3
    rows = tuple(
        Span(
            label=span.name,
            median=_percent(span.median, full),
            p90=_percent(span.p90, full),
            target=_percent(span.target, full),
            value=format_days(span.median),
            more=f"/ {span.p90}" if span.p90 is not None else "",
        )
        for span in spans
    )
    cells = tuple(
        (span.name, format_days(span.median), "-" if span.p90 is None else str(span.p90), str(span.target))
        for span in spans
    )
    return SpanChart(
        title=TEXTS.stages_title,
        about=_stages_about(spans),
        label=_stages_label(spans),
        head=(TEXTS.stage, TEXTS.median, "p90", TEXTS.target),
        cells=cells,
        rows=rows,
        axis=tuple(format_decimal(step * number, 0) for number in range(4)),
    )


def _stage_spans(dashboard: Dashboard) -> list[StageSpan]:
    spans: list[StageSpan] = []
    for stage in Stage:
        histogram: Mapping[int, int] = dashboard.figures.days.get(stage.value, {})
        spans.append(StageSpan(stage, median(histogram), ninetieth_percentile(histogram), dashboard.targets[stage]))
    return spans


def _stages_about(spans: Sequence[StageSpan]) -> str:
    """Name the stages whose median is above the target."""
    if all(span.median is None for span in spans):
        return str(TEXTS.stages_none)
    slow = [span.name.lower() for span in spans if span.median is not None and span.median > span.target]
    return str(TEXTS.stages_slow.format(stages=", ".join(slow)) if slow else TEXTS.stages_fine)


def _stages_label(spans: Sequence[StageSpan]) -> str:
    described = [
        TEXTS.stage_label.format(stage=span.name, median=format_days(span.median), p90=span.p90, target=span.target)
        for span in spans
        if span.median is not None
    ]
    return " ".join((TEXTS.stages_label, *described))


def format_days(value: float | None) -> str:
    """Format a number of days like 16,5 or 4; a dash for none."""
    if value is None:
        return "-"
    return format_decimal(value, 0 if value == int(value) else 1)


def _percent(value: float | None, full: float) -> str:
    return "" if value is None else f"{100 * value / full:.2f}"
