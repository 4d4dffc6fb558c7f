"""One round of one side: a fresh server, a warm-up, the load, and the wait until its e-mails have all arrived."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.machine import NotReady, cpu_seconds, free_port, running, wait_until_ready

SIDES = ("plain", "lean", "ours")
ROLES = ("officer", "structural", "technical")
WARM_UP_SECONDS = 3.0
STILL_SECONDS = 3.0
"""E-mails are taken to have all arrived when none has for this long."""
LOST_SECONDS = 20.0
"""An e-mail that is still awaited is taken to be lost when none has arrived for this long."""


@dataclass(frozen=True, slots=True)
class Side:
    """A server under test: how it is started, and its settings."""

    name: str
    command: Sequence[str]
    settings: dict[str, str]
    data: Path
    port: int
    accounts: Path
    mails: bool


@dataclass(frozen=True, slots=True)
class Round:
    """What one round measured; CPU times are seconds of the whole round until the last e-mail."""

    side: str
    load: dict[str, Any]
    server_cpu: float
    sink_cpu: float
    mails: int = 0
    distinct: int = 0
    expected: int = 0
    drain: float = 0.0

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
        return self.mails == self.distinct == self.expected and not self.load["failures"]


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

    def settled(self, expected: int | None = None, limit: float = 300.0) -> tuple[dict[str, Any], float]:
        """The counts once `expected` messages are there or none comes any more, and the seconds to the last one."""
        begun = arrived = time.monotonic()
        still = STILL_SECONDS if expected is None else LOST_SECONDS
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


def floor_side(name: str, data: Path) -> Side:
    """The plain or the lean floor."""
    port, accounts = free_port(), data / "accounts.json"
    accounts.write_text(json.dumps([{"username": role, "password": "-", "roles": [role]} for role in ROLES]))
    command = [sys.executable, "-m", f"bench.{name}_floor", "--port", str(port), "--data", str(data / "floor")]
    return Side(name, command, {}, data, port, accounts, mails=False)


def our_side(data: Path, sink: Sink) -> Side:
    """Simpul as anybody would start it, with staff made beforehand and no limit on submissions."""
    port, accounts = free_port(), data / "accounts.json"
    settings = {
        "SIMPUL_DATA": str(data / "simpul"),
        "SIMPUL_PORT": str(port),
        "SIMPUL_SMTP": f"smtp://127.0.0.1:{sink.port}?tls=none",
        "SIMPUL_PUBLIC_RATE": "0",
        "SIMPUL_LOG_LEVEL": "warning",
    }
    simpul = str(Path(sys.executable).with_name("simpul"))
    side = Side("ours", [simpul, "up"], settings, data, port, accounts, mails=True)
    accounts.write_text(json.dumps([_made(side, role) for role in ROLES]))
    return side


def _made(side: Side, role: str) -> dict[str, Any]:
    username, password = f"beban-{role}", f"Kopra-{role}-Tembikar-41"
    about = ["--name", f"Petugas {role.title()}", "--email", f"{role}@kantor.example", "--role", role]
    command = [side.command[0], "staff", "add", username, *about, "--password-stdin"]
    made = subprocess.run(command, input=password.encode(), env={**os.environ, **side.settings}, capture_output=True)
    if made.returncode:
        raise NotReady(f"simpul staff add failed: {made.stderr.decode(errors='replace')}")
    return {"username": username, "password": password, "roles": [role]}


def play(side: Side, sink: Sink, sink_process: int, clients: int, seconds: float) -> Round:
    """Start the side, warm it up, find how many e-mails a lifecycle has, then measure. Raises NotReady."""
    with running(side.command, side.settings) as server:
        wait_until_ready(server, side.port)
        loaded(side, clients, WARM_UP_SECONDS)
        each = mails_of_one(side, sink) if side.mails else 0
        before, server_before, sink_before = sink.counts(), cpu_seconds(server.pid), cpu_seconds(sink_process)
        load = loaded(side, clients, seconds)
        expected = each * load["lifecycles"]
        after, drain = sink.settled(before["messages"] + expected) if side.mails else (before, 0.0)
        return Round(
            side.name,
            load,
            cpu_seconds(server.pid) - server_before,
            cpu_seconds(sink_process) - sink_before,
            after["messages"] - before["messages"],
            after["distinct"] - before["distinct"],
            expected,
            drain,
        )


def mails_of_one(side: Side, sink: Sink) -> int:
    """The e-mails that a single lifecycle sends, counted while nothing else goes on."""
    before, _ = sink.settled()
    done = int(loaded(side, 1, 0.001)["lifecycles"])
    after, _ = sink.settled()
    arrived = int(after["messages"] - before["messages"])
    return arrived // max(1, done)


def loaded(side: Side, clients: int, seconds: float) -> dict[str, Any]:
    """What the load generator, in a process of its own, saw. Raises NotReady."""
    options = {"port": side.port, "clients": clients, "seconds": seconds, "accounts": side.accounts}
    command = [sys.executable, "-m", "bench.load"]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    done = subprocess.run(command, capture_output=True)
    if done.returncode:
        raise NotReady(f"The load failed: {done.stderr.decode(errors='replace')[-2000:]}")
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen
