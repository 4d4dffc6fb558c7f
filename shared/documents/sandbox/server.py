"""The sandbox server, run as a program: forks a child with limits for each file.

It imports everything that children need once, so that a child costs milliseconds, and has one thread, so that forking is
safe. It ends, with its children, when the service process closes its end of the control connection.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import BinaryIO, NoReturn

from PIL import Image

from shared.documents.inspection.detection import detect_media_type
from shared.documents.port import DocumentRefused
from shared.documents.rendering.rasterizer import WIDTH, measure_pages_job, render_page_job
from shared.documents.sandbox.office_conversion import convert_to_pdf, remove_remains
from shared.documents.sandbox.protocol import (
    CANNOT_FORK,
    CRASHED,
    FAILED,
    LENGTH,
    MAX_RESULT_BYTES,
    OUT_OF_MEMORY,
    OUT_OF_TIME,
    READY,
    SUCCEEDED,
    Job,
    Limits,
)

NICENESS = 5
"""Children yield to the event loop of the service."""


JobFunction = Callable[[BinaryIO, dict[str, str | int]], tuple[int, bytes]]


def _inspect(file: BinaryIO, arguments: dict[str, str | int]) -> tuple[int, bytes]:
    """Return the media type of a file that was uploaded under `name`, or its refusal, as JSON."""
    try:
        answer = {"media_type": detect_media_type(str(arguments["name"]), file)}
    except DocumentRefused as refusal:
        answer = {"code": refusal.code, "message": refusal.message}
    return SUCCEEDED, json.dumps(answer).encode()


def _render_page(file: BinaryIO, arguments: dict[str, str | int]) -> tuple[int, bytes]:
    """Return the number of pages followed by one page as PNG."""
    return render_page_job(
        file.read(),
        str(arguments["media_type"]),
        int(arguments["page"]),
        int(arguments.get("width", WIDTH)),
        int(arguments.get("rotation", 0)),
    )


def _measure_pages(file: BinaryIO, arguments: dict[str, str | int]) -> tuple[int, bytes]:
    """Return the size of each page image."""
    return measure_pages_job(file.read(), str(arguments["media_type"]))


def _convert(file: BinaryIO, arguments: dict[str, str | int]) -> tuple[int, bytes]:
    """Return a document of a word processor or a spreadsheet as PDF."""
    return convert_to_pdf(file, str(arguments["program"]), str(arguments["extension"]))


JOBS: Mapping[str, JobFunction] = {
    "convert": _convert,
    "inspect": _inspect,
    "measure": _measure_pages,
    "render": _render_page,
}


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
        # The rest of the message was sent together with its length.
        job = Job.from_bytes(self._control.recv(LENGTH.unpack(length)[0], socket.MSG_WAITALL))
        try:
            pid = os.fork()
        except OSError:
            _finish(status_connection, CANNOT_FORK)
        else:
            if pid == 0:
                os.setpgid(0, 0)
                status_connection.close()
                self._become_child(job, result_connection, file)
            self._children[pid] = _Child(status_connection, monotonic() + job.limits.elapsed_seconds)
            # Without requested events, poll still reports that the other end was closed.
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
        """Kill a child whose result is no longer awaited."""
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
            _kill(pid)  # what it started
            remove_remains(pid)
            _finish(child.status_connection, _outcome(status, child))

    def _kill_overdue(self) -> None:
        now = monotonic()
        for pid, child in self._children.items():
            if child.deadline <= now and not child.timed_out:
                child.timed_out = True
                _kill(pid)


def _run_job(job: Job, connection: socket.socket, file: int) -> int:
    with open(file, "rb") as opened:
        opened.seek(0)  # a retried job reads the whole file again
        status, result = JOBS[job.name](opened, job.arguments)
    if len(result) > MAX_RESULT_BYTES:
        return OUT_OF_MEMORY
    connection.sendall(result)
    return status


def limit_this_process(limits: Limits) -> None:
    """Limit CPU time, memory, files and processes of this process irrevocably."""
    # If the container runs out of memory, the kernel ends this process first.
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")
    os.nice(NICENESS)
    numbers = {
        resource.RLIMIT_CPU: limits.cpu_seconds,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_CORE: 0,
    }
    if not limits.file_bytes:
        numbers[resource.RLIMIT_NPROC] = 0
    if sys.platform != "darwin":  # macOS has no limit of address space
        numbers[resource.RLIMIT_AS] = limits.memory_bytes
    for resource_number, limit in numbers.items():
        resource.setrlimit(resource_number, (limit, limit))


def _outcome(status: int, child: _Child) -> int:
    if os.WIFEXITED(status):
        return os.WEXITSTATUS(status)
    # The limit of CPU time sends either signal, because its soft and hard limits are equal.
    if child.timed_out or os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL):
        return OUT_OF_TIME
    return CRASHED


def _finish(connection: socket.socket, status: int) -> None:
    with connection, suppress(OSError):
        connection.setblocking(False)
        connection.send(bytes([status]))


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
