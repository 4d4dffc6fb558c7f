"""Run as a program: forks a limited child per file. Everything that children need is imported once, so a child costs
milliseconds; one thread only, so that forking is safe.

It ends when the service process that started it closes its end of the control connection, and takes its children along.
"""

from __future__ import annotations

import gc
import os
import resource
import select
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import NoReturn

from PIL import Image

from shared.documents.sandbox.jobs import JOBS
from shared.documents.sandbox.protocol import (
    CANNOT_FORK,
    CRASHED,
    FAILED,
    LENGTH,
    MAX_RESULT_BYTES,
    OUT_OF_MEMORY,
    OUT_OF_TIME,
    READY,
    Job,
    Limits,
)

NICENESS = 5
"""The event loop of the service goes first."""


@dataclass(slots=True)
class _Child:
    status_connection: socket.socket
    deadline: float
    timed_out: bool = False


class Server:
    """Serves one service process over `control` until that closes it."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._children: dict[int, _Child] = {}
        self._poll = select.poll()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)

    def serve(self) -> None:
        signal.set_wakeup_fd(self._wake_write.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self._poll.register(self._control, select.POLLIN)
        self._poll.register(self._wake_read, select.POLLIN)
        self._control.send(READY)
        try:
            while self._step():
                pass
        finally:
            for pid in self._children:
                _kill(pid)

    def _step(self) -> bool:
        for descriptor, _ in self._poll.poll(self._milliseconds_to_deadline()):
            if descriptor == self._control.fileno():
                if not self._accept():
                    return False
            elif descriptor == self._wake_read.fileno():
                with suppress(BlockingIOError):
                    self._wake_read.recv(4096)
            else:
                self._abandon(descriptor)
        self._reap()
        self._kill_overdue()
        return True

    def _milliseconds_to_deadline(self) -> float | None:
        running = [child.deadline for child in self._children.values() if not child.timed_out]
        return max(0.0, min(running) - monotonic()) * 1000 + 1 if running else None

    def _accept(self) -> bool:
        length, descriptors, _, _ = socket.recv_fds(self._control, LENGTH.size, 3)
        if len(length) != LENGTH.size or len(descriptors) != 3:
            return False
        result_connection, status_connection = (socket.socket(fileno=number) for number in descriptors[:2])
        file = descriptors[2]
        # What follows the length was written with it and is there already.
        job = Job.from_bytes(self._control.recv(LENGTH.unpack(length)[0], socket.MSG_WAITALL))
        try:
            pid = os.fork()
        except OSError:
            _finish(status_connection, CANNOT_FORK)
        else:
            if pid == 0:
                status_connection.close()
                self._become_child(job, result_connection, file)
            self._children[pid] = _Child(status_connection, monotonic() + job.limits.elapsed_seconds)
            # With no event asked for, poll still reports that the other end is gone.
            self._poll.register(status_connection, 0)
        result_connection.close()
        os.close(file)
        return True

    def _become_child(self, job: Job, connection: socket.socket, file: int) -> NoReturn:
        status = FAILED
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for inherited in (self._control, self._wake_read, self._wake_write):
                inherited.close()
            for sibling in self._children.values():
                sibling.status_connection.close()
            limit_this_process(job.limits)
            status = _run_job(job, connection, file)
        except MemoryError:
            status = OUT_OF_MEMORY
        finally:
            os._exit(status)

    def _abandon(self, descriptor: int) -> None:
        """Nobody waits for this child any more."""
        self._poll.unregister(descriptor)
        for pid, child in self._children.items():
            if child.status_connection.fileno() == descriptor:
                _kill(pid)

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            child = self._children.pop(pid)
            with suppress(KeyError):
                self._poll.unregister(child.status_connection)
            _finish(child.status_connection, _outcome(status, child))

    def _kill_overdue(self) -> None:
        now = monotonic()
        for pid, child in self._children.items():
            if child.deadline <= now and not child.timed_out:
                child.timed_out = True
                _kill(pid)


def _run_job(job: Job, connection: socket.socket, file: int) -> int:
    with open(file, "rb") as opened:
        opened.seek(0)  # A job that is given to a second server reads the whole file again.
        status, result = JOBS[job.name](opened, job.arguments)
    if len(result) > MAX_RESULT_BYTES:
        return OUT_OF_MEMORY
    connection.sendall(result)
    return status


def limit_this_process(limits: Limits) -> None:
    """Give up time, memory, files and processes for good."""
    # Of all processes in a container that runs out of memory, this is the one to end.
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")
    os.nice(NICENESS)
    numbers = {
        resource.RLIMIT_CPU: limits.cpu_seconds,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,
    }
    if sys.platform != "darwin":  # macOS has no limit of address space
        numbers[resource.RLIMIT_AS] = limits.memory_bytes
    for resource_number, limit in numbers.items():
        resource.setrlimit(resource_number, (limit, limit))


def _outcome(status: int, child: _Child) -> int:
    if os.WIFEXITED(status):
        return os.WEXITSTATUS(status)
    # The limit of CPU time ends a process with either signal, since its two thresholds are one.
    if child.timed_out or os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL):
        return OUT_OF_TIME
    return CRASHED


def _finish(connection: socket.socket, status: int) -> None:
    with connection, suppress(OSError):
        connection.setblocking(False)
        connection.send(bytes([status]))


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    Image.init()
    gc.collect()
    gc.freeze()  # so that collections in children do not copy the pages that they share with this process
    Server(control).serve()


if __name__ == "__main__":
    main()
