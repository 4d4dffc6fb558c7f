"""Measure how fast each service folds a log of at least 100,000 events: decoding, validation and `evolve`.

The log consists of complete lifecycles, among them a return, a pause, a contested handover, a rejection and a withdrawal, with
every email.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Sequence
from typing import Any

from bench.lifecycles import LogRecord, generate_log
from shared.contracts.envelope import decode_event
from shared.runtime.decider import Decider
from shared.runtime.decider_runner import DeciderRunner, WorkingCopy
from simpul.generate.lifecycle_simulator import build_deciders

EVENTS = 100_000


def fold_log(decider: Decider[Any], records: Sequence[LogRecord]) -> tuple[float, int]:
    """Fold the whole log for one service; return the seconds taken and the number of records."""
    runner = DeciderRunner(decider)
    sources = decider.sources | {decider.service}
    working_copies: dict[str, WorkingCopy[Any]] = {}
    gc.collect()
    started_at = time.perf_counter()
    for record in records:
        event = decode_event(record.value)
        if event.source not in sources:
            continue
        if (working_copy := working_copies.get(record.key)) is None:
            working_copy = working_copies[record.key] = runner.open(record.key, None)
        runner.fold(working_copy, event)
    return time.perf_counter() - started_at, len(working_copies)


def fold_rates(events: int) -> dict[str, float]:
    """Events per second that each service folds, of a log with at least so many."""
    deciders = build_deciders()
    records = generate_log(deciders, events)
    return {name: len(records) / fold_log(decider, records)[0] for name, decider in deciders.items()}


def main() -> None:
    arguments = argparse.ArgumentParser(prog="bench.fold", description=__doc__)
    arguments.add_argument("--events", type=int, default=EVENTS)
    deciders = build_deciders()
    started_at = time.perf_counter()
    records = generate_log(deciders, arguments.parse_args().events)
    size = sum(len(record.value) for record in records)
    print(
        f"{len(records):,} events, {size / len(records):.0f} bytes each, made in {time.perf_counter() - started_at:.1f} s"
    )
    for name, decider in deciders.items():
        seconds, documents = fold_log(decider, records)
        print(f"{name:<13}{len(records) / seconds:9,.0f} events/s, {documents:,} documents in {seconds:.2f} s")


if __name__ == "__main__":
    main()
