"""What a run of faults amounted to, as tables and as the last section of docs/faults.md."""

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

Two processes of each service behind a gateway, over a real Kafka, MongoDB and MinIO, all on one machine. A new request of the
demo begins every {pause:g} s, on happy and unhappy paths, and meanwhile one thing after another is killed with -9 and started again
after 20 s; at last Kafka is stopped for longer. Clients repeat a command whose answer did not come, with its Idempotency-Key.

Afterwards each of these must hold, or the command fails: every request went its whole way, and intake, verification and assignment
agree where it ended; every document is the one that was sent; `simpul events verify` is clean (no hole in any sequence, every
state is the fold of the log, no dead letter, every document's hash); every e-mail in the ledger was handed to the SMTP server, and
one came twice only if its first delivery fell on a fault of notification or of MongoDB, which lost the word of its outcome.

*Silence* is the longest time in which no command of anybody was acknowledged, from the fault until {calm} s after its end.
*Wait for news* is the longest that somebody waited until another service had heard of an acknowledged command.
"""


@dataclass(frozen=True)
class Figures:
    """All that was counted."""

    people: LoadGenerator
    smtp_recorder: SmtpRecorder
    faults: Sequence[FaultRecord]
    owed: int
    findings: Sequence[str]
    seconds: float
    machine: str


def machine_now() -> str:
    """The cores and how busy they were."""
    one, five, _ = os.getloadavg()
    return f"{os.cpu_count()} cores, load average {one:.1f} (1 min) and {five:.1f} (5 min)"


def totals(figures: Figures) -> list[tuple[str, str]]:
    book, people, smtp_recorder = figures.people.book, figures.people, figures.smtp_recorder
    put_off = ", ".join(f"{count} x {status}" for status, count in sorted(book.put_off.items())) or "none"
    return [
        ("requests", f"{len(people.journeys):,}"),
        ("of them their whole way", f"{people.completed:,}"),
        ("commands", f"{book.commands:,}"),
        ("of them acknowledged", f"{len(book.acknowledged):,}"),
        ("repeated with the same key", f"{book.repeats:,}"),
        ("answers that put off", put_off),
        ("e-mails owed", f"{figures.owed:,}"),
        ("e-mails handed over", f"{len(smtp_recorder.taken):,}"),
        ("of them more than once", f"{len(smtp_recorder.repeated):,}"),
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
    """Both tables in Markdown, which can be read in a terminal too."""
    heads = ("fault", "back after, s", "acknowledged meanwhile", "longest silence, s", "longest wait for news, s")
    return f"{_rows(('', ''), totals(figures))}\n{_rows(heads, per_fault(figures))}"


def page(figures: Figures, present: str) -> str:
    """The page with its last section replaced; `present` is the page as it is."""
    first = figures.faults[0]
    introduction = INTRODUCTION.format(pause=figures.people.pause, calm=round(first.watched - first.mended))
    found = "".join(f"- {line}\n" for line in figures.findings[:SHOWN])
    result = f"### What did not hold\n\n{found}" if found else "Everything held.\n"
    promises = present.partition(MARK)[0]
    return f"{promises}{MARK}\n{introduction}\n{figures.machine}.\n\n{table(figures)}\n{result}"


def _rows(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [list(heads), ["---"] * len(heads), *map(list, lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    return "".join(f"| {' | '.join(map(str.ljust, row, widths))} |\n" for row in rows)
