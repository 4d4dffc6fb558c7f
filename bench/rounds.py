"""One round of one side: a fresh server, a warm-up, the load, and the wait until its e-mails have all arrived."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.machine import NotReady, cpu_seconds, free_port, running, wait_until_ready

TARGETS = ("plain", "lean", "ours")
ALL_TARGETS = (*TARGETS, "apart")
SIMPUL = str(Path(sys.executable).with_name("simpul"))
ROLES = ("officer", "structural", "technical")
WARM_UP_SECONDS = 3.0
QUIET_SECONDS = 3.0
"""E-mails are taken to have all arrived when none has for this long."""
EMAIL_TIMEOUT_SECONDS = 20.0
"""An e-mail that is still awaited is taken to be lost when none has arrived for this long."""


@dataclass(frozen=True, slots=True)
class Program:
    """A process under test: how it is started, and its settings."""

    command: Sequence[str]
    settings: Mapping[str, str]
    port: int


@dataclass(frozen=True, slots=True)
class Target:
    """What is under test: its processes, the port of each service or under "" one for all, and what runs beneath.

    `hears` says that its services hear of each other, so that it can be asked how soon.
    """

    name: str
    programs: Sequence[Program]
    ports: Mapping[str, int]
    accounts: Path
    emails: bool
    measures_propagation: bool = False
    beneath: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Round:
    """What one round measured; CPU times are seconds of the whole round until the last e-mail."""

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
    """The load average of a minute before the round began."""

    @property
    def rate(self) -> float:
        return float(self.load["rate"])

    @property
    def lifecycles(self) -> int:
        return int(self.load["lifecycles"])

    @property
    def cpu(self) -> float:
        """Milliseconds of server CPU per lifecycle, the e-mails included."""
        return 1000 * self.server_cpu / max(1, self.lifecycles)

    @property
    def complete(self) -> bool:
        return self.emails == self.distinct == self.expected and not self.load["failures"]


class Sink:
    """The mail sink's counts, asked for over its control port."""

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
        """The counts once `expected` messages are there or none comes any more, and the seconds to the last one."""
        begun = arrived = time.monotonic()
        still = QUIET_SECONDS if expected is None else EMAIL_TIMEOUT_SECONDS
        counts = self.counts()
        while time.monotonic() - arrived < still and time.monotonic() - begun < limit:
            if counts["messages"] == expected:
                break
            time.sleep(0.05)
            latest = self.counts()
            if latest["messages"] != counts["messages"]:
                arrived = time.monotonic()
            counts = latest
        return counts, arrived - begun


def baseline_target(name: str, data: Path) -> Target:
    """The plain or the lean floor."""
    port, accounts = free_port(), data / "accounts.json"
    accounts.write_text(json.dumps([{"username": role, "password": "-", "roles": [role]} for role in ROLES]))
    command = [sys.executable, "-m", f"bench.{name}_floor", "--port", str(port), "--data", str(data / "floor")]
    return Target(name, [Program(command, {}, port)], {"": port}, accounts, emails=False)


def simpul_target(data: Path, sink: Sink) -> Target:
    """Simpul as anybody would start it, with staff made beforehand and no limit on submissions."""
    port = free_port()
    settings = {"SIMPUL_DATA": str(data / "simpul"), "SIMPUL_PORT": str(port), **simpul_settings(sink)}
    program = Program([SIMPUL, "up"], settings, port)
    return Target(
        "ours", [program], {"": port}, create_accounts(data, settings), emails=True, measures_propagation=True
    )


def simpul_settings(sink: Sink) -> dict[str, str]:
    """Settings of both modes."""
    return {
        "SIMPUL_SMTP": f"smtp://127.0.0.1:{sink.port}?tls=none",
        "SIMPUL_PUBLIC_RATE": "0",
        "SIMPUL_LOG_LEVEL": "warning",
    }


def create_accounts(data: Path, settings: Mapping[str, str]) -> Path:
    """The file of accounts that the load signs in with, made by the command line. Raises NotReady."""
    accounts = data / "accounts.json"
    accounts.write_text(json.dumps([_create_account(settings, role) for role in ROLES]))
    return accounts


def _create_account(settings: Mapping[str, str], role: str) -> dict[str, Any]:
    username, password = f"beban-{role}", f"Kopra-{role}-Tembikar-41"
    about = ["--name", f"Petugas {role.title()}", "--email", f"{role}@kantor.example", "--role", role]
    command = [SIMPUL, "staff", "add", username, *about, "--password-stdin"]
    made = subprocess.run(command, input=password.encode(), env={**os.environ, **settings}, capture_output=True)
    if made.returncode:
        raise NotReady(f"simpul staff add failed: {made.stderr.decode(errors='replace')}")
    return {"username": username, "password": password, "roles": [role]}


def run_round(target: Target, sink: Sink, sink_process: int, clients: int, seconds: float) -> Round:
    """Start the side, warm it up, find how many e-mails a lifecycle has, then measure. Raises NotReady."""
    load_average, _, _ = os.getloadavg()
    with ExitStack() as open_:
        processes = [open_.enter_context(running(each.command, each.settings)) for each in target.programs]
        for process, program in zip(processes, target.programs, strict=True):
            wait_until_ready(process, program.port)
        run_load(target, clients, WARM_UP_SECONDS)
        each = emails_per_lifecycle(target, sink) if target.emails else 0
        servers = [process.pid for process in processes]
        before, used_before = sink.counts(), cpu_usage(servers, target, sink_process)
        load = run_load(target, clients, seconds)
        expected = each * load["lifecycles"]
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
            measure_propagation(target) if target.measures_propagation else {},
            load_average,
        )


def cpu_usage(servers: Sequence[int], target: Target, sink_process: int) -> dict[str, float]:
    """CPU seconds of the servers, of the sink, and of each engine beneath."""
    beneath = {name: cpu_seconds(process) for name, process in target.beneath.items()}
    return {"servers": sum(map(cpu_seconds, servers)), "sink": cpu_seconds(sink_process), **beneath}


def emails_per_lifecycle(target: Target, sink: Sink) -> int:
    """The e-mails that a single lifecycle sends, counted while nothing else goes on."""
    before, _ = sink.wait_for_emails()
    done = int(run_load(target, 1, 0.001)["lifecycles"])
    after, _ = sink.wait_for_emails()
    arrived = int(after["messages"] - before["messages"])
    return arrived // max(1, done)


def run_load(target: Target, clients: int, seconds: float) -> dict[str, Any]:
    """What the load generator, in a process of its own, saw. Raises NotReady."""
    return _run_module("bench.load", target, clients=clients, seconds=seconds)


def measure_propagation(target: Target) -> dict[str, Any]:
    """How soon another service had heard, at a steady pace, from a process of its own. Raises NotReady."""
    return _run_module("bench.propagation", target)


def _run_module(module: str, target: Target, **options: float) -> dict[str, Any]:
    command = [sys.executable, "-m", module, "--ports", json.dumps(target.ports), "--accounts", str(target.accounts)]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    done = subprocess.run(command, capture_output=True)
    if done.returncode:
        raise NotReady(f"{module} failed: {done.stderr.decode(errors='replace')[-2000:]}")
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen
