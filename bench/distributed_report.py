"""What the distributed mode measured, as one section of docs/benchmarks.md."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence

from bench.machine import describe_machine
from bench.report import DISTRIBUTED, spread, table
from bench.rounds import Round

TARGET_RATE, TARGET_P95_MS = 12, 300

ABOUT = """The same load over one process of each service, asked at its own port, with Apache Kafka, MongoDB (a replica set of one,
majority and journal) and MinIO, the load, the mail sink and all on the same {cores}. A round is {seconds:.0f} s with {clients}
clients at once. Asked for are {rate} lifecycles a second, and that another service hears of an event within {p95} ms (p95)
at 5 requests a second. *Heard* is the time from the answer to a command until another service answers with what it did, looked for
every 10 ms, of two events of each request: intake to verification, and verification to assignment.

Load average of the minute before each round: {busy}. On a machine with other work the figures are worse than on one of its own.
"""


def distributed_section(distributed: Sequence[Round], ours: Sequence[Round], seconds: float, clients: int) -> str:
    """The section; beside it the embedded mode, if that was measured in the same run."""
    cores = describe_machine()[0]
    load_average = ", ".join(f"{each.load_average:.1f}" for each in distributed)
    about = ABOUT.format(
        cores=cores, seconds=seconds, clients=clients, rate=TARGET_RATE, p95=TARGET_P95_MS, load_average=load_average
    )
    heads = ("", "distributed", *(["embedded, same run"] if ours else []))
    return f"{DISTRIBUTED}\n{about}\n{table(heads, _lines(distributed, ours))}\n{_emails(distributed)}"


def _lines(distributed: Sequence[Round], ours: Sequence[Round]) -> Iterable[Sequence[str]]:
    rows: list[tuple[str, str, Callable[[Round], float]]] = [
        ("lifecycles per second", "{:.1f}", lambda each: each.rate),
        ("time of a lifecycle, p50, ms", "{:.0f}", lambda each: each.load["lifecycle"]["p50"]),
        ("time of a lifecycle, p95, ms", "{:.0f}", lambda each: each.load["lifecycle"]["p95"]),
        ("heard at 5/s, p50, ms", "{:.0f}", lambda each: each.propagation["all"]["p50"]),
        ("heard at 5/s, p95, ms", "{:.0f}", lambda each: each.propagation["all"]["p95"]),
        ("CPU of the services per lifecycle, ms", "{:.1f}", lambda each: each.cpu),
    ]
    for label, form, value in rows:
        yield (label, *(spread(target, value, form) for target in (distributed, ours) if target))
    for engine in distributed[0].engine_cpu:
        values = [1000 * each.engine_cpu[engine] / max(1, each.lifecycles) for each in distributed]
        yield (f"CPU of {engine} per lifecycle, ms", f"{statistics.median(values):.1f}", *(["-"] if ours else []))


def _emails(distributed: Sequence[Round]) -> str:
    arrived, owed = sum(each.emails for each in distributed), sum(each.expected for each in distributed)
    verdict = (
        "all of them, each once" if all(each.complete for each in distributed) else "NOT all of them, or some twice"
    )
    emails = f"Of {owed:,} e-mails {arrived:,} arrived: {verdict}."
    return f"{emails} Median of {len(distributed)} rounds, the least and the most in brackets.\n"
