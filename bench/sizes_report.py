"""The section of docs/benchmarks.md about folders of several sizes: tables and charts."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pygal

from bench.machine import describe_machine
from bench.report import SIZES, table

if TYPE_CHECKING:
    from bench.sizes import Size

CHARTS = Path("docs/pictures/benchmarks")
MAX_RATIO, MAX_FAILED_SHARE, MAX_RECOVERY_SECONDS = 3.0, 0.01, 5.0
"""The targets: 95th percentiles at most so many times those of the smallest folder, or this long, and what a jump may cost."""

INTRODUCTION = """Written by `make bench-sizes`. Each folder comes from `make bench-store`: the requests of two years, of which one
in thirteen is open. Lifecycles are counted for {seconds:.0f} s with 8 clients. *In the background* a server checks due days and
brings the figures of the dashboard up to date after its start; all else is measured after that. Bold figures miss their target:
a 95th percentile of at most {ratio:.0f} times that of the smallest folder.
"""
BURSTS = """Submissions of two PDF files of 100 KB at 1 per second for 10 s, at 35 for 10 s, and at 1 again, each on a
connection of its own, whatever has not been answered. A jump is over when no submission takes longer than twice the slowest one
before it. Then 2 per second, alone and while 500 pages are open: 300 of applicants, 200 lists of officers and heads.
"""


def section(sizes: Sequence[Size], seconds: float) -> str:
    """Return the section."""
    filled = [size for size in sizes if size.requests]
    return "\n\n".join(
        (
            SIZES.rstrip(),
            INTRODUCTION.format(seconds=seconds, ratio=MAX_RATIO).rstrip(),
            "\n".join(f"- {line}" for line in (*describe_machine()[:2], _circumstances())),
            table(("requests", *(f"{size.requests:,}" for size in sizes)), figures(sizes)),
            "### A jump of load, and open pages",
            BURSTS.rstrip(),
            table(("", *(f"{size.requests:,}" for size in sizes)), _bursts(sizes)),
            "### Lists and searches by size",
            "Without HTTP, in milliseconds: a page of 50 requests, and their number where a page shows it. A row with a colon\n"
            "is a list that pages or the API offer, with each filter and in each order; its 95th percentile is that of its\n"
            "slowest combinations.",
            _times(filled, [{name: (one.median, one.p95) for name, one in size.lists.items()} for size in filled]),
            "### Pages by size",
            "Over HTTP, in milliseconds, one after the other.",
            _times(sizes, [{name: (one["p50"], one["p95"]) for name, one in size.pages.items()} for size in sizes]),
            _charts(sizes),
        )
    )


def _circumstances() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}, load average {os.getloadavg()[2]:.1f} of the last 15 minutes"


def figures(sizes: Sequence[Size]) -> list[Sequence[str]]:
    """Return the rows of the first table."""
    rows: Mapping[str, Callable[[Size], str]] = {
        "generated per second": lambda one: f"{one.requests / one.fill_seconds:,.0f}" if one.fill_seconds else "-",
        "bytes per request": lambda one: f"{one.bytes / one.requests:,.0f}" if one.requests else "-",
        "start, s": lambda one: f"{one.start_seconds:.1f}",
        "in the background, s": lambda one: f"{one.background_seconds:.0f}",
        "memory after the start, MiB": lambda one: f"{one.started_memory:.0f}",
        "memory after the pages, MiB": lambda one: f"{one.listed_memory:.0f}",
        "memory after the load, MiB": lambda one: f"{one.memory:.0f}",
        "lifecycles per second": lambda one: f"{one.rate:.1f}",
        "ratio to the first folder": lambda one: f"{one.rate / sizes[0].rate:.2f}",
        "submission, p95, ms": lambda one: f"{one.submit_p95:.0f}",
    }
    return [(name, *map(figure, sizes)) for name, figure in rows.items()]


def _bursts(sizes: Sequence[Size]) -> list[Sequence[str]]:
    def phase(number: int, part: str) -> Callable[[Size], str]:
        return lambda one: f"{one.jump['phases'][number][part]:.0f}"

    def failures(result: Mapping[str, Any]) -> str:
        return _flagged(result["failures"] / result["submissions"], MAX_FAILED_SHARE, f"{result['failures']}")

    rows: Mapping[str, Callable[[Size], str]] = {
        "before the jump, p95, ms": phase(0, "p95"),
        "during the jump, p50, ms": phase(1, "p50"),
        "during the jump, p95, ms": phase(1, "p95"),
        "after the jump, p95, ms": phase(2, "p95"),
        "failed": lambda one: failures(one.jump),
        "back to normal after, s": lambda one: _flagged(one.jump["recovery_seconds"], MAX_RECOVERY_SECONDS),
        "2 per second alone, p95, ms": lambda one: f"{one.alone['phases'][0]['p95']:.0f}",
        "with 500 open pages, p95, ms": lambda one: f"{one.among_pages['phases'][0]['p95']:.0f}",
        "failed with open pages": lambda one: failures(one.among_pages),
    }
    return [(name, *map(figure, sizes)) for name, figure in rows.items()]


def _flagged(value: float, most: float, text: str = "") -> str:
    text = text or f"{value:.1f}"
    return f"**{text}**" if value > most else text


def _times(sizes: Sequence[Size], measured: Sequence[Mapping[str, tuple[float, float]]]) -> str:
    """Return a table of medians and 95th percentiles, with the ratio of the last percentile to the first."""
    parts = [f"{size.requests:,} {part}" for size in sizes for part in ("p50", "p95")]
    rows = [
        (
            f"`{name}`" if name.startswith("/") else name,
            *(f"{figure:.1f}" for one in measured for figure in one[name]),
            _flagged(measured[-1][name][1] / measured[0][name][1], MAX_RATIO),
        )
        for name in (measured[0] if measured else ())
    ]
    return table(("", *parts, "ratio"), rows)


def _charts(sizes: Sequence[Size]) -> str:
    """Draw the charts and return the lines that show them."""
    filled = [size for size in sizes if size.requests]
    slowest = sorted(filled[0].lists, key=lambda name: filled[-1].lists[name].p95)[-12:] if filled else []
    bars = {
        "sizes-lists.svg": ("95th percentile of lists, ms", slowest, {
            f"{one.requests:,}": [round(one.lists[name].p95, 1) for name in slowest] for one in filled
        }),
        "sizes-load.svg": ("Lifecycles per second and start in seconds", [f"{one.requests:,}" for one in sizes], {
            "lifecycles per second": [round(one.rate, 1) for one in sizes],
            "start, s": [round(one.start_seconds, 1) for one in sizes],
        }),
    }  # fmt: skip
    CHARTS.mkdir(parents=True, exist_ok=True)
    for name, (title, labels, series) in bars.items():
        draw(CHARTS / name, title, labels, series)
    jump = "Milliseconds of each submission by its second, 35 per second from 10 to 20"
    draw_times(CHARTS / "sizes-jump.svg", jump, {f"{one.requests:,}": one.jump["timeline"] for one in sizes})
    titles = {name: title for name, (title, _, _) in bars.items()} | {"sizes-jump.svg": jump}
    return "\n".join(f"![{title}](pictures/benchmarks/{name})" for name, title in titles.items())


def draw(path: Path, title: str, labels: Sequence[str], series: Mapping[str, Sequence[float]]) -> None:
    """Draw horizontal bars as an SVG without scripts."""
    chart = pygal.HorizontalBar(
        title=title, js=(), pretty_print=True, print_values=True, legend_at_bottom=True, no_prefix=True,
        disable_xml_declaration=True, height=max(220, 60 + 26 * len(labels) * len(series)),
    )  # fmt: skip
    chart.x_labels = list(labels)
    for name, values in series.items():
        chart.add(name, list(values))
    path.write_text(chart.render(is_unicode=True) + "\n")


def draw_times(path: Path, title: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """Draw values over seconds as an SVG without scripts."""
    chart = pygal.XY(
        title=title, js=(), pretty_print=True, legend_at_bottom=True, no_prefix=True, disable_xml_declaration=True,
        dots_size=1, height=320, x_title="s", y_title="ms",
    )  # fmt: skip
    for name, values in series.items():
        chart.add(name, [tuple(one) for one in values])
    path.write_text(chart.render(is_unicode=True) + "\n")
