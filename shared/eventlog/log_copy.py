"""Copies one event log into another, each request in order; a copy that was interrupted can be resumed."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence

from shared.eventlog.port import EventLog, LogRecord, LogUnavailable

ProgressCallback = Callable[[int], None]

WINDOW_SIZE = 4_000
"""Records that are split into waves together."""

MAX_WAVE_SIZE = 500
"""Records of a wave, as in the relay."""


class TargetDiverged(Exception):
    """The target has something that is not in the source; nothing was changed."""


class LogCopier:
    """Copies what the source has up to an end and the target lacks. Keeps 16 bytes per event in memory.

    A wave has each request at most once and is awaited before the next. However a copy ends, the target therefore has a prefix of
    each request's events. Duplicates in the source are copied once.
    """

    def __init__(self, source: EventLog, target: EventLog, up_to: str) -> None:
        self._source = source
        self._target = target
        self._up_to = up_to
        self._source_order: dict[str, dict[bytes, int]] = {}
        """For each request, the index of each of its events by digest."""
        self._target_counts: dict[str, int] = {}
        self.events = self.present = self.repeats = 0

    async def compare(self, progress: ProgressCallback = lambda _: None) -> None:
        """Read both logs, and count `events`, those `present` in the target and `repeats`. Raises TargetDiverged."""
        async for batch in _read_up_to(self._source, self._up_to):
            for record in batch:
                order = self._source_order.setdefault(record.key, {})
                if (digest := _digest(record)) in order:
                    self.repeats += 1
                else:
                    order[digest] = len(order)
            progress(len(batch))
        self.events = sum(map(len, self._source_order.values()))
        async for batch in self._target.read():
            for record in batch:
                self._match(record)
        self.present = sum(self._target_counts.values())

    def _match(self, record: LogRecord) -> None:
        index = self._source_order.get(record.key, {}).get(_digest(record))
        count = self._target_counts.get(record.key, 0)
        if index is None or index > count:
            raise TargetDiverged(f"its log has an event of {record.key} that is not, or not there, in the source")
        self._target_counts[record.key] = max(count, index + 1)

    async def copy(self, progress: ProgressCallback = lambda _: None) -> int:
        """Append what is missing and return the number of events. Raises LogUnavailable, after which it may be called again."""
        copied = 0
        async for window in _read_windows(self._source, self._up_to):
            missing = [record for record in window if self._is_missing(record)]
            for wave in split_into_waves(missing):
                await self._append_wave(wave)
                copied += len(wave)
            progress(len(window))
        return copied

    async def _append_wave(self, wave: Sequence[LogRecord]) -> None:
        """Append a wave, retrying what was not acknowledged as long as something is. Raises LogUnavailable."""
        remaining = [(record.key, record.value) for record in wave]
        while remaining:
            try:
                await self._target.append(remaining)
                return
            except LogUnavailable as error:
                if not error.appended:
                    raise
                remaining = [record for index, record in enumerate(remaining) if index not in error.appended]

    def _is_missing(self, record: LogRecord) -> bool:
        """Return whether the target lacks this record, which then counts as copied."""
        count = self._target_counts.get(record.key, 0)
        if self._source_order[record.key][_digest(record)] < count:
            return False
        self._target_counts[record.key] = count + 1
        return True


def split_into_waves(records: Sequence[LogRecord]) -> list[list[LogRecord]]:
    """Split records into waves of bounded size that have each key at most once."""
    waves: list[list[LogRecord]] = []
    counts: dict[str, int] = {}
    for record in records:
        index = counts.get(record.key, 0)
        counts[record.key] = index + 1
        if index == len(waves):
            waves.append([])
        waves[index].append(record)
    return [wave[start : start + MAX_WAVE_SIZE] for wave in waves for start in range(0, len(wave), MAX_WAVE_SIZE)]


async def _read_windows(log: EventLog, up_to: str) -> AsyncIterator[list[LogRecord]]:
    window: list[LogRecord] = []
    async for batch in _read_up_to(log, up_to):
        window += batch
        if len(window) >= WINDOW_SIZE:
            yield window
            window = []
    if window:
        yield window


async def _read_up_to(log: EventLog, up_to: str) -> AsyncIterator[Sequence[LogRecord]]:
    """Read up to an end; here the "" of an empty log means nothing, not the current end."""
    if up_to:
        async for batch in log.read(up_to=up_to):
            yield batch


async def find_positions(log: EventLog, values: set[bytes]) -> dict[bytes, str]:
    """Return the first position of each of these values."""
    positions: dict[bytes, str] = {}
    if values:
        async for batch in log.read():
            for record in batch:
                if record.value in values:
                    positions.setdefault(record.value, record.position)
    return positions


def _digest(record: LogRecord) -> bytes:
    return hashlib.blake2b(record.value, digest_size=16).digest()
