"""How fast each service folds a log of 100,000 events and more again: bytes read, checked by contract, evolved.

The log is made by the services' own decisions, so it holds what they would publish: whole lifecycles, with a return, a
pause, an objection, a rejection or a withdrawal among them, and the sending of every e-mail.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Sequence
from typing import Any

from bench.lifecycles import LogRecord, build_deciders, generate_log
from shared.contracts.envelope import decode_event
from shared.runtime.decider import Decider
from shared.runtime.decider_runner import DeciderRunner, WorkingCopy

EVENTS = 100_000


def fold_log(decider: Decider[Any], records: Sequence[LogRecord]) -> tuple[float, int]:
    """Seconds taken to fold the whole log for one service, and the documents that came of it."""
    folding = DeciderRunner(decider)
    sources = decider.sources | {decider.service}
    working_copies: dict[str, WorkingCopy[Any]] = {}
    gc.collect()
    started_at = time.perf_counter()
    for record in records:
        event = decode_event(record.value)
        if event.source not in sources:
            continue
        if (working_copy := working_copies.get(record.key)) is None:
            working_copy = working_copies[record.key] = folding.open(record.key, None)
        folding.fold(working_copy, event)
    return time.perf_counter() - started_at, len(working_copies)


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
