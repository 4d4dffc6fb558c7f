"""What a service process and its sandbox server say to each other.

A request is a length (4 bytes), with which two descriptors come (the connection for the answer, the file), and JSON of that
length. An answer is the length of the result, the result and, from the server once the child has ended, one byte that says
how it ended.
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

    @classmethod
    def from_bytes(cls, received: bytes) -> Answer | None:
        """None when the connection ended before the server said how the child did."""
        if len(received) == 1:
            return cls(received[0])
        if len(received) < LENGTH.size + 1 or len(received) != LENGTH.size + LENGTH.unpack_from(received)[0] + 1:
            return None
        return cls(received[-1], received[LENGTH.size : -1])
