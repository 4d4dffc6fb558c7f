"""Measure the cost of a lifecycle, check the queueing simulation against the measurement, and compute what larger loads need.

Writes the section "Measured and computed" of docs/scale.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.machine import TICKS, NotReady, cpu_seconds, describe_machine, running, wait_until_ready
from bench.queueing import Costs, Machine, Prediction, ServerSimulation, processes_for
from bench.report import table, with_section
from bench.rounds import Sink, run_load, simpul_target
from bench.run import smtp_sink

PAGE, SECTION = Path("docs/scale.md"), "## Measured and computed\n"
CLIENTS = (1, 4, 16, 32)
DELAYED_SHARE = 0.3
"""Share of the main thread's CPU that runs after the responses: events of other services and emails (docs/benchmarks.md)."""
WORKING_DAYS, BUSIEST_HOUR = 245, 0.2
DOCUMENT_MEGABYTES = 2.0
MAX_P95_SECONDS = 1.0
LOADS: Mapping[str, float] = {
    "a district": 10,
    "a province (10 districts)": 100,
    "the country (514 districts)": 5_140,
    "100 times the country": 514_000,
}
"""Requests per working day."""
MEASURED = """With one client a lifecycle costs {main:.1f} ms of CPU of the main thread, {other:.1f} ms of other threads and
{client:.1f} ms of the load generator, and it takes {time:.0f} ms. It adds {stored} to the database. Each load ran for
{seconds:.0f} s on a new folder. The simulation (`bench/queueing.py`) knows the costs with one client only; what it says about
more clients is its prediction:
"""
COMPUTED = """What larger loads need, by the same simulation with two cores per process and a p95 of at most {p95:.0f} s per
lifecycle without the time of people. A year has {days} working days, a fifth of a day's requests come in its busiest hour, and
a request has {documents:.0f} MB of documents:
"""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One load of the server: CPU in seconds per lifecycle, times in seconds, bytes of the database per lifecycle."""

    clients: int
    rate: float
    p50: float
    p95: float
    main: float
    other: float
    client: float
    stored: float


def measure(clients: int, seconds: float, sink: Sink) -> Measurement:
    """Measure a new server under this load. Raises NotReady."""
    with (
        tempfile.TemporaryDirectory(prefix="simpul-scale-", ignore_cleanup_errors=True) as folder,
        ExitStack() as stack,
    ):
        target = simpul_target(Path(folder), sink)
        (program,) = target.programs
        process = stack.enter_context(running(program.command, program.settings))
        wait_until_ready(process, program.port)
        run_load(target, clients, 3.0)
        database = Path(program.settings["SIMPUL_DATA"]) / "simpul.db"
        before = (cpu_seconds(process.pid), main_thread_seconds(process.pid), _size(database))
        load = run_load(target, clients, seconds)
        sink.wait_for_emails()
        spent = (cpu_seconds(process.pid), main_thread_seconds(process.pid), _size(database))
        return _measurement(clients, load, before, spent)


def _measurement(clients: int, load: Mapping[str, Any], before: Sequence[float], after: Sequence[float]) -> Measurement:
    total, main, stored = (
        (last - first) / max(1, load["lifecycles"]) for first, last in zip(before, after, strict=True)
    )
    times = load["lifecycle"]
    return Measurement(
        clients,
        rate=load["rate"],
        p50=times["p50"] / 1000,
        p95=times["p95"] / 1000,
        main=main,
        other=total - main,
        client=load["client_cpu"] / max(1, load["lifecycles"]),
        stored=stored,
    )


def main_thread_seconds(pid: int) -> float:
    """CPU time of the main thread of a process."""
    fields = Path(f"/proc/{pid}/task/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / TICKS


def _size(database: Path) -> float:
    return float(sum(file.stat().st_size for file in database.parent.glob(f"{database.name}*")))


def calibrate(one: Measurement) -> Costs:
    """Return the costs that a single client measures: what is not CPU of its lifecycle is delay."""
    later = DELAYED_SHARE * one.main
    main = one.main - later
    return Costs(main, one.other, later, one.client, delay=max(0.0, one.p50 - main - one.other - one.client))


def checked(measured: Sequence[Measurement], costs: Costs) -> str:
    """Return the table of measured and simulated figures."""
    return table(
        ("clients", "measured/s", "simulated/s", "measured p50, ms", "simulated", "measured p95, ms", "simulated"),
        (_compared(one, ServerSimulation(costs, Machine()).closed(one.clients, seconds=60)) for one in measured),
    )


def _compared(one: Measurement, simulated: Prediction) -> tuple[str, ...]:
    return (
        str(one.clients),
        f"{one.rate:.1f}",
        f"{simulated.rate:.1f}",
        f"{1000 * one.p50:.0f}",
        f"{1000 * simulated.quantile(0.5):.0f}",
        f"{1000 * one.p95:.0f}",
        f"{1000 * simulated.quantile(0.95):.0f}",
    )


def computed(costs: Costs, stored: float) -> str:
    """Return the table of what each load needs."""
    headers = (
        "",
        "requests a year",
        "in the busiest hour, per second",
        "processes",
        "p95, ms",
        "database a year",
        "documents a year",
    )
    return table(headers, _loads(costs, stored))


def _loads(costs: Costs, stored: float) -> Iterator[tuple[str, ...]]:
    for name, a_day in LOADS.items():
        rate, a_year = a_day * BUSIEST_HOUR / 3600, a_day * WORKING_DAYS
        processes = processes_for(max(rate, 0.05), costs, lambda one: one.quantile(0.95) <= MAX_P95_SECONDS)
        if processes is None:
            raise NotReady(f"no number of processes handles {name}.")
        simulated = ServerSimulation(costs, Machine(processes, 2 * processes)).open(max(rate, 0.05), seconds=120)
        yield (
            name,
            f"{a_year:,.0f}",
            f"{rate:.2g}",
            str(processes),
            f"{1000 * simulated.quantile(0.95):.0f}",
            _bytes(a_year * stored),
            _bytes(a_year * DOCUMENT_MEGABYTES * 1e6),
        )


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} PB"


def section(measured: Sequence[Measurement], seconds: float) -> str:
    one = measured[0]
    costs, stored = calibrate(one), measured[-1].stored
    parts = [
        SECTION,
        "Written by `make bench-scale`.\n",
        "\n".join(f"- {line}" for line in describe_machine()) + "\n",
        MEASURED.format(
            main=1000 * one.main,
            other=1000 * one.other,
            client=1000 * one.client,
            time=1000 * one.p50,
            stored=_bytes(stored),
            seconds=seconds,
        ),
        checked(measured, costs),
        COMPUTED.format(p95=MAX_P95_SECONDS, days=WORKING_DAYS, documents=DOCUMENT_MEGABYTES),
        computed(costs, stored),
    ]
    return "\n".join(parts)


def main() -> None:
    arguments = argparse.ArgumentParser(prog="bench.scale", description=__doc__)
    arguments.add_argument("--seconds", type=float, default=14)
    options = arguments.parse_args()
    try:
        with smtp_sink() as (sink, _):
            measured = []
            for clients in CLIENTS:
                measured.append(measure(clients, options.seconds, sink))
                print(measured[-1], flush=True)
        PAGE.write_text(with_section(PAGE.read_text(), SECTION, section(measured, options.seconds)))
    except NotReady as error:
        sys.exit(f"bench.scale: {error}")
    print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
