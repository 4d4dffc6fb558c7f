"""Client of the sandbox: starts one server process when needed and replaces it when it fails."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile

from shared.documents.sandbox.protocol import (
    CANNOT_FORK,
    CRASHED,
    FAILED,
    MAX_RESULT_BYTES,
    OUT_OF_TIME,
    READY,
    Answer,
    Job,
)

logger = logging.getLogger(__name__)

ROOT = Path(__file__).parents[3]
CHUNK_BYTES = 256 * 1024
CLOSE_SECONDS = 2.0


class SandboxUnavailable(Exception):
    """No child process is available for a job."""


class _ServerLost(Exception):
    """The server process has ended or does not respond."""


class _ServerProcess:
    """A running server process. Raises: SandboxUnavailable if it does not start in time."""

    def __init__(self, start_seconds: float) -> None:
        self.control, server_socket = socket.socketpair()
        command = [sys.executable, "-s", "-B", "-m", "shared.documents.sandbox.server", str(server_socket.fileno())]
        devnull = subprocess.DEVNULL
        try:
            with server_socket:
                self._process = subprocess.Popen(  # noqa: S603 - the program and its arguments are our own
                    command, stdin=devnull, stdout=devnull, stderr=devnull, env={}, cwd=ROOT,
                    pass_fds=[server_socket.fileno()], start_new_session=True,
                )  # fmt: skip
        except OSError as error:
            self.control.close()
            raise SandboxUnavailable(f"the sandbox server cannot be started: {error}") from error
        self.control.settimeout(start_seconds)
        try:
            ready = self.control.recv(len(READY))
        except OSError:
            ready = b""
        if ready != READY:
            self.end()
            raise SandboxUnavailable(f"the sandbox server did not start, exit status {self._process.returncode}")
        self.control.setblocking(False)

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_running(self) -> bool:
        return self._process.poll() is None

    def end(self, wait_seconds: float = 0.0) -> None:
        self.control.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(wait_seconds)
        self._process.kill()
        self._process.wait()


class Sandbox:
    """Runs jobs in children of its server process, for any number of event loops.

    The first job starts the server, within `start_seconds`. A server that exceeds the limit of a job by `grace_seconds` is
    considered hung and replaced.
    """

    def __init__(self, *, start_seconds: float = 30.0, grace_seconds: float = 10.0) -> None:
        self._start_seconds, self._grace_seconds = start_seconds, grace_seconds
        self._lock = threading.Lock()
        self._server: _ServerProcess | None = None

    @property
    def server_pid(self) -> int | None:
        """Process id of the server, None if it is not running."""
        return self._server.pid if self._server else None

    async def run(self, job: Job, file: int) -> Answer:
        """Run a job on the whole file behind this descriptor, which stays open but may change its position.

        A failure in a child that had read other files is not the file's until a fresh child fails too. Raises:
        SandboxUnavailable if no child can be started, whatever the file.
        """
        answer = await self._run_on_server(job, file)
        if answer.reused and answer.status >= FAILED and answer.status != OUT_OF_TIME:
            answer = await self._run_on_server(replace(job, fresh=True), file)
        return answer

    async def _run_on_server(self, job: Job, file: int) -> Answer:
        for _ in range(2):
            server = self._server
            if server is None or not server.is_running():
                server = await asyncio.to_thread(self._start)
            try:
                answer = await self._exchange(server, job, file)
            except _ServerLost as error:
                logger.warning("replacing the sandbox server: %s", error)
                await asyncio.to_thread(self._discard, server)
                continue
            if answer.status == CANNOT_FORK:
                raise SandboxUnavailable("no more processes can be started")
            return answer
        raise SandboxUnavailable("the sandbox server failed twice")

    def close(self) -> None:
        """Stop the server; the next job starts another one."""
        with self._lock:
            server, self._server = self._server, None
        if server:
            server.end(CLOSE_SECONDS)

    def _start(self) -> _ServerProcess:
        with self._lock:
            if self._server is None or not self._server.is_running():
                if self._server:
                    self._server.end()
                self._server = _ServerProcess(self._start_seconds)
            return self._server

    def _discard(self, server: _ServerProcess) -> None:
        with self._lock:
            if self._server is server:
                self._server = None
        server.end()

    async def _exchange(self, server: _ServerProcess, job: Job, file: int) -> Answer:
        result_connection, result_writer = socket.socketpair()
        status_connection, status_writer = socket.socketpair()
        with result_connection, status_connection:
            result_connection.setblocking(False)
            status_connection.setblocking(False)
            with result_writer, status_writer:
                _send(server, job, [result_writer.fileno(), status_writer.fileno(), file])
            try:
                async with asyncio.timeout(job.limits.elapsed_seconds + self._grace_seconds):
                    return await _read_answer(result_connection, status_connection)
            except (TimeoutError, OSError) as error:
                raise _ServerLost(f"it does not respond ({type(error).__name__})") from error


def _send(server: _ServerProcess, job: Job, descriptors: list[int]) -> None:
    message = job.to_bytes()
    try:
        sent = socket.send_fds(server.control, [message], descriptors)
    except OSError as error:
        raise _ServerLost(f"it accepts no jobs ({type(error).__name__})") from error
    if sent != len(message):
        raise _ServerLost("it accepts no jobs")


async def _read_answer(result_connection: socket.socket, status_connection: socket.socket) -> Answer:
    loop, result = asyncio.get_running_loop(), bytearray()
    while chunk := await loop.sock_recv(result_connection, CHUNK_BYTES):
        result += chunk
        if len(result) > MAX_RESULT_BYTES:
            return Answer(CRASHED)
    if not (answer := await loop.sock_recv(status_connection, 2)):
        raise _ServerLost("it ended")
    status, reused = answer
    # A child that was killed may have written a part of its result.
    return Answer(status, bytes(result) if status < FAILED else b"", bool(reused))


def anonymous_file() -> int:
    """Open an empty unnamed file, in memory where the system supports it; the caller closes the descriptor."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("document")
    with TemporaryFile() as file:
        return os.dup(file.fileno())


@cache
def process_sandbox() -> Sandbox:
    """Return the sandbox that all platforms of this process share; its server uses about 30 MB."""
    sandbox = Sandbox()
    atexit.register(sandbox.close)
    os.register_at_fork(after_in_child=process_sandbox.cache_clear)
    return sandbox
