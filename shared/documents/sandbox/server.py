"""The sandbox server, run as a program: forks children with limits, which read the files.

It imports everything that children need once, so that a child costs milliseconds, and has one thread, so that forking is
safe. It ends, with its children, when the service process closes its end of the control connection.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import NoReturn

from PIL import Image

from shared.documents.sandbox.child import REUSING_JOBS, run_jobs, run_single_job
from shared.documents.sandbox.office_conversion import remove_remains
from shared.documents.sandbox.protocol import (
    CANNOT_FORK,
    CRASHED,
    FAILED,
    OUT_OF_MEMORY,
    OUT_OF_TIME,
    READY,
    SUCCEEDED,
    Job,
    Limits,
    receive_job,
)

MAX_IDLE_CHILDREN = 2


@dataclass(slots=True, eq=False)
class _Child:
    """A child; `control` takes further jobs, None if it has only one; `status_connection` is None while it is idle."""

    pid: int
    limits: Limits
    control: socket.socket | None
    status_connection: socket.socket | None = None
    deadline: float = inf
    reused: bool = False
    timed_out: bool = False


class Server:
    """Serves one service process over `control` until that closes it."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._children: dict[int, _Child] = {}
        self._idle: list[_Child] = []
        self._by_descriptor: dict[int, _Child] = {}
        self._poll = select.poll()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)

    def serve(self) -> None:
        signal.set_wakeup_fd(self._wake_write.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
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
        ready = {descriptor for descriptor, _ in self._poll.poll(self._milliseconds_to_deadline())}
        for descriptor in ready & self._by_descriptor.keys():
            # An earlier one of this round may have closed it.
            if child := self._by_descriptor.get(descriptor):
                self._on_event(child, descriptor)
        if self._wake_read.fileno() in ready:
            with suppress(BlockingIOError):
                self._wake_read.recv(4096)
            self._reap()
        self._kill_overdue()
        # After the others, because it opens descriptors with numbers that they may have closed.
        return self._control.fileno() not in ready or self._accept()

    def _milliseconds_to_deadline(self) -> float | None:
        next_at = min((child.deadline for child in self._children.values()), default=inf)
        return max(0.0, next_at - monotonic()) * 1000 + 1 if next_at < inf else None

    def _accept(self) -> bool:
        if (received := receive_job(self._control, 3)) is None:
            return False
        job, descriptors = received
        result_connection, status_connection = (socket.socket(fileno=number) for number in descriptors[:2])
        with result_connection:
            child = self._pass_to_idle(job, descriptors) or self._fork(
                job, result_connection, status_connection, descriptors[2]
            )
        os.close(descriptors[2])
        if child is None:
            _finish(status_connection, CANNOT_FORK)
            return True
        child.status_connection, child.deadline = status_connection, monotonic() + job.limits.elapsed_seconds
        # Without requested events, poll still reports that the other end was closed.
        self._register(child, status_connection, 0)
        return True

    def _pass_to_idle(self, job: Job, descriptors: list[int]) -> _Child | None:
        """Pass a job to a child that has these limits already, if there is one."""
        if job.fresh or job.name not in REUSING_JOBS:
            return None
        for child in [child for child in self._idle if child.limits == job.limits]:
            self._idle.remove(child)
            message = job.to_bytes()
            with suppress(OSError):
                if child.control and socket.send_fds(child.control, [message], [descriptors[0], descriptors[2]]) == len(
                    message
                ):
                    child.reused = True
                    return child
            _kill(child.pid)
        return None

    def _fork(
        self, job: Job, result_connection: socket.socket, status_connection: socket.socket, file: int
    ) -> _Child | None:
        ours, theirs = socket.socketpair() if job.name in REUSING_JOBS else (None, None)
        try:
            pid = os.fork()
        except OSError:
            for connection in filter(None, (ours, theirs)):
                connection.close()
            return None
        if pid == 0:
            os.setpgid(0, 0)
            status_connection.close()
            if ours:
                ours.close()
            self._become_child(job, theirs, result_connection, file)
        child = self._children[pid] = _Child(pid, job.limits, ours)
        if ours and theirs:
            theirs.close()
            ours.setblocking(False)
            self._register(child, ours, select.POLLIN)
        return child

    def _become_child(self, job: Job, control: socket.socket | None, connection: socket.socket, file: int) -> NoReturn:
        status = FAILED
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for inherited in (self._control, self._wake_read, self._wake_write):
                inherited.close()
            for descriptor in self._by_descriptor:
                os.close(descriptor)
            status = run_jobs(control, job, connection, file) if control else run_single_job(job, connection, file)
        except MemoryError:
            status = OUT_OF_MEMORY
        finally:
            os._exit(status)

    def _register(self, child: _Child, connection: socket.socket, events: int) -> None:
        self._by_descriptor[connection.fileno()] = child
        self._poll.register(connection, events)

    def _unregister(self, connection: socket.socket) -> None:
        if self._by_descriptor.pop(connection.fileno(), None):
            self._poll.unregister(connection)

    def _on_event(self, child: _Child, descriptor: int) -> None:
        if child.status_connection and child.status_connection.fileno() == descriptor:
            # The result is no longer awaited.
            self._unregister(child.status_connection)
            _kill(child.pid)
        elif child.control:
            self._on_answer(child, child.control)

    def _on_answer(self, child: _Child, control: socket.socket) -> None:
        answer = _receive_answer(control)
        if answer is None or child.status_connection is None:
            # It has ended, or answers without a job.
            self._unregister(control)
            _kill(child.pid)
            return
        status, is_spent = answer
        self._end_job(child, status)
        if is_spent:
            self._retire(child)
            return
        self._idle.append(child)
        if len(self._idle) > MAX_IDLE_CHILDREN:
            self._retire(self._idle.pop(0))

    def _end_job(self, child: _Child, status: int) -> None:
        if child.status_connection:
            self._unregister(child.status_connection)
            _finish(child.status_connection, status, child.reused)
        child.status_connection, child.deadline = None, inf

    def _retire(self, child: _Child) -> None:
        """Let an idle child end, by closing its connection."""
        if child.control:
            self._unregister(child.control)
            child.control.close()
            child.control = None

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            child = self._children.pop(pid)
            self._idle = [other for other in self._idle if other is not child]
            _kill(pid)  # what it started
            if child.limits.file_bytes:
                remove_remains(pid)
            # It may have answered and ended after the poll that led here.
            answer = _receive_answer(child.control) if child.control and child.status_connection else None
            self._end_job(child, answer[0] if answer else _outcome(status, child))
            self._retire(child)

    def _kill_overdue(self) -> None:
        now = monotonic()
        for pid, child in self._children.items():
            if child.deadline <= now:
                child.deadline, child.timed_out = inf, True
                _kill(pid)


def _receive_answer(control: socket.socket) -> tuple[int, bool] | None:
    """Return the status of a job and whether the child is spent, None if it has not answered."""
    answer = b""
    with suppress(OSError):
        answer = control.recv(2)
    return (answer[0], bool(answer[1])) if len(answer) == 2 else None


def _outcome(status: int, child: _Child) -> int:
    if os.WIFEXITED(status):
        code = os.WEXITSTATUS(status)
        # A child with several jobs answers before it ends.
        return CRASHED if child.control and code == SUCCEEDED else code
    # The limit of CPU time sends either signal, because its soft and hard limits are equal; a child with several jobs is tried
    # again unless its time is over.
    over_cpu_limit = (signal.SIGXCPU,) if child.control else (signal.SIGXCPU, signal.SIGKILL)
    if child.timed_out or os.WTERMSIG(status) in over_cpu_limit:
        return OUT_OF_TIME
    return CRASHED


def _finish(connection: socket.socket, status: int, reused: bool = False) -> None:
    with connection, suppress(OSError):
        connection.setblocking(False)
        connection.send(bytes([status, reused]))


def _kill(pid: int) -> None:
    """Kill a child and every process that it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    Image.init()
    gc.collect()
    gc.freeze()  # collections in children then do not copy shared memory pages
    Server(control).serve()


if __name__ == "__main__":
    main()
