"""Measure folders of several sizes: filling, space, start, memory, load, every list and page: `python -m bench.sizes`.

Writes a section of docs/benchmarks.md with tables and charts. A folder is made, measured and removed before the next one, or with
`--place DIR` made as DIR/<requests>/simpul, kept, and measured as it is if it is there already.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import lists
from bench.machine import NotReady, cpu_seconds, process_tree, running, wait_until_ready
from bench.report import PAGE, SIZES, with_section
from bench.rounds import Sink, run_load, run_module, simpul_target
from bench.run import smtp_sink
from bench.sizes_report import figures, section
from bench.store import StorePlan, fill, midnight
from shared.settings import load_settings

REQUESTS = (0, 1_000, 100_000, 1_000_000)
CLIENTS = 8
JUMP = [[1, 10], [35, 10], [1, 15]]
"""Submissions per second, and for how many seconds."""
STEADY, PAGES = [[2, 15]], 500
START_TIMEOUT_SECONDS, SETTLE_TIMEOUT_SECONDS, SETTLE_INTERVAL_SECONDS = 900.0, 400.0, 3.0
IDLE_SHARE = 0.15
"""A server that uses less of a core has finished what it does in the background after its start."""
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Size:
    """The measurements of a folder; memory in MiB is that of all processes of `simpul up`, `rate` is lifecycles per second.

    `pages` has the milliseconds of each page; `jump`, `alone` and `among_pages` are the results of bench.submissions.
    """

    requests: int
    fill_seconds: float | None
    bytes: int
    start_seconds: float
    background_seconds: float
    started_memory: float
    listed_memory: float
    memory: float
    rate: float
    submit_p95: float
    lists: Mapping[str, lists.Times]
    pages: Mapping[str, Mapping[str, float]]
    jump: Mapping[str, Any]
    alone: Mapping[str, Any]
    among_pages: Mapping[str, Any]


def measure(requests: int, place: Path, seconds: float, sink: Sink) -> Size:
    """Fill a folder unless there is one, and measure it. Raises NotReady."""
    data = place / "simpul"
    fill_seconds = _fill(requests, data)
    measured = asyncio.run(lists.measure(data)) if requests else {}
    size = (data / "simpul.db").stat().st_size if requests else 0
    (place / "accounts.sessions.json").unlink(missing_ok=True)
    target = simpul_target(place, sink)
    [program] = target.programs
    started_at = time.perf_counter()
    with running(program.command, program.settings) as process:
        wait_until_ready(process, program.port, START_TIMEOUT_SECONDS)
        start_seconds, started_memory = time.perf_counter() - started_at, memory(process.pid)
        background_seconds = _settle(process.pid)
        pages = run_module("bench.page_times", target)
        listed_memory = memory(process.pid)
        run_load(target, CLIENTS, 3.0)
        load = run_load(target, CLIENTS, seconds)
        jump, alone, among_pages = (
            run_module("bench.submissions", target, phases=json.dumps(phases), pages=open_pages)
            for phases, open_pages in ((JUMP, 0), (STEADY, 0), (STEADY, PAGES))
        )
        return Size(
            requests, fill_seconds, size, start_seconds, background_seconds, started_memory, listed_memory,
            memory(process.pid), load["rate"], load["commands"]["submit"]["p95"], measured, pages, jump, alone, among_pages,
        )  # fmt: skip


def _fill(requests: int, data: Path) -> float | None:
    """Fill the folder unless there is one; return the seconds that it took, None if that is not known."""
    took = data.parent / "filled.json"
    if requests and not data.exists():
        started_at = time.perf_counter()
        asyncio.run(fill(load_settings(data=data), StorePlan(requests, midnight())))
        took.write_text(json.dumps(time.perf_counter() - started_at))
    return float(json.loads(took.read_text())) if took.exists() else None


def _settle(root: int) -> float:
    """Wait until a server has nothing more to do in the background, and return for how many seconds."""
    started_at = time.perf_counter()
    while (waited := time.perf_counter() - started_at) < SETTLE_TIMEOUT_SECONDS:
        before = cpu_seconds(root)
        time.sleep(SETTLE_INTERVAL_SECONDS)
        if cpu_seconds(root) - before < IDLE_SHARE * SETTLE_INTERVAL_SECONDS:
            break
    return waited


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


@contextmanager
def _folder(place: Path | None, requests: int) -> Iterator[Path]:
    if place is None:
        with tempfile.TemporaryDirectory(prefix="simpul-size-") as made:
            yield Path(made)
        return
    folder = place / str(requests)
    folder.mkdir(parents=True, exist_ok=True)
    yield folder


def main() -> None:
    arguments = argparse.ArgumentParser(prog="bench.sizes", description=__doc__)
    arguments.add_argument("--requests", type=int, nargs="+", default=REQUESTS)
    arguments.add_argument("--seconds", type=float, default=12)
    arguments.add_argument(
        "--place", type=Path, help="where the folders are made and kept; 14 GB for a million requests"
    )
    options = arguments.parse_args()
    sizes: list[Size] = []
    try:
        with smtp_sink() as (sink, _):
            for requests in options.requests:
                with _folder(options.place, requests) as place:
                    sizes.append(measure(requests, place, options.seconds, sink))
                print("\n".join(" ".join(row) for row in figures(sizes[-1:])), flush=True)
    except NotReady as error:
        raise SystemExit(f"bench.sizes: {error}") from error
    PAGE.write_text(with_section(PAGE.read_text(), SIZES, section(sizes, options.seconds)))
    print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
