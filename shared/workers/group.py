"""The group of worker processes that one command starts on a data folder, as one of them sees it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import mmap
import os
import secrets
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Self

from shared.workers.messages import WorkerMessages
from shared.workers.numbers import TABLE_BYTES, SharedNumbers, WorkerNumbers

METRICS_FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Variable by which the Prometheus client learns in which folder the processes of a group count."""


@dataclass(frozen=True, slots=True)
class WorkerGroup:
    """A worker and what it shares with the others; by default there is no other."""

    index: int = 0
    size: int = 1
    messages: WorkerMessages = field(default_factory=WorkerMessages)
    held: WorkerNumbers = field(default_factory=WorkerNumbers)
    """Numbers of what each worker holds now, such as connections; they end with it."""
    times: WorkerNumbers = field(default_factory=WorkerNumbers)
    """Times of the monotonic clock; they outlive the worker."""
    lock_file: int = -1

    def runs(self, part: int) -> bool:
        """Whether this worker runs a part of the background work, given the number of the part."""
        return part % self.size == self.index

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Exclude the other workers for some microseconds. The kernel unlocks for a worker that ends."""
        if self.size == 1:
            yield
            return
        fcntl.lockf(self.lock_file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self.lock_file, fcntl.LOCK_UN)


SOLE_WORKER = WorkerGroup()


@dataclass(frozen=True, slots=True)
class WorkerPlace:
    """What a worker process is given by its supervisor: file descriptors, its number and that of all."""

    index: int
    size: int
    listeners: Sequence[int]
    inbox: int
    outboxes: Sequence[int]
    memory: int
    seed: str
    supervisor: int
    """Read end of a pipe that closes with the supervisor."""
    locks: Sequence[int]
    """The locks of the data folder, held as long as any process of the group lives."""
    metrics: str
    """Folder in which the processes of the group count."""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls(**json.loads(text))

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The file descriptors that the process inherits."""
        return (*self.listeners, self.inbox, *self.outboxes, self.memory, self.supervisor, *self.locks)

    def join(self) -> WorkerGroup:
        """Open what the group shares."""
        memory, seed = map_shared_memory(self.memory, self.size), bytes.fromhex(self.seed)
        return WorkerGroup(
            self.index,
            self.size,
            WorkerMessages(self.inbox, self.outboxes),
            SharedNumbers(memory, 0, self.index, self.size, seed),
            SharedNumbers(memory, self.size * TABLE_BYTES, self.index, self.size, seed),
            self.memory,
        )


def create_shared_memory(workers: int) -> int:
    """Create the memory for the numbers of so many workers and return its file descriptor."""
    # Not a file on a disk, which may be full when a page is first written.
    descriptor = os.memfd_create("simpul-workers") if hasattr(os, "memfd_create") else _temporary_file()
    os.ftruncate(descriptor, 2 * workers * TABLE_BYTES)
    return descriptor


def _temporary_file() -> int:
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def map_shared_memory(descriptor: int, workers: int) -> mmap.mmap:
    return mmap.mmap(descriptor, 2 * workers * TABLE_BYTES)


def create_seed() -> str:
    return secrets.token_hex(16)


def exit_with_supervisor(pipe: int, exit_now: Callable[[], None]) -> None:
    """Call `exit_now` in a thread as soon as the process at the other end of the pipe has ended."""

    def wait() -> None:
        os.read(pipe, 1)
        exit_now()

    threading.Thread(target=wait, name="supervisor-watch", daemon=True).start()
