"""Both floors and ours in turns, in one run, each in processes of its own; the result is written to docs/benchmarks.md."""

from __future__ import annotations

import argparse
import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.machine import NotReady, free_port, running
from bench.report import PAGE, kept_of, page, summary
from bench.rounds import SIDES, Round, Side, Sink, floor_side, our_side, play


@contextlib.contextmanager
def sink_running() -> Iterator[tuple[Sink, int]]:
    """The mail sink and its process id."""
    port, control = free_port(), free_port()
    command = [sys.executable, "-m", "bench.sink", "--port", str(port), "--control", str(control)]
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


def turns(sides: list[str], rounds: int, clients: int, seconds: float) -> Iterator[Round]:
    """The rounds as they are done, the sides taking turns, each on a fresh folder that is gone afterwards."""
    with sink_running() as (sink, process):
        for _ in range(rounds):
            for name in sides:
                with tempfile.TemporaryDirectory(prefix="simpul-bench-", ignore_cleanup_errors=True) as folder:
                    yield play(_side(name, Path(folder), sink), sink, process, clients, seconds)


def _side(name: str, data: Path, sink: Sink) -> Side:
    return our_side(data, sink) if name == "ours" else floor_side(name, data)


def folding() -> str:
    """What `bench.fold` says, in a process of its own."""
    done = subprocess.run([sys.executable, "-m", "bench.fold"], stdout=subprocess.PIPE, check=True, text=True)
    print(done.stdout, flush=True)
    return done.stdout


def options() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(prog="bench", description=__doc__)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--seconds", type=float, default=14)
    arguments.add_argument("--clients", type=int, default=32)
    arguments.add_argument("--only", choices=SIDES, help="one side alone; writes no page")
    return arguments.parse_args()


def main() -> None:
    chosen = options()
    sides = [chosen.only] if chosen.only else list(SIDES)
    done: list[Round] = []
    try:
        for each in turns(sides, chosen.rounds, chosen.clients, chosen.seconds):
            print(summary(each), flush=True)
            done.append(each)
    except NotReady as problem:
        sys.exit(f"bench: {problem}")
    if not chosen.only:
        written = page(done, chosen.rounds, chosen.seconds, chosen.clients, folding())
        PAGE.write_text(f"{written.rstrip()}\n\n{kept_of(PAGE.read_text())}".rstrip() + "\n")
        print(f"written: {PAGE}")
    sys.exit(
        0 if all(each.complete for each in done) else "bench: a command failed, or an e-mail is missing or repeated."
    )


if __name__ == "__main__":
    main()
