"""`simpul` commands in processes of their own, forked from one that has imported the program.

Importing takes up to two seconds of CPU, several times what a command takes. All else is as after `python -m simpul`: environment,
folder, streams, umask, signals and exit status. Tests of a start use `python -m simpul` itself.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pickle
import pkgutil
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO

from tests.support.paths import REPOSITORY

PACKAGES = ("shared", "services", "simpul")
IMPORTED_LATE = ("fpdf", "holidays.countries", "uvicorn.lifespan.on", "uvicorn.loops.uvloop", "zxcvbn")
"""What the program imports when it is used for the first time."""
MAX_MESSAGE = 1 << 20
NUMBER = struct.Struct("i")
SET_BY_PYTHON = {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE, signal.SIGXFSZ}
"""Signals that a started command does not inherit."""


class SimpulProcess:
    """A running command. Its streams are files; None is nothing."""

    def __init__(
        self,
        *arguments: str,
        env: Mapping[str, str],
        cwd: Path | None = None,
        stdin: IO[bytes] | None = None,
        output: IO[bytes],
        errors: IO[bytes],
    ) -> None:
        self.returncode: int | None = None
        self._status, given = socket.socketpair()
        with given, Path(os.devnull).open("rb") as nothing:
            streams = [stream.fileno() for stream in (stdin or nothing, output, errors)]
            request = pickle.dumps((arguments, dict(env), str(cwd or Path.cwd()), _umask(), _ignored_signals()))
            socket.send_fds(_fork_server(), [request], [*streams, given.fileno()])
        self.pid = self._number()

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal, or None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Raises: subprocess.TimeoutExpired."""
        status = self._ended(timeout)
        if status is None:
            raise subprocess.TimeoutExpired("simpul", timeout or 0)
        return status

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._status], [], [], timeout)[0]:
            self.returncode = self._number()
            self._status.close()
        return self.returncode

    def _number(self) -> int:
        number: int = NUMBER.unpack(self._status.recv(NUMBER.size, socket.MSG_WAITALL))[0]
        return number


def run_simpul(
    *arguments: str, env: Mapping[str, str], cwd: Path | None = None, given: str = "", timeout: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end. Raises: subprocess.TimeoutExpired."""
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        stdin.write(given.encode())
        stdin.seek(0)
        process = SimpulProcess(*arguments, env=env, cwd=cwd, stdin=stdin, output=output, errors=errors)
        try:
            status = process.wait(timeout)
        finally:
            process.kill()
        texts = []
        for stream in (output, errors):
            stream.seek(0)
            texts.append(stream.read().decode())
        return subprocess.CompletedProcess(arguments, status, *texts)


@cache
def _fork_server() -> socket.socket:
    """Start the process that forks, which ends when this one has ended."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-m", "tests.support.simpul_process", str(theirs.fileno())]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SIMPUL_")}
        subprocess.Popen(command, cwd=REPOSITORY, env=environment, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
    return ours


def _serve(channel: socket.socket) -> None:
    """Fork a command for each request, and report its number and its exit status; return in the command.

    The commands that still run end with the process that asked for them.
    """
    _import_program()
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    running: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([channel, woken], [], [])
        if woken in ready:
            woken.recv(MAX_MESSAGE)
            _report_ended(running)
        if channel not in ready:
            continue
        message, descriptors, _, _ = socket.recv_fds(channel, MAX_MESSAGE, 4)
        if not message:
            for pid in running:
                os.kill(pid, signal.SIGKILL)
            sys.exit()
        if (pid := os.fork()) == 0:
            return _become(message, descriptors[:3])
        for descriptor in descriptors[:3]:
            os.close(descriptor)
        running[pid] = socket.socket(fileno=descriptors[3])
        running[pid].send(NUMBER.pack(pid))


def _report_ended(running: dict[int, socket.socket]) -> None:
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            with running.pop(ended[0]) as asked, contextlib.suppress(OSError):
                asked.send(NUMBER.pack(os.waitstatus_to_exitcode(ended[1])))


def _become(message: bytes, streams: Sequence[int]) -> None:
    signal.set_wakeup_fd(-1)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(len(streams), os.sysconf("SC_OPEN_MAX"))
    sys.stdin, sys.stdout = open(0), open(1, "w")  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace")  # noqa: SIM115
    arguments, environment, folder, umask, ignored = pickle.loads(message)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    os.umask(umask)
    for number in signal.valid_signals() - SET_BY_PYTHON:
        default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN if number in ignored else default)
    sys.argv = ["simpul", *arguments]


def _umask() -> int:
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def _ignored_signals() -> set[int]:
    return {number for number in signal.valid_signals() if signal.getsignal(number) is signal.SIG_IGN}


def _import_program() -> None:
    for package in map(importlib.import_module, PACKAGES):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    for name in IMPORTED_LATE:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_module("simpul", run_name="__main__", alter_sys=True)
