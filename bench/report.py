"""What the rounds measured, as a line for each and as the page docs/benchmarks.md."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bench.machine import describe_machine
from bench.rounds import TARGETS, Round

PAGE = Path("docs/benchmarks.md")
PAGES, MOVE, DISTRIBUTED = "## Pages\n", "## Growing\n", "## Distributed mode\n"
PRESERVED_SECTIONS = (PAGES, MOVE, DISTRIBUTED)
"""Sections that other commands write, or that were written when engines were there: `make bench` leaves them as they are."""
COMMANDS = ("submit", "verify", "appoint", "start", "complete", "confirm")
WAYS = {
    "submit": "two PDF files of 100 KB",
    "verify": "",
    "appoint": "",
    "start": "",
    "complete": "one PDF file of 100 KB",
    "confirm": "",
}

INTRODUCTION = """# Benchmarks

Written by `make bench`; do not edit.

A *lifecycle* is six commands over HTTP: submit (two PDF files of 100 KB), verify, appoint, start, complete (one file
of 100 KB) and confirm. *Ours* is `simpul up` in embedded mode as anybody would start it, checks and events and pages
and all, and every e-mail handed to a real SMTP server.

A *floor* is a bare ASGI application under the same server settings, which parses the same bodies, hashes and durably
stores the same files and makes one durable write per command, and nothing else: no accounts, no checks, no events, no
e-mail. There are two. The *plain floor* is written the obvious way and tuned in no direction: the framework reads the
form, each file is hashed and stored in a thread (temporary name, fsync, rename, fsync of the directory), and each
command is a commit of its own (SQLite, WAL, synchronous=FULL, one writer thread). It is what the same work costs whoever
writes it straightforwardly. The *lean floor* is tuned by hand to show how little the work could cost: the parts of a
form go straight to their files as they arrive, waiting commands share a commit, and the directory is not made durable,
so it promises a little less. The ratio to a floor says what everything else costs.

All three run in turns in one run, each in processes of its own on a fresh folder: the server, the load generator and the
mail sink, which share the machine's cores. The sink speaks SMTP by hand, counts and forgets, because a full mail
server library would take more CPU than some of what is measured. Before each measurement the server is warmed up. The
CPU of a lifecycle is that of the server process and its children from the first command to the last e-mail. A command
of one service that another has not heard of yet is tried again after a short pause, which counts into the time of the
lifecycle.
"""


PROFILE = """## Where our time goes

Samples of what held Python's lock under this load (py-spy, 12 to 14 s each, on a busy machine and before the handover record
became a third cheaper; they differ, so read them as sizes, not as figures): HTTP requests a good third, half in the endpoints
themselves; the handover record 8 to 15 %; folding other services' events 11 %; obeying commands 9 to 11 %; e-mails and their ledger
about 11 %; calls of SQLite 8 %. Of the CPU of a lifecycle about two thirds is the main thread's, the rest the thread pool's and the
SQLite writer's. The load itself adds three to four repeated requests a lifecycle while it waits for news. Counting waits, a
submission is the longest command: its files are fsynced, and numbers are taken one after another so that none is skipped.
"""


def with_section(document: str, heading: str, section: str) -> str:
    """The document with this in place of its section with the heading, or at its end if there is none."""
    before, found, rest = document.partition(heading)
    after = rest.partition("\n## ")[2] if found else ""
    parts = (before.rstrip(), section.rstrip(), f"## {after.rstrip()}" if after else "")
    return "\n\n".join(part for part in parts if part) + "\n"


def preserved_sections(document: str) -> str:
    """The sections that other commands have written."""
    found = (document.partition(heading) for heading in PRESERVED_SECTIONS)
    return "\n\n".join((heading + rest.partition("\n## ")[0]).rstrip() for _, heading, rest in found if heading)


def summary(each: Round) -> str:
    """One line for the terminal."""
    emails = f", e-mails {each.emails}/{each.expected} (+{each.drain_seconds:.1f} s)" if each.expected else ""
    failures = f", FAILED {each.load['failures']}: {each.load['first_failures'][:1]}" if each.load["failures"] else ""
    propagation = (
        f", news p50 {each.propagation['all']['p50']:.0f} p95 {each.propagation['all']['p95']:.0f} ms"
        if each.propagation
        else ""
    )
    return (
        f"{each.target:<6}{each.rate:7.1f} lifecycles/s, {each.cpu:6.2f} ms of CPU each (client {_client(each):.2f}), "
        f"p50 {each.load['lifecycle']['p50']:.0f} ms{emails}{propagation}, load average {each.load_average:.1f}{failures}"
    )


def page(done: Sequence[Round], rounds: int, seconds: float, clients: int, runner: str) -> str:
    """The whole page."""
    targets = [[each for each in done if each.target == target] for target in TARGETS]
    ours = targets[-1]
    parts = [
        INTRODUCTION,
        f"{rounds} rounds of {seconds:.0f} s each, {clients} clients at once.\n",
        "\n".join(f"- {line}" for line in describe_machine()) + "\n",
        "## Result\n",
        _compared(*targets),
        "Median of the rounds, and the least and the most in brackets.\n",
        "## Time of each command\n",
        _commands(*targets),
        PROFILE,
        "## E-mails\n",
        _emails(ours),
        "## Folding the log again\n",
        "Each service reads the whole log from position 0, as `simpul state rebuild` does; bytes to state, in memory.\n",
        f"```\n{runner.strip()}\n```\n",
        "## Every round\n",
        _rounds(done),
    ]
    return "\n".join(parts)


def _compared(plain: Sequence[Round], lean: Sequence[Round], ours: Sequence[Round]) -> str:
    rows = [
        ("lifecycles per second", "{:.1f}", lambda each: each.rate),
        ("server CPU per lifecycle, ms", "{:.2f}", lambda each: each.cpu),
        ("time of a lifecycle, p50, ms", "{:.0f}", lambda each: each.load["lifecycle"]["p50"]),
        ("time of a lifecycle, p95, ms", "{:.0f}", lambda each: each.load["lifecycle"]["p95"]),
        ("client CPU per lifecycle, ms", "{:.2f}", _client),
        ("mail sink CPU per lifecycle, ms", "{:.2f}", lambda each: _per_lifecycle(each, each.sink_cpu)),
    ]
    lines = (
        (
            label,
            *(spread(target, value, form) for target in (plain, lean, ours)),
            *(_ratio(baseline, ours, value) for baseline in (plain, lean)),
        )
        for label, form, value in rows
    )
    return table(("", "plain floor", "lean floor", "ours", "ours / plain floor", "ours / lean floor"), lines)


def _commands(plain: Sequence[Round], lean: Sequence[Round], ours: Sequence[Round]) -> str:
    lines = (
        (
            f"{name}{f' ({WAYS[name]})' if WAYS[name] else ''}",
            *(_quantile(target, "commands", name, part) for target in (plain, lean, ours) for part in ("p50", "p95")),
            _quantile(ours, "waited", name, "p50"),
            _quantile(ours, "waited", name, "p95"),
        )
        for name in COMMANDS
    )
    quantiles = (f"{target} {part}" for target in TARGETS for part in ("p50", "p95"))
    heads = ("ms", *quantiles, "waited for the news p50", "p95")
    return table(heads, lines)


def _emails(ours: Sequence[Round]) -> str:
    each = statistics.median(round.expected / max(1, round.lifecycles) for round in ours)
    whole = all(round.complete for round in ours)
    arrived = sum(round.emails for round in ours)
    drain_seconds = max(round.drain_seconds for round in ours)
    verdict = "all of them, each once" if whole else "NOT all of them, or some twice"
    return (
        f"A lifecycle sends {each:.0f} e-mails. {arrived:,} of {sum(r.expected for r in ours):,} arrived: {verdict}; "
        f"the last {drain_seconds:.1f} s after the last command at most.\n"
    )


def _rounds(done: Sequence[Round]) -> str:
    lines = (
        (
            each.target,
            f"{each.rate:.1f}",
            f"{each.cpu:.2f}",
            str(each.lifecycles),
            str(each.load["again"]),
            str(each.load["failures"]),
            f"{each.emails}/{each.expected}",
            f"{each.drain_seconds:.1f}",
        )
        for each in done
    )
    heads = ("side", "lifecycles/s", "CPU ms", "lifecycles", "tried again", "failures", "e-mails", "drained in s")
    return table(heads, lines)


def _client(each: Round) -> float:
    return _per_lifecycle(each, float(each.load["client_cpu"]))


def _per_lifecycle(each: Round, seconds: float) -> float:
    return 1000 * seconds / max(1, each.lifecycles)


def spread(target: Sequence[Round], value: Callable[[Round], float], form: str) -> str:
    values = [value(each) for each in target]
    return f"{form} [{form} - {form}]".format(statistics.median(values), min(values), max(values))


def _ratio(baseline: Sequence[Round], ours: Sequence[Round], value: Callable[[Round], float]) -> str:
    under = statistics.median(map(value, baseline))
    return f"{statistics.median(map(value, ours)) / under:.2f}" if under else "-"


def _quantile(target: Sequence[Round], table: str, command: str, part: str) -> str:
    values = [each.load[table][command][part] for each in target if command in each.load[table]]
    return f"{statistics.median(values):.1f}" if values else "-"


def table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"
