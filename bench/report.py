"""The measurements as one line per round and as the page docs/benchmarks.md."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bench.machine import describe_machine
from bench.rounds import TARGETS, Round

PAGE = Path("docs/benchmarks.md")
PAGES, MOVE, DISTRIBUTED = "## Pages\n", "## Moving a data folder\n", "## Distributed mode\n"
LISTS, SIZES = "## Lists and searches\n", "## Sizes\n"
PRESERVED_SECTIONS = (PAGES, SIZES, LISTS, MOVE, DISTRIBUTED)
"""Sections that other commands write, or that need engines: `make bench` does not change them."""
REGRESSION_FACTOR = 1.15
"""A ratio that is worse than the committed one by more than this is reported."""
COMMANDS = ("submit", "verify", "assign", "start", "complete", "confirm")
COMMAND_PAYLOADS = {
    "submit": "two PDF files of 100 KB",
    "verify": "",
    "assign": "",
    "start": "",
    "complete": "one PDF file of 100 KB",
    "confirm": "",
}

INTRODUCTION = """# Benchmarks

Written by `make bench`; do not edit.

A *lifecycle* is six commands over HTTP: submit (two PDF files of 100 KB), verify, assign, start, complete (one file of 100
KB) and confirm. *Simpul* is `simpul up` in embedded mode with default settings, and every email is handed to a real SMTP
server. *Workers* is `simpul up --workers 2`.

A *baseline* is a minimal ASGI application under the same server settings. It parses the same bodies, hashes and durably
stores the same files, and makes one durable write per command, and nothing else: no accounts, no checks, no events, no email.
The *plain baseline* is written in the usual way and not tuned: the framework reads the form, each file is hashed and stored
in a thread (temporary name, fsync, rename, fsync of the directory), and each command is a commit of its own (SQLite, WAL,
synchronous=FULL, one writer thread). The *lean baseline* is tuned by hand: the parts of a form are written to their files as
they arrive, waiting commands share a commit, and the directory is not made durable, so it promises a little less. The ratio
to a baseline is the cost of everything else that Simpul does.

The targets take turns in one run, each in separate processes on a new folder: the server, the load generator and the
SMTP sink, which share the cores of the machine. The sink is a minimal SMTP server that only counts, because a complete one
takes more CPU than some of what is measured. Each server is warmed up first. The CPU time of a lifecycle is that of the
server process and its children from the first command to the last email. Officer and head wait until a request appears in
their live lists, and the applicant confirms 0.3 s after the handover, as if told by email; waiting counts into the time of the
lifecycle, and as work only where it makes the server work.
"""


PROFILE = """## Where the time goes

Samples of what held Python's lock under this load (py-spy, blocking, 14 s at 16 clients on a busy machine): the main thread has
95 % of them, the rest are the handover record and the SQLite writer. Of the main thread's, HTTP requests take 51 % (writing to
sockets 6 %, finding route and dependencies 10 %, sessions 3 %, the twelve middlewares 4 %), folding events of other services
18 %, emails and their ledger 11 %, calls of SQLite and decoding what they return 10 %, live lists 4 %, the relay 1 %; deciding
and saving commands, within the requests, 10 %. The profile is flat: no function has more than 3 % except writing to sockets. A
submission is the longest command: its files are fsynced, and registration numbers are assigned one after another so that none
is skipped.

What has paid for its lines, in CPU time per lifecycle: inspecting up to 100 files in one child of the sandbox, about 20 ms
(a child costs 6 to 8 ms, an inspection 0.05 ms); a flat list of routes, each compared by the fixed beginning of its path
first, and calling dependencies directly, where FastAPI used a thread for two or three of each command, 7 to 10 ms; keeping
the first files of a form in memory up to 256 KiB, nine calls to threads; sharing what the four services read of the log,
taking records of live lists and existence checks from the cache, 81 reads of SQLite down to 45; putting emails together
without the classes of the standard library, 1.1 ms; no spans while there is neither a trace nor an exporter, 0.4 ms. Those
after the routes together: 98 ms before, 58 ms after (medians of three alternated runs at 16 clients on a busy machine, both
without the sign-ins of the load), and p50 of a submission 1,290 ms before, 490 ms after.

What has not: merging the middleware (2 % at most, and it would cost the separation of its limits); faster random ids (0.1 ms);
writing events to the log together with the record (the relay has 1 % of the samples);
pipelining SMTP commands, for which the library has no way (3 % of the samples are writes to the mail server).
"""


def with_section(document: str, heading: str, section: str) -> str:
    """Replace the section with this heading, or append the section."""
    before, found, rest = document.partition(heading)
    after = rest.partition("\n## ")[2] if found else ""
    parts = (before.rstrip(), section.rstrip(), f"## {after.rstrip()}" if after else "")
    return "\n\n".join(part for part in parts if part) + "\n"


def preserved_sections(document: str) -> str:
    """The sections that `make bench` does not write."""
    found = (document.partition(heading) for heading in PRESERVED_SECTIONS)
    return "\n\n".join((heading + rest.partition("\n## ")[0]).rstrip() for _, heading, rest in found if heading)


def regressions(document: str, committed: str) -> list[str]:
    """Compare the ratios to the baselines of two versions of the page; return a line for each that is clearly worse.

    A ratio compares targets of the same run, so that the machine and its other load matter little.
    """
    now, before = _ratios(document), _ratios(committed)
    lower_is_better = {name: not name.startswith("lifecycles") for name, _ in now}
    return [
        f"{name}, {column}: {value:.2f}, committed {before[name, column]:.2f}"
        for (name, column), value in now.items()
        if (name, column) in before and _is_worse(value, before[name, column], lower_is_better=lower_is_better[name])
    ]


def _is_worse(value: float, committed: float, *, lower_is_better: bool) -> bool:
    return value > committed * REGRESSION_FACTOR if lower_is_better else value * REGRESSION_FACTOR < committed


def _ratios(document: str) -> dict[tuple[str, str], float]:
    """Return the ratios in the table of results, by the names of their rows and columns."""
    _, _, result = document.partition("## Result\n")
    rows = [line.strip("| ").split(" | ") for line in result.partition("\n## ")[0].splitlines() if line.startswith("|")]
    headers = rows[0] if rows else []
    return {
        (row[0], header): float(cell)
        for row in rows[2:]
        for header, cell in zip(headers[-len(row) + 1 :], row[1:], strict=False)
        if " / " in header and cell != "-"
    }


def summary(one: Round) -> str:
    """One line for the terminal."""
    emails = f", emails {one.emails}/{one.expected} (+{one.drain_seconds:.1f} s)" if one.expected else ""
    failures = f", FAILED {one.load['failures']}: {one.load['first_failures'][:1]}" if one.load["failures"] else ""
    propagation = (
        f", propagation p50 {one.propagation['all']['p50']:.0f} p95 {one.propagation['all']['p95']:.0f} ms"
        if one.propagation
        else ""
    )
    return (
        f"{one.target:<8}{one.rate:7.1f} lifecycles/s, {one.cpu:6.2f} ms of CPU each (client {_client(one):.2f}), "
        f"p50 {one.load['lifecycle']['p50']:.0f} ms{emails}{propagation}, load average {one.load_average:.1f}{failures}"
    )


def page(done: Sequence[Round], rounds: int, seconds: float, clients: int, folding: str) -> str:
    """The page without the preserved sections."""
    targets = [[one for one in done if one.target == target] for target in TARGETS]
    simpul, workers = targets[TARGETS.index("simpul")], targets[TARGETS.index("workers")]
    parts = [
        INTRODUCTION,
        f"{rounds} rounds of {seconds:.0f} s each, {clients} concurrent clients.\n",
        "\n".join(f"- {line}" for line in describe_machine()) + "\n",
        "## Result\n",
        _compared(*targets),
        "Median of the rounds, minimum and maximum in brackets.\n",
        "## Time of each command\n",
        _commands(*targets),
        PROFILE,
        "## Emails\n",
        _emails([*simpul, *workers]),
        "## Rebuilding from the log\n",
        "Each service folds the whole log from position 0, as `simpul state rebuild` does: from bytes to state, in memory.\n",
        f"```\n{folding.strip()}\n```\n",
        "## Every round\n",
        _rounds(done),
    ]
    return "\n".join(parts)


def _compared(plain: Sequence[Round], lean: Sequence[Round], simpul: Sequence[Round], workers: Sequence[Round]) -> str:
    rows = [
        ("lifecycles per second", "{:.1f}", lambda one: one.rate),
        ("server CPU per lifecycle, ms", "{:.2f}", lambda one: one.cpu),
        ("time of a lifecycle, p50, ms", "{:.0f}", lambda one: one.load["lifecycle"]["p50"]),
        ("time of a lifecycle, p95, ms", "{:.0f}", lambda one: one.load["lifecycle"]["p95"]),
        ("client CPU per lifecycle, ms", "{:.2f}", _client),
        ("SMTP sink CPU per lifecycle, ms", "{:.2f}", lambda one: _per_lifecycle(one, one.sink_cpu)),
    ]
    lines = (
        (
            label,
            *(spread(target, value, form) for target in (plain, lean, simpul, workers)),
            *(_ratio(baseline, simpul, value) for baseline in (plain, lean)),
            _ratio(simpul, workers, value),
        )
        for label, form, value in rows
    )
    headers = (
        "plain baseline",
        "lean baseline",
        "Simpul",
        "2 workers",
        "Simpul / plain",
        "Simpul / lean",
        "2 / 1 workers",
    )
    return table(("", *headers), lines)


def _commands(plain: Sequence[Round], lean: Sequence[Round], simpul: Sequence[Round], workers: Sequence[Round]) -> str:
    lines = (
        (
            f"{name}{f' ({COMMAND_PAYLOADS[name]})' if COMMAND_PAYLOADS[name] else ''}",
            *(
                _quantile(target, "commands", name, part)
                for target in (plain, lean, simpul, workers)
                for part in ("p50", "p95")
            ),
            _quantile(simpul, "waited", name, "p50"),
            _quantile(simpul, "waited", name, "p95"),
        )
        for name in COMMANDS
    )
    quantiles = (f"{target} {part}" for target in TARGETS for part in ("p50", "p95"))
    headers = ("ms", *quantiles, "waiting for propagation (simpul) p50", "p95")
    return table(headers, lines)


def _emails(simpul: Sequence[Round]) -> str:
    one = statistics.median(one.expected / max(1, one.lifecycles) for one in simpul)
    whole = all(one.complete for one in simpul)
    arrived = sum(one.emails for one in simpul)
    drain_seconds = max(one.drain_seconds for one in simpul)
    verdict = "all of them, each once" if whole else "NOT all of them, or some of them twice"
    return (
        f"A lifecycle sends {one:.0f} emails. {arrived:,} of {sum(one.expected for one in simpul):,} arrived: {verdict}; "
        f"the last at most {drain_seconds:.1f} s after the last command.\n"
    )


def _rounds(done: Sequence[Round]) -> str:
    lines = (
        (
            one.target,
            f"{one.rate:.1f}",
            f"{one.cpu:.2f}",
            str(one.lifecycles),
            str(one.load["again"]),
            str(one.load["failures"]),
            f"{one.emails}/{one.expected}",
            f"{one.drain_seconds:.1f}",
        )
        for one in done
    )
    headers = ("target", "lifecycles/s", "CPU ms", "lifecycles", "retries", "failures", "emails", "drained after s")
    return table(headers, lines)


def _client(one: Round) -> float:
    return _per_lifecycle(one, float(one.load["client_cpu"]))


def _per_lifecycle(one: Round, seconds: float) -> float:
    return 1000 * seconds / max(1, one.lifecycles)


def spread(target: Sequence[Round], value: Callable[[Round], float], form: str) -> str:
    values = [value(one) for one in target]
    return f"{form} [{form} - {form}]".format(statistics.median(values), min(values), max(values))


def _ratio(baseline: Sequence[Round], simpul: Sequence[Round], value: Callable[[Round], float]) -> str:
    denominator = statistics.median(map(value, baseline))
    return f"{statistics.median(map(value, simpul)) / denominator:.2f}" if denominator else "-"


def _quantile(target: Sequence[Round], table: str, command: str, part: str) -> str:
    values = [one.load[table][command][part] for one in target if command in one.load[table]]
    return f"{statistics.median(values):.1f}" if values else "-"


def table(headers: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [headers, ["---"] * len(headers), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"
