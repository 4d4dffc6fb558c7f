"""Acknowledged writes survive a killed process, and the store recovers from a full disk."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.eventlog.port import LogUnavailable
from shared.eventlog.sqlite.log import SqliteEventLog
from shared.storage.port import SaveOutcome, StoreUnavailable
from shared.storage.sqlite.database import SqliteDatabase
from shared.storage.sqlite.store import SqliteStateStore
from tests.support.adapters.state_records import COLUMNS, NOW, make_write, version_of
from tests.support.paths import REPOSITORY

ROOT = REPOSITORY
KILLS = 20
PADDING = {"text": random.Random(1).randbytes(10_000).hex()}
EVENT = random.Random(2).randbytes(200_000)
Done = list[tuple[str, str, int]]


def acknowledged_until_killed(path: Path, seconds: float) -> Done:
    """Start a writing process, kill it some seconds after it is ready, and return what it acknowledged."""
    journal = path.with_suffix(".journal")
    with journal.open("wb") as output:
        command = [sys.executable, "-m", "tests.support.adapters.writer_process", str(path)]
        writer = subprocess.Popen(command, cwd=ROOT, stdout=output)
        while not journal.read_bytes().startswith(b"ready") and writer.poll() is None:
            time.sleep(0.01)
        time.sleep(seconds)
        writer.kill()
        assert writer.wait() == -signal.SIGKILL
    lines = journal.read_text().splitlines()[1:]
    return [(what, name, int(version)) for what, name, version in map(str.split, lines)]


def assert_whole(name: str, version: int, body: bytes) -> None:
    content = json.loads(body)
    assert content["text"].startswith(f"{name} {version} ")
    assert hashlib.sha256(content["text"].encode()).hexdigest() == content["sha256"]


async def assert_nothing_lost(file: SqliteDatabase, done: Done) -> None:
    store, log = SqliteStateStore(file, "intake", COLUMNS, lambda: NOW), SqliteEventLog(file)
    records = await store.load(await store.all_ids())
    events = {entry.event_id for entry in await store.unpublished(10**6)}
    logged = {record.value.decode() async for batch in log.read() for record in batch}
    for name, record in records.items():
        assert_whole(name, record.version, record.body)
        assert {f"{name}-{version}" for version in range(1, record.version + 1)} <= events
    for what, name, version in done:
        assert records[name].version >= version
        assert what == "saved" or f"{name}-{version}" in logged
    assert len(events) == sum(record.version for record in records.values())


@pytest.mark.slow
async def test_nothing_acknowledged_is_lost_or_torn_by_twenty_kills(tmp_path: Path):
    path, pick = tmp_path / "simpul.db", random.Random(7)
    done: Done = []
    for _ in range(KILLS):
        done += acknowledged_until_killed(path, pick.uniform(0.02, 0.3))
        file = SqliteDatabase(path)
        await assert_nothing_lost(file, done)
        assert file.read("PRAGMA integrity_check") == [("ok",)]
        file.close()
    assert len(done) > KILLS * 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root can make a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def fill(store: SqliteStateStore) -> tuple[int, StoreUnavailable]:
    """Save larger and larger records until one is refused; return their number and the error."""
    for number in range(4_000):
        try:
            assert await store.save([make_write(f"full-{number}", events=["e"], body=PADDING)]) == [SaveOutcome.SAVED]
        except StoreUnavailable as refusal:
            return number, refusal
    raise AssertionError("the disk is never full")


async def survive(file: SqliteDatabase, make_room: Callable[[], object]) -> None:
    store, log = SqliteStateStore(file, "intake", COLUMNS, lambda: NOW), SqliteEventLog(file)
    await store.prepare()
    await log.prepare()
    taken, refusal = await fill(store)
    assert "full" in str(refusal)
    with pytest.raises(LogUnavailable):
        await log.append([("a", EVENT)])
    assert len(await store.all_ids()) == taken == len(await store.unpublished(10_000))
    assert await version_of(store, f"full-{taken}") == 0
    make_room()
    await store.ready()
    assert await store.save([make_write(f"full-{taken}", body=PADDING)]) == [SaveOutcome.SAVED]
    await log.append([("a", EVENT)])
    assert file.read("PRAGMA integrity_check") == [("ok",)]


async def test_a_full_disk_raises_and_is_recovered_from(small_disk: Path):
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 700_000)
    file = SqliteDatabase(small_disk / "simpul.db")
    await survive(file, filler.unlink)
    file.close()


async def test_a_file_that_may_not_grow_raises_and_is_recovered_from(tmp_path: Path):
    file = SqliteDatabase(tmp_path / "simpul.db")

    def limit(pages: int) -> None:
        file.write_blocking(lambda db: db.execute(f"PRAGMA max_page_count={pages}"))

    limit(100)
    await survive(file, lambda: limit(10_000))
    file.close()
