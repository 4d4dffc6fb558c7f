"""One round of one target: a fresh server, a warm-up, the load, and the wait until all emails have arrived."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import apsw

from bench.machine import NotReady, cpu_seconds, free_port, running, wait_until_ready

TARGETS = ("plain", "lean", "simpul", "workers")
ALL_TARGETS = (*TARGETS, "distributed")
SIMPUL = str(Path(sys.executable).with_name("simpul"))
ROLES = ("officer", "structural", "technical")
WARM_UP_SECONDS = 3.0
QUIET_SECONDS = 3.0
"""All emails are considered delivered when none has arrived for this long."""
EMAIL_TIMEOUT_SECONDS = 20.0
"""Expected emails are considered lost when none has arrived for this long."""


@dataclass(frozen=True, slots=True)
class Program:
    """A process under test: how it is started, and its settings."""

    command: Sequence[str]
    settings: Mapping[str, str]
    port: int


@dataclass(frozen=True, slots=True)
class Target:
    """A system under test: its processes, and the port of each service or, under "", one port for all.

    `measures_propagation`: it has services that consume each other's events. `engine_pids` are the processes of its engines.
    """

    name: str
    programs: Sequence[Program]
    ports: Mapping[str, int]
    accounts: Path
    emails: bool
    measures_propagation: bool = False
    engine_pids: Mapping[str, int] = field(default_factory=dict)
    database: Path | None = None


@dataclass(frozen=True, slots=True)
class StoreSize:
    """What the requests of a round left in the SQLite file, documents not included."""

    requests: int
    events: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Round:
    """The measurements of one round; CPU times are seconds from its start until the last email."""

    target: str
    load: dict[str, Any]
    server_cpu: float
    sink_cpu: float
    emails: int = 0
    distinct: int = 0
    expected: int = 0
    drain_seconds: float = 0.0
    engine_cpu: Mapping[str, float] = field(default_factory=dict)
    propagation: Mapping[str, Any] = field(default_factory=dict)
    load_average: float = 0.0
    """The one-minute load average before the round."""
    store: StoreSize | None = None

    @property
    def rate(self) -> float:
        return float(self.load["rate"])

    @property
    def lifecycles(self) -> int:
        return int(self.load["lifecycles"])

    @property
    def cpu(self) -> float:
        """Milliseconds of server CPU per lifecycle, emails included."""
        return 1000 * self.server_cpu / max(1, self.lifecycles)

    @property
    def complete(self) -> bool:
        return self.emails == self.distinct == self.expected and not self.load["failures"]


class Sink:
    """A client of the SMTP sink's control port."""

    def __init__(self, port: int, control: int) -> None:
        self.port = port
        self._connection = socket.create_connection(("127.0.0.1", control), timeout=10)
        self._lines = self._connection.makefile("rwb")

    def counts(self) -> dict[str, Any]:
        self._lines.write(b"\n")
        self._lines.flush()
        counts: dict[str, Any] = json.loads(self._lines.readline())
        return counts

    def wait_for_emails(self, expected: int | None = None, limit: float = 300.0) -> tuple[dict[str, Any], float]:
        """Wait until `expected` messages have arrived or no more arrive; return the counts and the seconds to the last one."""
        started_at = arrived = time.monotonic()
        quiet_seconds = QUIET_SECONDS if expected is None else EMAIL_TIMEOUT_SECONDS
        counts = self.counts()
        while time.monotonic() - arrived < quiet_seconds and time.monotonic() - started_at < limit:
            if counts["messages"] == expected:
                break
            time.sleep(0.05)
            latest = self.counts()
            if latest["messages"] != counts["messages"]:
                arrived = time.monotonic()
            counts = latest
        return counts, arrived - started_at


def baseline_target(name: str, data: Path) -> Target:
    """The plain or the lean baseline."""
    port, accounts = free_port(), data / "accounts.json"
    accounts.write_text(json.dumps([{"username": role, "password": "-", "roles": [role]} for role in ROLES]))
    command = [sys.executable, "-m", f"bench.{name}_baseline", "--port", str(port), "--data", str(data / "baseline")]
    return Target(name, [Program(command, {}, port)], {"": port}, accounts, emails=False)


def simpul_target(data: Path, sink: Sink, *, workers: int = 1) -> Target:
    """Simpul in embedded mode with default settings, existing staff accounts and no limit on submissions."""
    port = free_port()
    settings = {"SIMPUL_DATA": str(data / "simpul"), "SIMPUL_PORT": str(port), **simpul_settings(sink)}
    program = Program([SIMPUL, "up", "--workers", str(workers)], settings, port)
    accounts, database = create_accounts(data, settings), data / "simpul" / "simpul.db"
    return Target(
        "simpul" if workers == 1 else "workers",
        [program],
        {"": port},
        accounts,
        emails=True,
        measures_propagation=True,
        database=database,
    )


def simpul_settings(sink: Sink) -> dict[str, str]:
    """The settings for both modes."""
    return {
        "SIMPUL_SMTP": f"smtp://127.0.0.1:{sink.port}?tls=none",
        "SIMPUL_PUBLIC_RATE": "0",
        "SIMPUL_LOG_LEVEL": "warning",
    }


def create_accounts(data: Path, settings: Mapping[str, str]) -> Path:
    """Create the accounts for the load by the command line, once; return the file with them. Raises NotReady."""
    accounts = data / "accounts.json"
    if accounts.exists():
        return accounts
    accounts.write_text(json.dumps([_create_account(settings, role) for role in ROLES]))
    return accounts


def _create_account(settings: Mapping[str, str], role: str) -> dict[str, Any]:
    username, password = f"beban-{role}", f"Kopra-{role}-Tembikar-41"
    options = ["--name", f"Petugas {role.title()}", "--email", f"{role}@kantor.example", "--role", role]
    command = [SIMPUL, "staff", "add", username, *options, "--password-stdin"]
    completed = subprocess.run(
        command, input=password.encode(), env={**os.environ, **settings}, capture_output=True, check=False
    )
    if completed.returncode:
        raise NotReady(f"simpul staff add failed: {completed.stderr.decode(errors='replace')}")
    return {"username": username, "password": password, "roles": [role]}


def run_round(
    target: Target, sink: Sink, sink_process: int, clients: int, seconds: float, *, propagation: bool = True
) -> Round:
    """Measure the target, then the store that it left. Raises NotReady."""
    measured = _measure_round(target, sink, sink_process, clients, seconds, propagation)
    return replace(measured, store=_store_size(target.database)) if target.database else measured


def _store_size(database: Path) -> StoreSize:
    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    [[requests, events]] = connection.execute("SELECT count(DISTINCT key), count(*) FROM log")
    connection.close()
    return StoreSize(requests, events, database.stat().st_size)


def _measure_round(
    target: Target, sink: Sink, sink_process: int, clients: int, seconds: float, propagation: bool
) -> Round:
    """Start the target, warm it up, count the emails of one lifecycle, then measure. Raises NotReady."""
    load_average, _, _ = os.getloadavg()
    with ExitStack() as stack:
        processes = [stack.enter_context(running(one.command, one.settings)) for one in target.programs]
        for process, program in zip(processes, target.programs, strict=True):
            wait_until_ready(process, program.port)
        run_load(target, clients, WARM_UP_SECONDS)
        emails_each = emails_per_lifecycle(target, sink) if target.emails else 0
        servers = [process.pid for process in processes]
        before, used_before = sink.counts(), cpu_usage(servers, target, sink_process)
        load = run_load(target, clients, seconds)
        expected = emails_each * load["lifecycles"]
        after, drain_seconds = sink.wait_for_emails(before["messages"] + expected) if target.emails else (before, 0.0)
        cpu = {name: spent - used_before[name] for name, spent in cpu_usage(servers, target, sink_process).items()}
        return Round(
            target.name,
            load,
            cpu.pop("servers"),
            cpu.pop("sink"),
            after["messages"] - before["messages"],
            after["distinct"] - before["distinct"],
            expected,
            drain_seconds,
            cpu,
            measure_propagation(target) if propagation and target.measures_propagation else {},
            load_average,
        )


def cpu_usage(servers: Sequence[int], target: Target, sink_process: int) -> dict[str, float]:
    """CPU seconds of the servers, of the sink, and of each engine."""
    engines = {name: cpu_seconds(pid) for name, pid in target.engine_pids.items()}
    return {"servers": sum(map(cpu_seconds, servers)), "sink": cpu_seconds(sink_process), **engines}


def emails_per_lifecycle(target: Target, sink: Sink) -> int:
    """The number of emails of a single lifecycle without other load."""
    before, _ = sink.wait_for_emails()
    done = int(run_load(target, 1, 0.001)["lifecycles"])
    after, _ = sink.wait_for_emails()
    arrived = int(after["messages"] - before["messages"])
    return arrived // max(1, done)


def run_load(target: Target, clients: int, seconds: float) -> dict[str, Any]:
    """Run the load generator in a separate process and return its results. Raises NotReady."""
    return run_module("bench.load", target, clients=clients, seconds=seconds, live=int(target.measures_propagation))


def measure_propagation(target: Target) -> dict[str, Any]:
    """Measure the propagation latency in a separate process. Raises NotReady."""
    return run_module("bench.propagation", target)


def run_module(module: str, target: Target, **options: object) -> dict[str, Any]:
    """Run a module against the target in a separate process and return the JSON that it prints. Raises NotReady."""
    command = [sys.executable, "-m", module, "--ports", json.dumps(target.ports), "--accounts", str(target.accounts)]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    completed = subprocess.run(command, capture_output=True, check=False)
    if completed.returncode:
        raise NotReady(f"{module} failed: {completed.stderr.decode(errors='replace')[-2000:]}")
    results: dict[str, Any] = json.loads(completed.stdout)
    return results
