"""The measurements of the distributed mode, as one section of docs/benchmarks.md."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence

from bench.machine import describe_machine
from bench.report import DISTRIBUTED, spread, table
from bench.rounds import Round

TARGET_RATE, TARGET_P95_MS = 12, 300

ABOUT = """The same load on one process per service, each called at its own port, with Apache Kafka, MongoDB (a replica set of one,
majority and journal) and MinIO. Services, engines, load generator and SMTP sink share {cores}. A round is {seconds:.0f} s
with {clients} concurrent clients. The targets are {rate} lifecycles per second, and a propagation latency of at most {p95} ms
(p95) at 5 requests per second. The *propagation latency* is the time from the response to a command until another service
responds with its effect, polled every 10 ms, for two events of each request: intake to verification, and verification to
assignment.

Load average of the minute before each round: {load_average}. Other work on the machine makes the figures worse.
"""


def distributed_section(distributed: Sequence[Round], embedded: Sequence[Round], seconds: float, clients: int) -> str:
    """The section, with a column for the embedded mode if it was measured in the same run."""
    cores = describe_machine()[0]
    load_average = ", ".join(f"{one.load_average:.1f}" for one in distributed)
    about = ABOUT.format(
        cores=cores, seconds=seconds, clients=clients, rate=TARGET_RATE, p95=TARGET_P95_MS, load_average=load_average
    )
    headers = ("", "distributed", *(["embedded, same run"] if embedded else []))
    return f"{DISTRIBUTED}\n{about}\n{table(headers, _lines(distributed, embedded))}\n{_emails(distributed)}"


def _lines(distributed: Sequence[Round], embedded: Sequence[Round]) -> Iterable[Sequence[str]]:
    rows: list[tuple[str, str, Callable[[Round], float]]] = [
        ("lifecycles per second", "{:.1f}", lambda one: one.rate),
        ("time of a lifecycle, p50, ms", "{:.0f}", lambda one: one.load["lifecycle"]["p50"]),
        ("time of a lifecycle, p95, ms", "{:.0f}", lambda one: one.load["lifecycle"]["p95"]),
        ("propagation latency at 5/s, p50, ms", "{:.0f}", lambda one: one.propagation["all"]["p50"]),
        ("propagation latency at 5/s, p95, ms", "{:.0f}", lambda one: one.propagation["all"]["p95"]),
        ("CPU of the services per lifecycle, ms", "{:.1f}", lambda one: one.cpu),
    ]
    for label, form, value in rows:
        yield (label, *(spread(target, value, form) for target in (distributed, embedded) if target))
    for engine in distributed[0].engine_cpu:
        values = [1000 * one.engine_cpu[engine] / max(1, one.lifecycles) for one in distributed]
        yield (f"CPU of {engine} per lifecycle, ms", f"{statistics.median(values):.1f}", *(["-"] if embedded else []))


def _emails(distributed: Sequence[Round]) -> str:
    arrived, expected = sum(one.emails for one in distributed), sum(one.expected for one in distributed)
    verdict = (
        "all of them, each once"
        if all(one.complete for one in distributed)
        else "NOT all of them, or some of them twice"
    )
    emails = f"{arrived:,} of {expected:,} emails arrived: {verdict}."
    return f"{emails} Median of {len(distributed)} rounds, minimum and maximum in brackets.\n"
