"""Protocol between a service process and its sandbox server.

A request is a length (4 bytes), sent together with three descriptors (the result connection, the status connection and the
file), followed by JSON of that length. The child writes its result to the result connection. When the child has ended or is
done, the server writes two bytes to the status connection, which never blocks because nothing else is written there: the status,
and whether the child had read other files before.

The server passes the files of further jobs to a child in the same way, with the result connection and the file as descriptors;
the child answers with the status and whether it is spent.
"""

from __future__ import annotations

import json
import socket
import struct
from dataclasses import dataclass, field

MAX_RESULT_BYTES = 24 * 1024**2
LENGTH = struct.Struct(">I")
READY = b"ready"
PAGES = struct.Struct(">I")
"""A rendered page is preceded by the number of pages."""
PAGE_SIZE = struct.Struct(">II")
"""Width and height of a page image in pixels; a measured document has one for each page."""

SUCCEEDED = 0
"""Statuses 1 to 199 belong to the jobs; those from 200 say why there is no result."""
NO_SUCH_PAGE, UNRENDERABLE, TOO_LARGE = 3, 4, 5
"""Statuses of the job that renders a page."""
FAILED, OUT_OF_MEMORY, CRASHED, OUT_OF_TIME, CANNOT_FORK = 200, 201, 202, 203, 204


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one job: CPU time and elapsed time in seconds, address space in bytes.

    Most jobs write no file and start no program; `file_bytes` is the largest file of one that does.
    """

    cpu_seconds: int
    elapsed_seconds: float
    memory_bytes: int
    file_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """A job by its name in the server's JOBS, with its limits and its arguments besides the file."""

    name: str
    limits: Limits
    arguments: dict[str, str | int] = field(default_factory=dict)
    fresh: bool = False
    """Whether it needs a child that has read no other file."""

    def to_bytes(self) -> bytes:
        limits = self.limits
        numbers = (limits.cpu_seconds, limits.elapsed_seconds, limits.memory_bytes, limits.file_bytes)
        message = json.dumps([self.name, numbers, self.arguments, self.fresh]).encode()
        return LENGTH.pack(len(message)) + message

    @classmethod
    def from_bytes(cls, message: bytes) -> Job:
        name, limits, arguments, fresh = json.loads(message)
        return cls(name, Limits(*limits), arguments, fresh)


@dataclass(frozen=True, slots=True)
class Answer:
    """Exit status and result of a job; the result is empty unless the status is below 200."""

    status: int
    result: bytes = b""
    reused: bool = False
    """Whether the child had read other files before."""


def receive_job(connection: socket.socket, descriptors: int) -> tuple[Job, list[int]] | None:
    """Return a job and its descriptors, or None if the connection is closed."""
    length, received, _, _ = socket.recv_fds(connection, LENGTH.size, descriptors)
    if len(length) != LENGTH.size or len(received) != descriptors:
        return None
    # The rest of the message was sent together with its length.
    return Job.from_bytes(connection.recv(LENGTH.unpack(length)[0], socket.MSG_WAITALL)), received
