"""The results of a fault run as tables and as the last section of docs/faults.md."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.distributed.fault_injection import FaultRecord
from tests.faults.distributed.load_generator import LoadGenerator
from tests.faults.distributed.smtp_recorder import SmtpRecorder

PAGE = Path("docs/faults.md")
SHOWN = 20

MARK = "<!-- Everything below this line is written by `make faults`. -->"
INTRODUCTION = """
## Figures of `make faults`

Two processes of each service run behind a gateway over real Kafka, MongoDB and MinIO, all on one machine. A new demo request starts
every {pause:g} s. Meanwhile one process or engine after another is killed with -9 and restarted after 20 s; at the end Kafka is
stopped for longer. Clients retry a command without a response under the same Idempotency-Key.

Afterwards each of these must hold, or the command fails: every request completed its scenario, and intake, verification and
assignment agree on its status; every document is the one that was sent; `simpul events verify` finds nothing (no gap in any
sequence, every state is the fold of the log, no dead letter, every document has its hash); every email in the ledger was
handed to the SMTP server, and an email came twice only if its first delivery coincided with a fault of notification or
MongoDB, which lost its outcome.

The *longest silence* is the longest time without any acknowledged command, from the fault until {calm} s after its end. The
*propagation latency* is the longest time until another service has received the event of an acknowledged command.
"""


@dataclass(frozen=True)
class Figures:
    """The counts of a run."""

    people: LoadGenerator
    smtp_recorder: SmtpRecorder
    faults: Sequence[FaultRecord]
    owed: int
    findings: Sequence[str]
    seconds: float
    machine: str


def machine_now() -> str:
    """The number of cores and the load averages."""
    one, five, _ = os.getloadavg()
    return f"{os.cpu_count()} cores, load average {one:.1f} (1 min) and {five:.1f} (5 min)"


def totals(figures: Figures) -> list[tuple[str, str]]:
    book, people, smtp_recorder = figures.people.book, figures.people, figures.smtp_recorder
    put_off = ", ".join(f"{count} x {status}" for status, count in sorted(book.put_off.items())) or "none"
    return [
        ("requests", f"{len(people.journeys):,}"),
        ("completed scenarios", f"{people.completed:,}"),
        ("commands", f"{book.commands:,}"),
        ("acknowledged commands", f"{len(book.acknowledged):,}"),
        ("retries under the same key", f"{book.repeats:,}"),
        ("responses 502 and 503", put_off),
        ("expected emails", f"{figures.owed:,}"),
        ("delivered emails", f"{len(smtp_recorder.taken):,}"),
        ("emails delivered twice", f"{len(smtp_recorder.repeated):,}"),
        ("findings", f"{len(figures.findings):,}"),
        ("seconds", f"{figures.seconds:.0f}"),
    ]


def per_fault(figures: Figures) -> Iterable[tuple[str, ...]]:
    book = figures.people.book
    for fault in figures.faults:
        yield (
            fault.name,
            f"{fault.mended - fault.begun:.1f}",
            str(sum(fault.begun < moment < fault.watched for moment in book.acknowledged)),
            f"{book.silence(fault.begun, fault.watched):.1f}",
            f"{book.waited(fault.begun, fault.watched):.1f}",
        )


def table(figures: Figures) -> str:
    """Both tables in Markdown, aligned for the terminal."""
    heads = (
        "fault",
        "recovered after, s",
        "acknowledged commands",
        "longest silence, s",
        "longest propagation latency, s",
    )
    return f"{_rows(('', ''), totals(figures))}\n{_rows(heads, per_fault(figures))}"


def page(figures: Figures, current: str) -> str:
    """Replace the generated section of the current page."""
    first = figures.faults[0]
    introduction = INTRODUCTION.format(pause=figures.people.pause, calm=round(first.watched - first.mended))
    found = "".join(f"- {line}\n" for line in figures.findings[:SHOWN])
    result = f"### Broken promises\n\n{found}" if found else "All promises held.\n"
    promises = current.partition(MARK)[0]
    return f"{promises}{MARK}\n{introduction}\n{figures.machine}.\n\n{table(figures)}\n{result}"


def _rows(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [list(heads), ["---"] * len(heads), *map(list, lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    return "".join(f"| {' | '.join(map(str.ljust, row, widths))} |\n" for row in rows)
