"""The shapes of charts, as `charts.html` draws them; lengths are in percent unless a docstring says pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

Cells = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class BarChart(Chart):
    rows: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    x: str
    width: str
    fill: str


class Stack(NamedTuple):
    label: str
    segments: tuple[Segment, ...]
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StackChart(Chart):
    rows: tuple[Stack, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A bar of a chart of months; `y` and `height` in pixels."""

    x: str
    width: str
    y: str
    height: str
    fill: str


class Tick(NamedTuple):
    """A number of the axis; `y` in pixels."""

    y: str
    number: str


class MonthName(NamedTuple):
    """The name of a month below its bars; narrow screens may leave it out."""

    x: str
    text: str
    only_wide: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthsChart(Chart):
    ticks: tuple[Tick, ...]
    columns: tuple[Column, ...]
    names: tuple[MonthName, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A stage's median, 90th percentile and target; the first two are "" without visits."""

    label: str
    median: str
    p90: str
    target: str
    value: str
    more: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanChart(Chart):
    rows: tuple[Span, ...]
    axis: tuple[str, ...]


class Dot(NamedTuple):
    """An open request, or the space for one; `x` in pixels, `kind` is a CSS class."""

    x: int
    kind: str


@dataclass(frozen=True, slots=True)
class Load:
    """The open requests of a lead."""

    name: str
    dots: tuple[Dot, ...]
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadChart(Chart):
    rows: tuple[Load, ...]
    target_x: int
    target: int
