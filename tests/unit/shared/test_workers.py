"""What worker processes share: numbers in memory, messages by pipes, and the limits that are built on them."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from shared.contracts.facts import DocumentKind, DocumentRef
from shared.storage import notifier
from shared.storage.sqlite.database import SqliteDatabase
from shared.web.api.problems import Problem
from shared.web.http.connections import ConnectionRegistry
from shared.web.http.rate_limit import TokenBuckets
from shared.web.http.stream_limits import StreamOwner, StreamRegistry
from shared.web.http.upload_budget import UploadBudget
from shared.workers import numbers
from shared.workers.group import WorkerGroup, WorkerPlace, create_shared_memory
from shared.workers.metrics_folder import MetricsFolder


@pytest.fixture
def group() -> Iterator[list[WorkerGroup]]:
    """Three workers in one process."""
    pipes, memory = [os.pipe() for _ in range(3)], create_shared_memory(3)
    places = [
        WorkerPlace(
            index=index,
            size=3,
            listeners=[],
            inbox=pipes[index][0],
            outboxes=[pipes[other][1] for other in range(3) if other != index],
            memory=memory,
            seed="5eed",
            supervisor=-1,
            locks=[],
            metrics="",
        )
        for index in range(3)
    ]
    assert places[1].from_json(places[1].to_json()) == places[1]
    yield [place.join() for place in places]
    for descriptor in (memory, *(end for pipe in pipes for end in pipe)):
        os.close(descriptor)


def test_a_worker_reads_the_numbers_of_the_others(group: list[WorkerGroup]):
    first, second, third = (worker.held for worker in group)
    first.set("a", 3)
    second.set("a", 4.5)
    second.set("a", 5)
    assert [worker.others_total("a") for worker in (first, second, third)] == [5, 3, 8]
    assert [worker.others_greatest("a") for worker in (first, second, third)] == [5, 3, 5]
    assert [worker.other_with_greatest("a") for worker in (first, second, third)] == [1, 0, 1]
    assert third.other_with_greatest("b") is None
    assert third.others_total("b") == third.others_greatest("b") == 0
    assert group[2].times.others_total("a") == 0
    assert isinstance(third, numbers.SharedNumbers)
    third.clear(1)
    assert third.others_total("a") == 3


def test_the_metrics_folder_of_a_killed_supervisor_is_removed(tmp_path: Path):
    abandoned, foreign = tmp_path / "simpul-workers-1", tmp_path / "others"
    for folder in (abandoned, foreign):
        folder.mkdir()
        (folder / "counter_1.db").touch()
    with MetricsFolder(tmp_path) as first:
        first.ensure_exists()
        shutil.rmtree(first.path)
        first.ensure_exists()
        with MetricsFolder(tmp_path) as second:
            second.ensure_exists()
            assert sorted(tmp_path.iterdir()) == sorted([foreign, first.path, second.path])
    assert list(tmp_path.iterdir()) == [foreign]


def test_a_full_set_loses_its_smallest_number(group: list[WorkerGroup], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(numbers, "SETS", 1)
    for number in range(1, 18):
        group[0].held.set(f"key {number}", number)
    assert [group[1].held.others_total(f"key {number}") for number in (1, 2, 16, 17)] == [0, 2, 16, 17]
    group[0].held.set("key 17", 0)
    group[0].held.set("key 18", 1)
    assert [group[1].held.others_total(f"key {number}") for number in (2, 17, 18)] == [2, 0, 1]


async def test_messages_reach_the_listeners_of_all_others(group: list[WorkerGroup]):
    received: list[tuple[int, str]] = []
    done, many_received = asyncio.Event(), asyncio.Event()

    def note(index: int, text: str) -> None:
        received.append((index, text))
        if len(received) == 100:
            many_received.set()

    for worker in group:
        worker.messages.subscribe("news", partial(note, worker.index))
        worker.messages.subscribe("end", lambda _: done.set() if len(received) == 2 else None)
        worker.messages.start()
    group[1].messages.send("unknown", "x")
    group[1].messages.send("news", "hutan, laut")
    group[1].messages.send("end")
    async with asyncio.timeout(10):
        await done.wait()
    assert sorted(received) == [(0, "hutan, laut"), (2, "hutan, laut")]
    for worker in group[1:]:
        worker.messages.stop()
    for number in range(20_000):  # more than the pipe of a worker that does not read has room for
        group[0].messages.send("news", f"lagi {number}")
    await asyncio.sleep(0)
    group[0].messages.stop()
    group[1].messages.start()
    async with asyncio.timeout(10):
        await many_received.wait()
    group[1].messages.stop()
    assert received[2:100] == [(1, f"lagi {number}") for number in range(98)]


async def test_a_write_wakes_the_listeners_of_other_workers_without_a_poll(
    group: list[WorkerGroup], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(notifier, "POLL_INTERVAL_SECONDS", 3600.0)
    one, other = (SqliteDatabase(tmp_path / "simpul.db", worker.messages) for worker in group[:2])
    changed: list[bool] = []
    for worker in group[:2]:
        worker.messages.start()
    try:
        waiting = asyncio.create_task(other.notifier("log").wait_for(lambda: changed))
        await asyncio.sleep(0)
        changed.append(True)
        one.notifier("log").notify()
        async with asyncio.timeout(10):
            assert await waiting == [True]
    finally:
        for worker in group[:2]:
            worker.messages.stop()
        one.close()
        other.close()


def test_workers_share_the_tokens_of_a_bucket(group: list[WorkerGroup]):
    now = [1000.0]
    buckets = [TokenBuckets(clock=lambda: now[0], workers=worker) for worker in group]
    key = ("submissions", "10.0.0.1")
    waits = [buckets[number % 3].take(key, 10) for number in range(12)]
    assert waits == [0.0] * 10 + [6.0, 6.0]
    now[0] += 6
    assert [one.take(key, 10) for one in buckets] == [0.0, 6.0, 6.0]
    assert buckets[2].take(("submissions", "10.0.0.2"), 10) == 0.0


@dataclass(eq=False)
class OpenConnection:
    score: float | None = None
    closed: list[bool] = field(default_factory=list)

    def eviction_score(self) -> float | None:
        return self.score

    def evict(self) -> None:
        self.closed.append(True)


def test_workers_share_the_connections_of_a_network(group: list[WorkerGroup]):
    registries = [ConnectionRegistry(3, 1_000, held=worker.held) for worker in group[:2]]
    opened = [OpenConnection(), OpenConnection(), OpenConnection(score=1.0)]
    for number, connection in enumerate(opened):
        assert registries[number % 2].admit(connection, "10.0.0.1")
    assert not registries[1].admit(OpenConnection(), "10.0.0.1")
    assert registries[0].admit(OpenConnection(), "10.0.0.1")
    assert opened[2].closed == [True]
    registries[1].forget(opened[1])
    assert registries[0].admit(OpenConnection(), "10.0.0.1")


async def test_workers_share_the_limits_of_streams(group: list[WorkerGroup]):
    first, second = (StreamRegistry(workers=worker) for worker in group[:2])
    group[0].messages.start()
    group[1].messages.start()
    owner = StreamOwner("session", staff=True)
    opened = [first.acquire(owner) for _ in range(8)]
    second.acquire(owner)
    async with asyncio.timeout(10):
        await opened[0].displaced.wait()
    group[0].messages.stop()
    group[1].messages.stop()
    assert not opened[1].displaced.is_set()
    for number in range(60):
        (first, second)[number % 2].acquire(StreamOwner(f"request {number}", "10.0.0.1"))
    with pytest.raises(Problem) as refused:
        first.acquire(StreamOwner("request 60", "10.0.0.1"))
    assert refused.value.status_code == 429


def mark_received(event: asyncio.Event, _: str) -> None:
    event.set()


async def test_one_stream_of_an_owner_ends_for_another(group: list[WorkerGroup]):
    registries = [StreamRegistry(workers=worker) for worker in group]
    received = [asyncio.Event() for _ in group]
    for worker in group:
        worker.messages.subscribe("end", partial(mark_received, received[worker.index]))
        worker.messages.start()
    owner = StreamOwner("session", staff=True)
    opened = [registries[index].acquire(owner) for index in (1, 2, 2, 1, 2, 1, 2, 2)]
    registries[0].acquire(owner)
    group[0].messages.send("end")
    async with asyncio.timeout(10):
        for event in received[1:]:
            await event.wait()
    for worker in group:
        worker.messages.stop()
    assert [stream.displaced.is_set() for stream in opened] == [False, True, *[False] * 6]


async def test_workers_share_the_budget_of_uploads(group: list[WorkerGroup]):
    first, second = (UploadBudget(1_000_000, 8_000_000, workers=worker) for worker in group[:2])
    group[0].messages.start()
    group[1].messages.start()
    letter = DocumentRef(
        id="1",
        kind=DocumentKind.LETTER,
        name="surat.pdf",
        size=600_000,
        media_type="application/pdf",
        sha256="0" * 64,
        key="k1",
    )
    first.stored("10.0.0.1", [letter])
    await second.require("10.0.0.2", 600_000)
    with pytest.raises(Problem) as refused:
        await second.require("10.0.0.1", 600_000)
    assert refused.value.status_code == 429
    second.release([letter])  # the form arrived at another worker than its file
    async with asyncio.timeout(10):
        while True:
            try:
                await second.require("10.0.0.1", 600_000)
                break
            except Problem:
                await asyncio.sleep(0.01)
    group[0].messages.stop()
    group[1].messages.stop()
