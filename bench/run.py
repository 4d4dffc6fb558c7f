"""Run all targets in turns, each in separate processes, and write the results to docs/benchmarks.md."""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.distributed import distributed_target
from bench.distributed_report import distributed_section
from bench.fold import EVENTS, fold_rates
from bench.machine import NotReady, free_port, running
from bench.report import DISTRIBUTED, PAGE, page, preserved_sections, regressions, summary, with_section
from bench.rounds import ALL_TARGETS, TARGETS, Round, Sink, Target, baseline_target, run_round, simpul_target
from tests.support.engines.engine_process import EngineUnavailable

QUICK_TARGETS = ("plain", "simpul", "workers")
WORKERS = 2
QUICK_ROUNDS, QUICK_SECONDS, QUICK_CLIENTS, QUICK_EVENTS = 2, 12.0, 16, 20_000


@contextlib.contextmanager
def smtp_sink() -> Iterator[tuple[Sink, int]]:
    """Start the SMTP sink; yield its client and its process id."""
    port, control = free_port(), free_port()
    command = [sys.executable, "-m", "bench.smtp_sink", "--port", str(port), "--control", str(control)]
    with running(command, {}) as process:
        _wait_until_open(control)
        yield Sink(port, control), process.pid


def _wait_until_open(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise NotReady("The SMTP sink did not start.")


def run_rounds(targets: list[str], rounds: int, clients: int, seconds: float, *, propagation: bool) -> Iterator[Round]:
    """Yield the rounds as they finish; the targets take turns, each on a new temporary folder.

    A target whose engines are not available is skipped with one line.
    """
    with smtp_sink() as (sink, process):
        for _ in range(rounds):
            for name in list(targets):
                with tempfile.TemporaryDirectory(prefix="simpul-bench-", ignore_cleanup_errors=True) as folder:
                    try:
                        with _open_target(name, Path(folder), sink) as target:
                            yield run_round(target, sink, process, clients, seconds, propagation=propagation)
                    except EngineUnavailable as reason:
                        print(f"{name}: skipped: {reason}", flush=True)
                        targets.remove(name)


def _open_target(name: str, data: Path, sink: Sink) -> contextlib.AbstractContextManager[Target]:
    if name == "distributed":
        return distributed_target(data, sink)
    if name in ("simpul", "workers"):
        return contextlib.nullcontext(simpul_target(data, sink, workers=1 if name == "simpul" else WORKERS))
    return contextlib.nullcontext(baseline_target(name, data))


def measure_folding() -> str:
    """Run `bench.fold` in a separate process and return its output."""
    completed = subprocess.run([sys.executable, "-m", "bench.fold"], stdout=subprocess.PIPE, check=True, text=True)
    print(completed.stdout, flush=True)
    return completed.stdout


def main_figures(done: Sequence[Round], rebuild: Mapping[str, float]) -> dict[str, Any]:
    """The figures that are compared between versions: medians of the rounds, None for what was not measured."""

    def median(target: str, figure: Callable[[Round], float]) -> float | None:
        measured = [figure(one) for one in done if one.target == target]
        return statistics.median(measured) if measured else None

    stores = [one.store for one in done if one.store]
    requests = sum(store.requests for store in stores)
    return {
        "lifecycles_per_second": {
            "baseline": median("plain", lambda one: one.rate),
            "embedded": median("simpul", lambda one: one.rate),
            "embedded_workers_2": median("workers", lambda one: one.rate),
        },
        "events_per_lifecycle": sum(store.events for store in stores) / requests if requests else None,
        "bytes_per_request": sum(store.bytes for store in stores) / requests if requests else None,
        "rebuild_events_per_second": dict(rebuild),
    }


def parse_options() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(prog="bench", description=__doc__)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--seconds", type=float, default=14)
    arguments.add_argument("--clients", type=int, default=32)
    arguments.add_argument(
        "--only", choices=ALL_TARGETS, help="run one target; of these only `distributed` writes its section"
    )
    arguments.add_argument("--json", type=Path, metavar="FILE", help="write the main figures to a file")
    arguments.add_argument("--quick", action="store_true", help="take a minute or two, and leave the page as it is")
    return arguments.parse_args()


def main() -> None:
    options = parse_options()
    targets = [options.only] if options.only else list(QUICK_TARGETS if options.quick else ALL_TARGETS)
    if options.quick:
        options.rounds, options.seconds, options.clients = QUICK_ROUNDS, QUICK_SECONDS, QUICK_CLIENTS
    done: list[Round] = []
    try:
        rounds = run_rounds(targets, options.rounds, options.clients, options.seconds, propagation=not options.quick)
        for finished in rounds:
            print(summary(finished), flush=True)
            done.append(finished)
    except NotReady as error:
        sys.exit(f"bench: {error}")
    if options.json:
        folding = fold_rates(QUICK_EVENTS if options.quick else EVENTS)
        options.json.write_text(json.dumps(main_figures(done, folding), indent=2) + "\n")
        print(f"written: {options.json}")
    if not options.quick:
        _write(done, options)
    sys.exit(
        0
        if all(each.complete for each in done)
        else "bench: a command failed, or an email is missing or was sent twice."
    )


def _write(done: Sequence[Round], options: argparse.Namespace) -> None:
    """Write the sections that were measured; those of other commands, and of engines that are not available now, stay."""
    document = PAGE.read_text()
    if not options.only:
        single_process = [each for each in done if each.target in TARGETS]
        written = page(single_process, options.rounds, options.seconds, options.clients, measure_folding())
        document = f"{written.rstrip()}\n\n{preserved_sections(document)}".rstrip() + "\n"
    if distributed := [each for each in done if each.target == "distributed"]:
        embedded = [each for each in done if each.target == "simpul"]
        document = with_section(
            document, DISTRIBUTED, distributed_section(distributed, embedded, options.seconds, options.clients)
        )
    if distributed or not options.only:
        for line in regressions(document, PAGE.read_text()):
            print(f"worse than committed: {line}")
        PAGE.write_text(document)
        print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
