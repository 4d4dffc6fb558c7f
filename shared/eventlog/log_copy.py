"""One log copied into another, each request in order: a copy that was stopped is a beginning, and the next goes on there."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence

from shared.eventlog.port import EventLog, LogRecord, LogUnavailable

ProgressCallback = Callable[[int], None]

WINDOW_SIZE = 4_000
"""Records that are put into waves together."""

MAX_WAVE_SIZE = 500
"""Records of a wave at most, as the relay has it."""


class TargetDiverged(Exception):
    """The target holds what did not come from the source; the text says what. Nothing of it was changed."""


class LogCopier:
    """What is in the source up to an end and not yet in the target, of which it is remembered in 16 bytes an event.

    A wave holds each request at most once and is awaited before the next: however a copy ends, each request's events in the
    target are the first of those in the source. What the source repeats is copied once.
    """

    def __init__(self, source: EventLog, target: EventLog, up_to: str) -> None:
        self._source, self._target, self._up_to = source, target, up_to
        self._source_order: dict[str, dict[bytes, int]] = {}
        """Of each request, its events by digest and their place among its events."""
        self._target_counts: dict[str, int] = {}
        self.events = self.present = self.repeats = 0

    async def look(self, progress: ProgressCallback = lambda count: None) -> None:
        """Find what is there on both sides. Raises HoldsSomethingElse."""
        async for batch in _read_up_to(self._source, self._up_to):
            for record in batch:
                places = self._source_order.setdefault(record.key, {})
                if (digest := _digest(record)) in places:
                    self.repeats += 1
                else:
                    places[digest] = len(places)
            progress(len(batch))
        self.events = sum(map(len, self._source_order.values()))
        async for batch in self._target.read():
            for record in batch:
                self._match(record)
        self.present = sum(self._target_counts.values())

    def _match(self, record: LogRecord) -> None:
        place = self._source_order.get(record.key, {}).get(_digest(record))
        reached = self._target_counts.get(record.key, 0)
        if place is None or place > reached:
            raise TargetDiverged(f"its log has an event of {record.key} that is not, or not there, in the source")
        self._target_counts[record.key] = max(reached, place + 1)

    async def copy(self, progress: ProgressCallback = lambda count: None) -> int:
        """Append what is missing, and return how much that was. Raises LogUnavailable; then it may be run again."""
        copied = 0
        async for window in _read_windows(self._source, self._up_to):
            missing = [record for record in window if self._is_missing(record)]
            for wave in split_into_waves(missing):
                await self._append_wave(wave)
                copied += len(wave)
            progress(len(window))
        return copied

    async def _append_wave(self, wave: Sequence[LogRecord]) -> None:
        """Append a wave, and again what the log did not take of it, as long as it takes some. Raises LogUnavailable."""
        left = [(record.key, record.value) for record in wave]
        while left:
            try:
                await self._target.append(left)
                return
            except LogUnavailable as error:
                if not error.appended:
                    raise
                left = [one for place, one in enumerate(left) if place not in error.appended]

    def _is_missing(self, record: LogRecord) -> bool:
        reached = self._target_counts.get(record.key, 0)
        if self._source_order[record.key][_digest(record)] < reached:
            return False
        self._target_counts[record.key] = reached + 1
        return True


def split_into_waves(records: Sequence[LogRecord]) -> list[list[LogRecord]]:
    """The records in rounds that hold each key at most once, and not too many."""
    rounds: list[list[LogRecord]] = []
    turns: dict[str, int] = {}
    for record in records:
        turn = turns.get(record.key, 0)
        turns[record.key] = turn + 1
        if turn == len(rounds):
            rounds.append([])
        rounds[turn].append(record)
    return [each[start : start + MAX_WAVE_SIZE] for each in rounds for start in range(0, len(each), MAX_WAVE_SIZE)]


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
    """Up to an end; the "" of an empty log stands for nothing here, and not for the log as it is now."""
    if up_to:
        async for batch in log.read(up_to=up_to):
            yield batch


async def find_positions(log: EventLog, values: set[bytes]) -> dict[bytes, str]:
    """Where these events lie in the log; the first place of one that is there more than once."""
    found: dict[bytes, str] = {}
    if values:
        async for batch in log.read():
            for record in batch:
                if record.value in values:
                    found.setdefault(record.value, record.position)
    return found


def _digest(record: LogRecord) -> bytes:
    return hashlib.blake2b(record.value, digest_size=16).digest()
