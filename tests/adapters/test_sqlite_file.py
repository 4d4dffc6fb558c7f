"""The SQLite database: threads, group commit, cancelled callers, other processes, closing."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from shared.storage.port import StoreUnavailable
from shared.storage.sqlite import database
from shared.storage.sqlite.connection import read_number
from shared.storage.sqlite.database import SqliteDatabase
from tests.support.paths import REPOSITORY

ADD = "INSERT INTO words VALUES (?)"


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    opened = SqliteDatabase(tmp_path / "data" / "simpul.db")
    opened.write_blocking(lambda db: list(db.execute("CREATE TABLE IF NOT EXISTS words (word TEXT PRIMARY KEY)")))
    yield opened
    opened.close()


@contextmanager
def busy_writer(file: SqliteDatabase) -> Iterator[None]:
    """Block the writer, so that further writes are queued and committed as one group."""
    started, go_on = threading.Event(), threading.Event()

    def hold(_: apsw.Connection) -> None:
        started.set()
        go_on.wait(10)

    held = threading.Thread(target=file.write_blocking, args=(hold,))
    held.start()
    started.wait(10)
    try:
        yield
    finally:
        go_on.set()
        held.join()


def words(file: SqliteDatabase) -> set[str]:
    return {row[0] for row in file.read("SELECT word FROM words")}


def add(file: SqliteDatabase, word: str) -> asyncio.Task[None]:
    def work(db: apsw.Connection) -> None:
        db.execute(ADD, (word,))
        if word.startswith("bad"):
            raise KeyError(word)

    return asyncio.create_task(file.write(work))


async def grouped(file: SqliteDatabase, *to_add: str) -> list[asyncio.Task[None]]:
    with busy_writer(file):
        tasks = [add(file, word) for word in to_add]
        await asyncio.sleep(0.01)
    return tasks


async def test_a_write_that_raises_is_rolled_back_alone(file: SqliteDatabase):
    tasks = await grouped(file, "one", "bad", "two", "one", "bad too")
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), KeyError, type(None), apsw.ConstraintError, KeyError]
    assert words(file) == {"one", "two"}


async def test_writes_go_on_after_a_rollback_that_failed(file: SqliteDatabase):
    denied: list[str] = []

    def deny_one_rollback(operation: int, statement: str | None, *_: str | None) -> int:
        if operation == apsw.SQLITE_TRANSACTION and statement == "ROLLBACK" and not denied:
            denied.append(statement)
            return apsw.SQLITE_DENY
        return apsw.SQLITE_OK

    def fail(db: apsw.Connection) -> None:
        db.authorizer = deny_one_rollback
        db.execute(ADD, ("lost",))
        raise ValueError("the write failed")

    with pytest.raises(ValueError, match="the write failed"):
        await file.write(fail)
    await file.write(lambda db: db.execute(ADD, ("kept",)))
    assert denied
    assert words(file) == {"kept"}


async def test_a_write_cancelled_in_the_queue_is_not_executed(file: SqliteDatabase):
    with busy_writer(file):
        tasks = [add(file, word) for word in ("one", "two", "three")]
        await asyncio.sleep(0.01)
        tasks[1].cancel()
        await asyncio.sleep(0.01)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(outcomes[1], asyncio.CancelledError)
    assert words(file) == {"one", "three"}


async def test_writes_cancelled_at_any_time_do_not_affect_others(file: SqliteDatabase):
    for turn in range(20):
        tasks = [add(file, f"{turn}-{number}") for number in range(30)]
        await asyncio.sleep(turn / 4_000)
        for task in tasks[::3]:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        done = {f"{turn}-{number}" for number, outcome in enumerate(outcomes) if outcome is None}
        assert len(done) >= 20
        assert done <= words(file)


class Slow:
    """A write that adds a word and lasts until it is released."""

    def __init__(self, word: str) -> None:
        self.word, self.started, self.go_on = word, threading.Event(), threading.Event()

    def __call__(self, db: apsw.Connection) -> None:
        self.started.set()
        self.go_on.wait(10)
        db.execute(ADD, (self.word,))


async def test_a_write_cancelled_during_its_commit_does_not_affect_its_group(file: SqliteDatabase):
    slow = Slow("slow")
    with busy_writer(file):
        tasks = [add(file, "one"), asyncio.create_task(file.write(slow)), add(file, "two")]
        await asyncio.sleep(0.01)
    await asyncio.to_thread(slow.started.wait, 10)
    tasks[1].cancel()
    await asyncio.sleep(0.01)
    slow.go_on.set()
    async with asyncio.timeout(30):
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), asyncio.CancelledError, type(None)]
    assert words(file) == {"one", "slow", "two"}


async def test_a_closed_event_loop_does_not_end_the_writer(file: SqliteDatabase):
    slow = Slow("left behind")

    async def leave() -> None:
        task = asyncio.create_task(file.write(slow))
        await asyncio.to_thread(slow.started.wait, 10)
        task.cancel()

    await asyncio.to_thread(asyncio.run, leave())
    slow.go_on.set()
    async with asyncio.timeout(30):
        await add(file, "after")
    assert words(file) == {"left behind", "after"}


async def test_a_write_that_raises_stop_iteration_still_fails_its_future(file: SqliteDatabase):
    def work(_: apsw.Connection) -> None:
        next(iter(()))

    with pytest.raises(RuntimeError):
        await file.write(work)
    await add(file, "after")


async def test_no_cursor_leaves_the_writer(file: SqliteDatabase):
    assert (
        await file.write(lambda db: db.execute("INSERT INTO words VALUES ('a'); INSERT INTO words VALUES ('b')"))
        is None
    )
    assert words(file) == {"a", "b"}


async def test_a_write_is_visible_to_reads_at_once(file: SqliteDatabase):
    for number in range(100):
        await add(file, f"{number}")
        assert f"{number}" in words(file)


async def test_several_reads_see_one_snapshot(file: SqliteDatabase):
    looked, go_on = threading.Event(), threading.Event()

    def count_twice(db: apsw.Connection) -> tuple[object, object]:
        first = db.execute("SELECT count(*) FROM words").fetchall()[0][0]
        looked.set()
        go_on.wait(10)
        return first, db.execute("SELECT count(*) FROM words").fetchall()[0][0]

    counting = asyncio.create_task(file.read_snapshot(count_twice))
    await asyncio.to_thread(looked.wait, 10)
    await add(file, "meanwhile")
    go_on.set()
    assert await counting == (0, 0)
    assert await file.query("SELECT count(*) FROM words") == [(1,)]


async def test_closing_finishes_queued_writes(file: SqliteDatabase):
    tasks = [add(file, f"{number}") for number in range(200)]
    await asyncio.sleep(0)
    await asyncio.to_thread(file.close)
    assert await asyncio.gather(*tasks) == [None] * 200
    reopened = SqliteDatabase(file.path)
    assert len(words(reopened)) == 200
    reopened.close()


async def test_a_write_concurrent_with_closing_is_executed_or_refused(file: SqliteDatabase):
    done: list[str] = []

    def write_forever(who: int) -> None:
        try:
            for number in range(10**6):
                word = f"{who}-{number}"
                file.write_blocking(lambda db, word=word: db.execute(ADD, (word,)))  # type: ignore[misc]
                done.append(word)
        except StoreUnavailable:
            return

    writers = [threading.Thread(target=write_forever, args=(who,), daemon=True) for who in range(4)]
    for writer in writers:
        writer.start()
    await asyncio.sleep(0.1)
    file.close()
    for writer in writers:
        writer.join(10)
        assert not writer.is_alive()
    reopened = SqliteDatabase(file.path)
    assert words(reopened) >= set(done) != set()
    reopened.close()


async def test_a_closed_file_raises_store_unavailable(file: SqliteDatabase):
    file.close()
    file.close()
    with pytest.raises(StoreUnavailable):
        await add(file, "late")
    with pytest.raises(StoreUnavailable):
        file.read("SELECT 1")
    with pytest.raises(StoreUnavailable):
        await file.query("SELECT 1")
    with pytest.raises(StoreUnavailable):
        await file.ready()


async def test_a_closed_file_leaves_no_wal_file(file: SqliteDatabase):
    await add(file, "one")
    file.close()
    assert [path.name for path in file.path.parent.iterdir()] == ["simpul.db"]


async def test_a_bulk_load_is_on_disk_at_its_end_as_later_writes_are(file: SqliteDatabase):
    def settings(db: apsw.Connection) -> tuple[int, int]:
        return read_number(db, "PRAGMA synchronous"), read_number(db, "PRAGMA wal_autocheckpoint")

    wal = file.path.with_name(f"{file.path.name}-wal")
    before = await file.write(settings)
    async with file.bulk_load():
        assert (await file.write(settings))[0] == 0
        await file.write(lambda db: db.execute("CREATE TABLE loaded (id INTEGER)"))
        assert wal.stat().st_size > 0
    assert wal.stat().st_size == 0
    assert await file.write(settings) == before == (2, 1000)


async def test_only_the_owner_can_read_the_file(file: SqliteDatabase):
    await add(file, "one")
    assert {path.stat().st_mode & 0o777 for path in file.path.parent.iterdir()} == {0o600}


def test_a_file_that_is_not_a_database_is_refused(tmp_path: Path):
    (tmp_path / "simpul.db").write_bytes(b"This is a letter and no database at all." * 100)
    with pytest.raises(StoreUnavailable):
        SqliteDatabase(tmp_path / "simpul.db")


async def test_a_file_locked_by_another_process_is_unavailable_until_it_is_released(
    file: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(database, "WRITER_BUSY_TIMEOUT_MS", 50)
    impatient = SqliteDatabase(file.path)
    with busy_writer(file):
        tasks = [add(impatient, word) for word in ("one", "two")]
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
        assert words(impatient) == set()
    await add(impatient, "one")
    assert words(file) == {"one"}
    impatient.close()


async def test_two_processes_write_to_one_file(file: SqliteDatabase):
    program = (
        "import pathlib, sys; from shared.storage.sqlite.database import SqliteDatabase\n"
        "file = SqliteDatabase(pathlib.Path(sys.argv[1]))\n"
        "for number in range(200):\n"
        "    file.write_blocking(lambda db: db.execute('INSERT INTO words VALUES (?)', (f'there {number}',)))\n"
        "file.close()"
    )
    root = REPOSITORY
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(file.path), cwd=root)
    for number in range(200):
        await add(file, f"here {number}")
        await asyncio.sleep(0.001)
    assert await other.wait() == 0
    assert words(file) == {f"{where} {number}" for where in ("here", "there") for number in range(200)}


async def test_a_backup_is_a_snapshot_while_writes_go_on(file: SqliteDatabase, tmp_path: Path):
    await asyncio.gather(*(add(file, f"{number} " + "x" * 2_000) for number in range(2_000)))
    copying = asyncio.create_task(asyncio.to_thread(file.backup_to, tmp_path / "copy.db"))
    number = 0
    while not copying.done():
        await asyncio.gather(*(add(file, f"later {number}.{index}") for index in range(2)))
        number += 1
    await copying
    copy = SqliteDatabase(tmp_path / "copy.db")
    copied = {word for word in words(copy) if word.startswith("later")}
    assert copied == {f"later {turn}.{index}" for turn in range(len(copied) // 2) for index in (0, 1)}
    assert copy.read("PRAGMA integrity_check") == [("ok",)]
    copy.close()


async def test_a_notifier_is_shared_by_name(file: SqliteDatabase):
    assert file.notifier("log") is file.notifier("log") is not file.notifier("intake")
