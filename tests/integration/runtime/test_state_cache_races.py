"""The state cache never goes back to an older version, whatever reads and saves overlap and whatever is evicted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import pytest

from shared.runtime import state_cache
from shared.runtime.state_cache import StateCache
from shared.storage.port import SaveOutcome, Scalar, StateRecord, StateStore, Write


class SlowStore:
    """Stores one version per record; a read returns what was stored when it began, and waits for `answer`."""

    def __init__(self) -> None:
        self.stored = {"r": 4}
        self.answer = asyncio.Event()
        self.answer.set()

    def _record(self, request_id: str) -> StateRecord:
        return StateRecord(request_id, self.stored[request_id])

    async def load(self, ids: Sequence[str]) -> dict[str, StateRecord]:
        found = {one: self._record(one) for one in ids if one in self.stored}
        await self.answer.wait()
        return found

    async def find_one(self, column: str, value: Scalar) -> StateRecord | None:
        found = self._record("r")
        await self.answer.wait()
        return found

    async def save(self, writes: Sequence[Write]) -> list[SaveOutcome]:
        outcomes = []
        for write in writes:
            follows = self.stored.get(write.record.id, 0) == write.record.version - 1
            outcomes.append(SaveOutcome.SAVED if follows else SaveOutcome.CONFLICT)
            if follows:
                self.stored[write.record.id] = write.record.version
        return outcomes


def write(version: int, request_id: str = "r") -> Write:
    return Write(StateRecord(request_id, version), {})


class Cache(StateCache):
    def __init__(self) -> None:
        self.slow = SlowStore()
        super().__init__(cast(StateStore, self.slow))

    def version(self) -> int:
        found = self.get_cached("r")
        return found.version if found else 0

    @asynccontextmanager
    async def slow_read(self, read: str) -> AsyncIterator[None]:
        """Start a read before the block and let it return after the block."""
        self.slow.answer.clear()
        reading = asyncio.create_task(self.load(["r"]) if read == "load" else self.find_one("number", "INT-1"))
        await asyncio.sleep(0)
        yield
        self.slow.answer.set()
        await reading


@pytest.fixture
async def cache() -> Cache:
    return Cache()


@pytest.mark.parametrize("read", ["load", "find_one"])
async def test_a_slow_read_does_not_replace_a_record_saved_after_it_began(cache: Cache, read: str):
    async with cache.slow_read(read):
        await cache.save([write(5)])
    assert cache.version() == 5


@pytest.mark.parametrize("read", ["load", "find_one"])
async def test_a_slow_read_does_not_restore_an_older_version_of_an_evicted_record(
    read: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(state_cache, "MAX_CACHED_RECORDS", 1)
    cache = Cache()
    async with cache.slow_read(read):
        await cache.save([write(5)])
        await cache.save([write(1, "another")])
        assert cache.version() == 0
    assert cache.version() == 0


async def test_of_two_reads_the_newer_result_stays_whichever_ends_last(cache: Cache):
    async with cache.slow_read("load"):
        cache.slow.stored["r"] = 7
        slow, cache.slow.answer = cache.slow.answer, asyncio.Event()
        cache.slow.answer.set()
        await cache.load(["r"])
        assert cache.version() == 7
        cache.slow.answer = slow
    assert cache.version() == 7


async def test_a_conflict_shows_that_a_slow_read_is_stale(cache: Cache):
    async with cache.slow_read("load"):
        cache.slow.stored["r"] = 6
        assert await cache.save([write(6)]) == [SaveOutcome.CONFLICT]
    assert cache.version() == 0


async def test_a_conflict_keeps_a_record_that_another_task_has_saved_since(cache: Cache):
    await cache.save([write(5)])
    await cache.save([write(6)])
    assert await cache.save([write(6)]) == [SaveOutcome.CONFLICT]
    assert cache.version() == 6


async def test_finished_reads_leave_nothing_in_memory(cache: Cache):
    await cache.load(["r"])
    async with cache.slow_read("load"):
        await cache.save([write(5)])
    assert cache._reads == []
