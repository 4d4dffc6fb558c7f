"""An interrupt ends every command immediately: at most one sentence, no traceback, and no partial result."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.services.cli_harness import TIMEOUT_SECONDS, CommandLine, command, wait_until_serving

pytestmark = pytest.mark.slow

EXIT_STATUSES = {signal.SIGINT: 130, signal.SIGTERM: 143}


@pytest.fixture(scope="module")
def command_line(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    command_line = CommandLine(tmp_path_factory.mktemp("interrupts"))
    assert command_line.simpul("prepare").returncode == 0
    return command_line


@contextlib.contextmanager
def start_command(command_line: CommandLine, *arguments: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """Start a command in a separate process."""
    with start_process(
        command_line, command(*arguments), {f"SIMPUL_{name.upper()}": value for name, value in settings.items()}
    ) as process:
        yield process


@contextlib.contextmanager
def start_process(
    command_line: CommandLine, line: list[str], settings: dict[str, str]
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        line,
        cwd=command_line.folder,
        env=command_line.environment(settings),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def handles_signals(process: subprocess.Popen[str]) -> bool:
    """Whether the process has installed its handler of SIGTERM."""
    with contextlib.suppress(FileNotFoundError):
        status = Path(f"/proc/{process.pid}/status").read_text()
        caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
        return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)
    return False


def interrupt(process: subprocess.Popen[str], number: signal.Signals, *statuses: int) -> str:
    """Send the signal, check the exit status, and return standard error."""
    process.send_signal(number)
    _, stderr = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode in (statuses or (EXIT_STATUSES[number],)), stderr
    assert "Traceback" not in stderr
    assert stderr.count("\n") <= 1, stderr
    return stderr


COMMANDS = {
    "tail": ("events", "tail", "--follow"),
    "verify": ("events", "verify"),
    "rebuild": ("state", "rebuild", "intake"),
    "sweep": ("documents", "sweep"),
    "dead letters": ("dead-letters", "list"),
    "up": ("up",),
    "serve": ("serve", "intake"),
    "demo": ("demo",),
    "prepare": ("prepare",),
}


@pytest.mark.parametrize("number", EXIT_STATUSES, ids=lambda number: number.name)
@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_an_interrupt_ends_a_command_during_its_start(
    command_line: CommandLine, arguments: tuple[str, ...], number: signal.Signals
):
    with start_command(command_line, *arguments, port=str(free_port())) as process:
        wait_for(lambda: handles_signals(process))
        interrupt(process, number)


@pytest.mark.parametrize("moment", range(8))
def test_an_interrupt_ends_a_command_at_any_moment_of_its_start(command_line: CommandLine, moment: int):
    with start_command(command_line, "events", "tail", "--follow") as process:
        wait_for(lambda: handles_signals(process))
        # There is no condition for these moments; each run hits different ones.
        time.sleep(moment * 0.15)
        interrupt(process, signal.SIGINT, 0, 130)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_follow_ends_although_sigint_was_ignored_at_its_start(
    command_line: CommandLine, number: signal.Signals, status: int
):
    background = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command("events", "tail", "--follow")]
    with start_process(command_line, background, {}) as process:
        wait_for(lambda: has_open(process, "simpul.db"))
        assert interrupt(process, number, status, EXIT_STATUSES[number]) == ""


def has_open(process: subprocess.Popen[str], name: str) -> bool:
    with contextlib.suppress(OSError):
        return any(os.readlink(entry.path).endswith(name) for entry in os.scandir(f"/proc/{process.pid}/fd"))
    return False


@pytest.mark.parametrize("number", EXIT_STATUSES, ids=lambda number: number.name)
def test_idle_services_stop_gracefully(command_line: CommandLine, number: signal.Signals):
    port = free_port()
    with start_command(command_line, "up", port=str(port)) as process:
        wait_until_serving(port)
        interrupt(process, number, 0)


def test_a_second_interrupt_ends_services_that_cannot_stop_gracefully(command_line: CommandLine):
    port = free_port()
    with start_command(command_line, "up", port=str(port)) as process:
        wait_until_serving(port)
        with socket.create_connection(("127.0.0.1", port)) as slow:
            slow.sendall(
                b"POST /api/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
            )
            process.send_signal(signal.SIGINT)
            wait_for(lambda: not_listening(port))
            interrupt(process, signal.SIGINT, 0, 130)


def not_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return True
    return False


def test_an_interrupt_ends_waiting_for_a_silent_server(command_line: CommandLine):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        accounts = command_line.folder / "accounts.json"
        accounts.write_text('[{"username": "a", "password": "b", "roles": ["officer"]}]')
        with start_command(command_line, "demo", "--url", url, "--accounts", str(accounts)) as process:
            silent.settimeout(TIMEOUT_SECONDS)
            connection, _ = silent.accept()
            interrupt(process, signal.SIGINT)
            connection.close()


def test_an_interrupt_ends_connecting_to_silent_engines(command_line: CommandLine):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(TIMEOUT_SECONDS)
        where = f"127.0.0.1:{silent.getsockname()[1]}"
        engines = {
            "mode": "distributed",
            "kafka": where,
            "mongo": f"mongodb://{where}/simpul?directConnection=true",
            "minio": f"http://simpul:ombak-tenang-di-maba-2026@{where}/simpul",
            "secret": "0123456789abcdefghijklmnopqrstuvwxyz",
            "smtp": "smtp://127.0.0.1:9?tls=none",
            "base_url": "http://127.0.0.1:8000",
        }
        for arguments in (("events", "verify"), ("prepare",), ("up",), ("backup", "engines")):
            with start_command(command_line, *arguments, port=str(free_port()), **engines) as process:
                connection, _ = silent.accept()
                interrupt(process, signal.SIGINT)
                connection.close()
        assert not (command_line.folder / "engines").exists()


def test_an_interrupt_ends_a_prompt(command_line: CommandLine):
    with start_command(command_line, "dead-letters", "discard", "x") as process:
        assert process.stderr is not None
        assert process.stderr.read(10) == "The servic"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT_SECONDS)
        assert process.returncode == 130


def test_an_interrupted_backup_leaves_no_backup(command_line: CommandLine):
    letters = command_line.data / "mail"
    letters.mkdir()
    os.mkfifo(letters / "held.eml")
    try:
        with start_command(command_line, "backup", "copy") as process:
            wait_for((command_line.folder / "copy.unfinished" / "simpul.db").exists)
            interrupt(process, signal.SIGINT)
    finally:
        (letters / "held.eml").unlink()
        letters.rmdir()
    assert not (command_line.folder / "copy").exists()
    assert command_line.simpul("backup", "copy").returncode == 0


BUSY = """
import sys, time, threading
from shared import interrupts
from simpul.cli import console, context, main as program
import typer, asyncio

app = typer.Typer()

async def swallowing():
    while True:
        try:
            await asyncio.sleep(60)
        except BaseException:
            pass

async def in_a_thread():
    await asyncio.to_thread(time.sleep, 600)

def forever():
    threading.Thread(target=time.sleep, args=(600,)).start()
    time.sleep(600)

async def in_the_loop():
    time.sleep(600)

async def printing():
    while True:
        console.print_line("x" * 1000)
        await asyncio.sleep(0)

class BlockingFinalizer:
    def __del__(self):
        print("ready", flush=True)
        time.sleep(600)

def collected():
    BlockingFinalizer()
    time.sleep(600)

what = sys.argv.pop()
work = globals()[what]

@app.command()
def busy():
    if what != "collected":
        print("ready", flush=True)
    context.run(work) if asyncio.iscoroutinefunction(work) else work()

program.app = app
from simpul.__main__ import main
main()
"""


@pytest.mark.parametrize("what", ["swallowing", "in_a_thread", "forever", "in_the_loop", "printing", "collected"])
@pytest.mark.parametrize("number", EXIT_STATUSES, ids=lambda number: number.name)
def test_no_work_delays_an_interrupt(command_line: CommandLine, what: str, number: signal.Signals):
    with start_process(command_line, [sys.executable, "-c", BUSY, what], {}) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        interrupt(process, number)


def test_an_interrupt_ends_a_command_with_closed_output(command_line: CommandLine):
    with start_command(command_line, "events", "tail", "--follow", "--json") as process:
        assert process.stdout is not None
        process.stdout.close()
        wait_for(lambda: has_open(process, "simpul.db"))
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=TIMEOUT_SECONDS) in {0, 130, 141}
