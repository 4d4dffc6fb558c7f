"""What a service process and its sandbox server say to each other.

A request is a length (4 bytes), with which three descriptors come (the connection for the result, the one for the status, the
file), and JSON of that length. The child writes its result to the first connection. The server writes one byte to the second
once the child has ended, which says how it did: it always fits, since nothing else is ever written there.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass, field

MAX_RESULT_BYTES = 24 * 1024**2
LENGTH = struct.Struct(">I")
READY = b"ready"
PAGES = struct.Struct(">I")
"""The result of drawing a page begins with the number of pages; the picture follows."""

SUCCEEDED = 0
"""Exit statuses from 1 to 199 are the job's own; those from here on say why there is no result."""
NO_SUCH_PAGE, UNRENDERABLE, TOO_LARGE = 3, 4, 5
"""What drawing a page says."""
FAILED, OUT_OF_MEMORY, CRASHED, OUT_OF_TIME, CANNOT_FORK = 200, 201, 202, 203, 204


@dataclass(frozen=True, slots=True)
class Limits:
    """What one job may use: CPU time and elapsed time in seconds, address space in bytes."""

    cpu_seconds: int
    elapsed_seconds: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Job:
    """A function of `jobs` by name, what it is called with beside the file, and its limits."""

    name: str
    limits: Limits
    arguments: dict[str, str | int] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        message = json.dumps(asdict(self)).encode()
        return LENGTH.pack(len(message)) + message

    @classmethod
    def from_bytes(cls, message: bytes) -> Job:
        read = json.loads(message)
        return cls(read["name"], Limits(**read["limits"]), read["arguments"])


@dataclass(frozen=True, slots=True)
class Answer:
    """How the child ended and its result, which is empty unless `status` is SUCCEEDED or the job's own."""

    status: int
    result: bytes = b""
