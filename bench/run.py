"""Run all targets in turns, each in separate processes, and write the results to docs/benchmarks.md."""

from __future__ import annotations

import argparse
import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.distributed import distributed_target
from bench.distributed_report import distributed_section
from bench.machine import NotReady, free_port, running
from bench.report import DISTRIBUTED, PAGE, page, preserved_sections, summary, with_section
from bench.rounds import ALL_TARGETS, TARGETS, Round, Sink, Target, baseline_target, run_round, simpul_target
from tests.support.engines.engine_process import EngineUnavailable


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


def run_rounds(targets: list[str], rounds: int, clients: int, seconds: float) -> Iterator[Round]:
    """Yield the rounds as they finish; the targets take turns, each on a new temporary folder.

    A target whose engines are not available is skipped with one line.
    """
    with smtp_sink() as (sink, process):
        for _ in range(rounds):
            for name in list(targets):
                with tempfile.TemporaryDirectory(prefix="simpul-bench-", ignore_cleanup_errors=True) as folder:
                    try:
                        with _open_target(name, Path(folder), sink) as target:
                            yield run_round(target, sink, process, clients, seconds)
                    except EngineUnavailable as reason:
                        print(f"{name}: skipped: {reason}", flush=True)
                        targets.remove(name)


def _open_target(name: str, data: Path, sink: Sink) -> contextlib.AbstractContextManager[Target]:
    if name == "distributed":
        return distributed_target(data, sink)
    return contextlib.nullcontext(simpul_target(data, sink) if name == "simpul" else baseline_target(name, data))


def measure_folding() -> str:
    """Run `bench.fold` in a separate process and return its output."""
    completed = subprocess.run([sys.executable, "-m", "bench.fold"], stdout=subprocess.PIPE, check=True, text=True)
    print(completed.stdout, flush=True)
    return completed.stdout


def parse_options() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(prog="bench", description=__doc__)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--seconds", type=float, default=14)
    arguments.add_argument("--clients", type=int, default=32)
    arguments.add_argument(
        "--only", choices=ALL_TARGETS, help="run one target; of these only `distributed` writes its section"
    )
    return arguments.parse_args()


def main() -> None:
    options = parse_options()
    targets = [options.only] if options.only else list(ALL_TARGETS)
    done: list[Round] = []
    try:
        for finished in run_rounds(targets, options.rounds, options.clients, options.seconds):
            print(summary(finished), flush=True)
            done.append(finished)
    except NotReady as error:
        sys.exit(f"bench: {error}")
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
        PAGE.write_text(document)
        print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
