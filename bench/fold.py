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

from bench.lifecycles import Line, deciders, log_of
from shared.contracts.envelope import from_bytes
from shared.runtime.decider import Decider
from shared.runtime.folding import Draft, Folding

EVENTS = 100_000


def folded(heart: Decider[Any], lines: Sequence[Line]) -> tuple[float, int]:
    """Seconds taken to fold the whole log for one service, and the documents that came of it."""
    folding = Folding(heart)
    heard = heart.sources | {heart.service}
    drafts: dict[str, Draft[Any]] = {}
    gc.collect()
    begun = time.perf_counter()
    for line in lines:
        event = from_bytes(line.value)
        if event.source not in heard:
            continue
        if (draft := drafts.get(line.key)) is None:
            draft = drafts[line.key] = folding.open(line.key, None)
        folding.fold(draft, event)
    return time.perf_counter() - begun, len(drafts)


def main() -> None:
    arguments = argparse.ArgumentParser(prog="bench.fold", description=__doc__)
    arguments.add_argument("--events", type=int, default=EVENTS)
    hearts = deciders()
    begun = time.perf_counter()
    lines = log_of(hearts, arguments.parse_args().events)
    size = sum(len(line.value) for line in lines)
    print(f"{len(lines):,} events, {size / len(lines):.0f} bytes each, made in {time.perf_counter() - begun:.1f} s")
    for name, heart in hearts.items():
        seconds, documents = folded(heart, lines)
        print(f"{name:<13}{len(lines) / seconds:9,.0f} events/s, {documents:,} documents in {seconds:.2f} s")


if __name__ == "__main__":
    main()
