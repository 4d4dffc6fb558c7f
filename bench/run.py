"""Floors, ours and ours apart in turns, in one run, each in processes of its own; the result is in docs/benchmarks.md."""

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
    """The mail sink and its process id."""
    port, control = free_port(), free_port()
    command = [sys.executable, "-m", "bench.smtp_sink", "--port", str(port), "--control", str(control)]
    with running(command, {}) as process:
        _wait_until_open(control)
        yield Sink(port, control), process.pid


def _wait_until_open(port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise NotReady("The mail sink did not start.")


def run_rounds(targets: list[str], rounds: int, clients: int, seconds: float) -> Iterator[Round]:
    """The rounds as they are done, the sides taking turns, each on a fresh folder that is gone afterwards.

    A side whose engines cannot be had is left out, with one line.
    """
    with smtp_sink() as (sink, process):
        for _ in range(rounds):
            for name in list(targets):
                with tempfile.TemporaryDirectory(prefix="simpul-bench-", ignore_cleanup_errors=True) as folder:
                    try:
                        with _side(name, Path(folder), sink) as target:
                            yield run_round(target, sink, process, clients, seconds)
                    except EngineUnavailable as reason:
                        print(f"{name}: skipped: {reason}", flush=True)
                        targets.remove(name)


def _side(name: str, data: Path, sink: Sink) -> contextlib.AbstractContextManager[Target]:
    if name == "apart":
        return distributed_target(data, sink)
    return contextlib.nullcontext(simpul_target(data, sink) if name == "ours" else baseline_target(name, data))


def runner() -> str:
    """What `bench.fold` says, in a process of its own."""
    done = subprocess.run([sys.executable, "-m", "bench.fold"], stdout=subprocess.PIPE, check=True, text=True)
    print(done.stdout, flush=True)
    return done.stdout


def options() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(prog="bench", description=__doc__)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--seconds", type=float, default=14)
    arguments.add_argument("--clients", type=int, default=32)
    arguments.add_argument(
        "--only", choices=ALL_TARGETS, help="one side alone; of these only `apart` writes its section"
    )
    return arguments.parse_args()


def main() -> None:
    options_given = options()
    targets = [options_given.only] if options_given.only else list(ALL_TARGETS)
    done: list[Round] = []
    try:
        for each in run_rounds(targets, options_given.rounds, options_given.clients, options_given.seconds):
            print(summary(each), flush=True)
            done.append(each)
    except NotReady as problem:
        sys.exit(f"bench: {problem}")
    _write(done, options_given)
    sys.exit(
        0 if all(each.complete for each in done) else "bench: a command failed, or an e-mail is missing or repeated."
    )


def _write(done: Sequence[Round], options_given: argparse.Namespace) -> None:
    """The page as far as it was measured; what others have written stays, and what engines showed when they were there."""
    document = PAGE.read_text()
    if not options_given.only:
        together = [each for each in done if each.target in TARGETS]
        written = page(together, options_given.rounds, options_given.seconds, options_given.clients, runner())
        document = f"{written.rstrip()}\n\n{preserved_sections(document)}".rstrip() + "\n"
    if apart := [each for each in done if each.target == "apart"]:
        ours = [each for each in done if each.target == "ours"]
        document = with_section(
            document, DISTRIBUTED, distributed_section(apart, ours, options_given.seconds, options_given.clients)
        )
    if apart or not options_given.only:
        PAGE.write_text(document)
        print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
