"""Numbers by key that worker processes show each other, in shared memory without locks."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from hashlib import blake2b

SETS, WAYS = 2048, 16
"""A worker has room for the keys of 32,768 numbers, in sets of 16; a full set loses its smallest number."""
ENTRY_BYTES = 16
TABLE_BYTES = SETS * WAYS * ENTRY_BYTES
"""Size of the part of one worker."""


class WorkerNumbers:
    """The numbers of a sole worker, which nobody else reads or has."""

    def set(self, key: str, number: float) -> None:
        """Show a number of this worker to the others."""

    def others_total(self, key: str) -> float:
        """The sum of the numbers that the other workers have for this key."""
        del key
        return 0.0

    def others_greatest(self, key: str) -> float:
        """The greatest number that another worker has for this key, 0 if there is none."""
        del key
        return 0.0

    def other_with_greatest(self, key: str) -> int | None:
        """The index of the other worker that has the greatest number for this key, None if none has one."""
        del key
        return None


class SharedNumbers(WorkerNumbers):
    """The numbers of this worker, which others read, and those of the others.

    Each worker writes only into its own part of the memory, so nothing is locked and a killed worker leaves nothing locked. A
    number that is 0 takes no room.
    """

    def __init__(self, memory: mmap.mmap, offset: int, worker: int, workers: int, seed: bytes) -> None:
        self._seed, self._worker = seed, worker
        self._others = [other for other in range(workers) if other != worker]
        view = memoryview(memory)[offset : offset + workers * TABLE_BYTES]
        # Entries are pairs of a key and a number, seen as integers and as floats.
        self._keys, self._values = view.cast("Q"), view.cast("d")

    def set(self, key: str, number: float) -> None:
        hashed = self._hash(key)
        first = self._first_entry(self._worker, hashed)
        entry = next((entry for entry in _entries(first) if self._keys[entry] == hashed), None)
        if entry is None:
            if not number:
                return
            entry = min(_entries(first), key=lambda each: self._values[each + 1])
            # Nobody may read the old number under the new key.
            self._values[entry + 1] = 0.0
            self._keys[entry] = hashed
        self._values[entry + 1] = number

    def others_total(self, key: str) -> float:
        return sum(number for number, _ in self._numbers_of_others(key))

    def others_greatest(self, key: str) -> float:
        return max((number for number, _ in self._numbers_of_others(key)), default=0.0)

    def other_with_greatest(self, key: str) -> int | None:
        number, worker = max(self._numbers_of_others(key), default=(0.0, -1))
        return worker if number else None

    def clear(self, worker: int) -> None:
        """Remove the numbers of a worker that has ended."""
        first = worker * TABLE_BYTES // 8
        for entry in range(first, first + TABLE_BYTES // 8, 2):
            self._values[entry + 1] = 0.0

    def _numbers_of_others(self, key: str) -> Iterator[tuple[float, int]]:
        """The number of each worker that has one, and the index of the worker."""
        hashed = self._hash(key)
        for other in self._others:
            first = self._first_entry(other, hashed)
            keys = self._keys[first : first + 2 * WAYS].tolist()[::2]
            if hashed in keys:
                yield self._values[first + 2 * keys.index(hashed) + 1], other

    def _first_entry(self, worker: int, hashed: int) -> int:
        return worker * TABLE_BYTES // 8 + hashed % SETS * WAYS * 2

    def _hash(self, key: str) -> int:
        """A hash that clients, who choose some of the keys, cannot predict."""
        return int.from_bytes(blake2b(key.encode(), digest_size=8, key=self._seed).digest()) or 1


def _entries(first: int) -> range:
    return range(first, first + 2 * WAYS, 2)
