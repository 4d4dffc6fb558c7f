"""Measure folders of several sizes: filling, space, start, memory, lifecycles and every list: `python -m bench.sizes`.

Writes a section of docs/benchmarks.md with tables and charts. A folder is made, measured and removed before the next one.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pygal

from bench import lists
from bench.machine import NotReady, describe_machine, process_tree, running, wait_until_ready
from bench.report import PAGE, SIZES, table, with_section
from bench.rounds import Sink, run_load, simpul_target
from bench.run import smtp_sink
from bench.store import StorePlan, fill, midnight
from shared.settings import load_settings

REQUESTS = (0, 1_000, 100_000, 1_000_000)
CLIENTS = 8
CHARTS = Path("docs/pictures/benchmarks")
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Size:
    """The measurements of a folder; memory in MiB is that of all processes of `simpul up`, `rate` is lifecycles per second."""

    requests: int
    fill_seconds: float
    bytes: int
    start_seconds: float
    started_memory: float
    memory: float
    rate: float
    submit_p95: float
    lists: Mapping[str, lists.Times]


def measure(requests: int, place: Path, seconds: float, sink: Sink) -> Size:
    """Fill a folder and measure it. Raises NotReady."""
    data = place / "simpul"
    started_at = time.perf_counter()
    if requests:
        asyncio.run(fill(load_settings(data=data), StorePlan(requests, midnight())))
    fill_seconds = time.perf_counter() - started_at
    measured = asyncio.run(lists.measure(data)) if requests else {}
    size = (data / "simpul.db").stat().st_size if requests else 0
    target = simpul_target(place, sink)
    [program] = target.programs
    started_at = time.perf_counter()
    with running(program.command, program.settings) as process:
        wait_until_ready(process, program.port)
        start_seconds, started_memory = time.perf_counter() - started_at, memory(process.pid)
        run_load(target, CLIENTS, 3.0)
        load = run_load(target, CLIENTS, seconds)
        submit_p95 = load["commands"]["submit"]["p95"]
        return Size(
            requests, fill_seconds, size, start_seconds, started_memory, memory(process.pid), load["rate"], submit_p95,
            measured,
        )  # fmt: skip


def memory(root: int) -> float:
    """The memory of a process and its children in MiB; shared pages count once."""
    total = 0
    for pid in process_tree(root):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total * 1024 / MEBIBYTE


def section(sizes: Sequence[Size], seconds: float) -> str:
    """The section of docs/benchmarks.md."""
    filled = [size for size in sizes if size.requests]
    parts = [f"{size.requests:,} {part}" for size in filled for part in ("p50", "p95")]
    return "\n\n".join(
        (
            SIZES.rstrip(),
            "Written by `make bench-sizes`. Each folder comes from `make bench-store`: the requests of two years, of which few\n"
            f"are open. Lifecycles are counted for {seconds:.0f} s with {CLIENTS} clients.",
            "\n".join(f"- {line}" for line in describe_machine()[:1]),
            table(("requests", *(f"{size.requests:,}" for size in sizes)), _figures(sizes)),
            "### Lists and searches by size",
            "Without HTTP, in milliseconds: a page of 50 requests, and their number where a page shows it. A row with a colon\n"
            "is a list that pages or the API offer, with each filter and in each order; its 95th percentile is that of its\n"
            "slowest combinations.",
            table(("", *parts), lists.rows([one.lists for one in filled])),
            _charts(sizes),
        )
    )


def _figures(sizes: Sequence[Size]) -> list[Sequence[str]]:
    rows = {
        "generated per second": lambda one: f"{one.requests / one.fill_seconds:,.0f}" if one.requests else "-",
        "bytes per request": lambda one: f"{one.bytes / one.requests:,.0f}" if one.requests else "-",
        "start, s": lambda one: f"{one.start_seconds:.1f}",
        "memory after the start, MiB": lambda one: f"{one.started_memory:.0f}",
        "memory after the load, MiB": lambda one: f"{one.memory:.0f}",
        "lifecycles per second": lambda one: f"{one.rate:.1f}",
        "submission, p95, ms": lambda one: f"{one.submit_p95:.0f}",
    }
    return [(name, *map(figure, sizes)) for name, figure in rows.items()]


def _charts(sizes: Sequence[Size]) -> str:
    """Draw the charts and return the lines that show them."""
    filled = [size for size in sizes if size.requests]
    slowest = sorted(filled[0].lists, key=lambda name: filled[-1].lists[name].p95)[-12:] if filled else []
    drawn = {
        "sizes-lists.svg": ("95th percentile of lists, ms", slowest, {
            f"{one.requests:,}": [round(one.lists[name].p95, 1) for name in slowest] for one in filled
        }),
        "sizes-load.svg": ("Lifecycles per second and start in seconds", [f"{one.requests:,}" for one in sizes], {
            "lifecycles per second": [round(one.rate, 1) for one in sizes],
            "start, s": [round(one.start_seconds, 1) for one in sizes],
        }),
    }  # fmt: skip
    CHARTS.mkdir(parents=True, exist_ok=True)
    for name, (title, labels, series) in drawn.items():
        draw(CHARTS / name, title, labels, series)
    return "\n".join(f"![{title}](pictures/benchmarks/{name})" for name, (title, _, _) in drawn.items())


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


def main() -> None:
    arguments = argparse.ArgumentParser(prog="bench.sizes", description=__doc__)
    arguments.add_argument("--requests", type=int, nargs="+", default=REQUESTS)
    arguments.add_argument("--seconds", type=float, default=12)
    arguments.add_argument("--place", type=Path, help="where to make the folders; 14 GB for a million requests")
    options = arguments.parse_args()
    sizes: list[Size] = []
    try:
        with smtp_sink() as (sink, _):
            for requests in options.requests:
                place = Path(tempfile.mkdtemp(prefix="simpul-size-", dir=options.place))
                try:
                    sizes.append(measure(requests, place, options.seconds, sink))
                finally:
                    shutil.rmtree(place)
                print("\n".join(" ".join(row) for row in _figures(sizes[-1:])), flush=True)
    except NotReady as error:
        raise SystemExit(f"bench.sizes: {error}") from error
    PAGE.write_text(with_section(PAGE.read_text(), SIZES, section(sizes, options.seconds)))
    print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
