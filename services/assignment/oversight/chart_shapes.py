"""The shapes of charts, as `charts.html` draws them; lengths are in percent unless a docstring says pixels."""

from __future__ import annotations

from dataclasses import dataclass

Cells = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: its title, what it says, the text for people who cannot see it, and the cells of its table."""

    title: str
    about: str
    label: str
    head: tuple[str, ...]
    cells: Cells


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    percent: str
    fill: str
    value: str
    more: str = ""


@dataclass(frozen=True, slots=True)
class BarChart(Chart):
    rows: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    x: str
    width: str
    fill: str


@dataclass(frozen=True, slots=True)
class StackChart(Chart):
    rows: tuple[tuple[str, tuple[Segment, ...], str], ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A bar of a chart of months; `y` and `height` in pixels."""

    x: str
    width: str
    y: str
    height: str
    fill: str


@dataclass(frozen=True, slots=True)
class MonthsChart(Chart):
    """`ticks` are (y in pixels, number) and `names` (x, month, whether narrow screens leave it out)."""

    ticks: tuple[tuple[str, str], ...]
    columns: tuple[Column, ...]
    names: tuple[tuple[str, str, bool], ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A stage's median, 90th percentile and target; the first two are "" without visits."""

    label: str
    median: str
    p90: str
    target: str
    value: str
    more: str


@dataclass(frozen=True, slots=True)
class SpanChart(Chart):
    rows: tuple[Span, ...]
    axis: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Load:
    """The open requests of a lead; `dots` are (x in pixels, CSS class)."""

    name: str
    dots: tuple[tuple[int, str], ...]
    value: str


@dataclass(frozen=True, slots=True)
class LoadChart(Chart):
    rows: tuple[Load, ...]
    target_x: int
    target: int
