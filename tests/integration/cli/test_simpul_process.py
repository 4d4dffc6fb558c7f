"""Commands that the tests fork behave as commands that are started."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.services.cli_harness import CommandLine, command, wait_until_serving
from tests.support.simpul_process import SimpulProcess

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("arguments", "given", "settings"),
    [
        (("settings", "--json"), "", {"port": "8123", "prot": "1"}),
        (("staff", "add"), "", {}),
        (("nonsense",), "", {}),
        (("--help",), "", {}),
        (("dead-letters", "discard", "x"), "n\n", {}),
        (("events", "verify"), "", {"data": "nowhere"}),
        (("staff", "add", "a", "--name", "A", "--email", "a@b.example", "--role", "admin"), "", {"secret": "short"}),
        (("staff", "add", "a", "--name", "A", "--email", "a@b.example", "--password-stdin"), "kopra", {}),
    ],
)
def test_a_forked_command_answers_as_a_started_one(
    tmp_path: Path, arguments: tuple[str, ...], given: str, settings: dict[str, str]
):
    command_line = CommandLine(tmp_path)
    forked = command_line.simpul(*arguments, given=given, **settings)
    env = command_line.environment({f"SIMPUL_{name.upper()}": value for name, value in settings.items()})
    started = subprocess.run(
        command(*arguments), cwd=tmp_path, env=env, input=given, capture_output=True, text=True, check=False
    )
    assert (forked.returncode, forked.stdout, forked.stderr) == (started.returncode, started.stdout, started.stderr)
    assert forked.stdout or forked.stderr


def test_a_forked_server_inherits_what_a_started_one_does(tmp_path: Path):
    command_line = CommandLine(tmp_path)
    command_line.simpul("--help")
    handler, umask = signal.signal(signal.SIGHUP, signal.SIG_IGN), os.umask(0o027)
    try:
        statuses = [server_status(tmp_path / name, forked=name == "forked") for name in ("forked", "started")]
    finally:
        os.umask(umask)
        signal.signal(signal.SIGHUP, handler)
    assert statuses[0] == statuses[1]


def server_status(folder: Path, *, forked: bool) -> dict[str, str]:
    """Return the umask and the masks of signals of a server."""
    folder.mkdir()
    port = free_port()
    env = CommandLine(folder, {"SIMPUL_PORT": str(port)}).environment({})
    with (folder / "log").open("wb") as log:
        server = (
            SimpulProcess("up", env=env, cwd=folder, output=log, errors=log)
            if forked
            else subprocess.Popen(command("up"), env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        )
    try:
        wait_until_serving(port)
        lines = (line.split(":\t") for line in Path(f"/proc/{server.pid}/status").read_text().splitlines())
        return {name: value for name, value in lines if name in ("Umask", "SigBlk", "SigIgn", "SigCgt")}
    finally:
        server.terminate()
        server.wait(40)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -9), (signal.SIGTERM, 0), (signal.SIGINT, 0)])
def test_a_signal_ends_a_forked_server(tmp_path: Path, number: signal.Signals, status: int):
    port = free_port()
    env = CommandLine(tmp_path, {"SIMPUL_PORT": str(port)}).environment({})
    with (tmp_path / "log").open("wb") as log:
        server = SimpulProcess("up", env=env, cwd=tmp_path, output=log, errors=log)
    wait_until_serving(port)
    assert server.poll() is None
    os.kill(server.pid, number)
    assert server.wait(40) == status
    assert server.poll() == status
