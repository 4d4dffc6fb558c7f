"""`simpul move` migrates a data folder to the engines: resumable, complete, and without duplicate emails or events."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.store import PASSWORD, STAFF, StorePlan, fill, midnight
from shared.backends.platform import Platform
from shared.backends.port import Backend
from shared.clock import system_clock
from shared.eventlog.port import LogRecord
from shared.identity.service import IdentityService
from shared.secrets import read_secret
from shared.settings import load_settings
from shared.storage.port import DeadLetter
from simpul.registry import SERVICE_NAMES, build_services
from tests.support.distributed.deployment import ServiceProcess
from tests.support.distributed.migration_harness import MigrationHarness, count_of, empty, simpul
from tests.support.e2e.server_process import smtp_server

__all__ = ["empty"]

pytestmark = [pytest.mark.slow, pytest.mark.engines("kafka", "mongo", "minio")]

REQUESTS = 300
FEW = 20
FAR_FUTURE = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _filled(tmp_path_factory.mktemp("many") / "data", REQUESTS)


@pytest.fixture
def few(tmp_path: Path) -> Path:
    return _filled(tmp_path / "data", FEW)


def _filled(data: Path, requests: int) -> Path:
    asyncio.run(fill(load_settings(mode="embedded", data=data), StorePlan(requests, midnight(), own_documents=True)))
    return data


async def some_events(backend: Backend) -> bool:
    return await count_of(backend.log) > 0


async def some_documents(backend: Backend) -> bool:
    return any([key async for key in backend.documents.keys(FAR_FUTURE)])


async def some_states(backend: Backend) -> bool:
    store = backend.state_store("verification", ())
    return bool(await store.all_ids(limit=1))


async def test_a_move_that_is_killed_again_and_again_ends_whole(many: Path, empty: dict[str, str]):
    growing = MigrationHarness(many, empty)
    for so in (some_events, some_documents, some_states):
        await growing.kill_when(so)
    told = growing.moved()
    assert (told["clean"], told["trouble"]) == (True, [])
    assert told["events_present"] == told["events"] > 5 * REQUESTS
    assert told["documents"]["present"] > 2 * REQUESTS
    assert {one["service"]: one["equal"] for one in told["services"]} == dict.fromkeys(SERVICE_NAMES, REQUESTS)
    growing.verified()
    async with growing.backend() as backend:
        assert [await backend.log.lag(name) for name in SERVICE_NAMES] == [0] * len(SERVICE_NAMES)
        secret = read_secret(many / "secret", "the secret").encode()
        _, principal = await IdentityService(backend.accounts, system_clock, secret).sign_in(
            "petugas", PASSWORD, "", "::1"
        )
        assert principal.username == "petugas"
        assert [account.username for account in await backend.accounts.accounts()] == sorted(STAFF)


async def test_what_was_moved_sends_no_letter_again(few: Path, empty: dict[str, str], tmp_path: Path):
    with smtp_server() as (inbox, smtp):
        growing = MigrationHarness(few, empty, smtp)
        growing.moved()
        process = ServiceProcess("notification", growing.distributed_environment, tmp_path / "notification.log")
        process.start()
        try:
            process.wait()
            await asyncio.sleep(3)
        finally:
            process.stop()
        assert inbox.messages == []
    growing.verified()


async def test_what_was_on_its_way_is_published_and_heard_before(few: Path, empty: dict[str, str]):
    growing = MigrationHarness(few, empty)
    async with growing.folder() as platform:
        # As after a crash: groups that have heard nothing, and states that are not there yet.
        await platform.log.append([("a" * 8, b"no event at all")])
        request = (await build_services(platform, ["intake"])[0].runtime.store.all_ids(limit=1))[0]
        await platform.log.append([(request, next(iter(await platform.log.read_key(request))).value)])
    told = growing.moved()
    assert told["repeats_left_out"] == 1
    async with growing.backend() as backend:
        letters = await backend.state_store("verification", ()).dead_letters()
        assert [letter.event for letter in letters] == [b"no event at all"]


def unreadable(request: str, sequence: int) -> bytes:
    """An event of intake that does not match its schema."""
    attributes = {"source": "intake", "type": "RequestWithdrawn", "subject": request, "sequence": f"{sequence:010d}"}
    return json.dumps(attributes).encode()


async def poisoned(platform: Platform, request: str) -> None:
    """Append an unreadable event of this request; every service parks it, and notification discards it."""
    services = {service.name: service for service in build_services(platform)}
    stored = await services["intake"].runtime.store.load([request])
    await platform.log.append([(request, unreadable(request, stored[request].seen["intake"] + 1))])
    record: LogRecord = (await platform.log.read_newest(1))[0]
    for name in ("verification", "assignment", "notification"):
        runtime = services[name].runtime
        await runtime.consumer.handle([record])
        await runtime.dead_letters.stop()
        await platform.log.commit_offset(name, await platform.log.end())
    [letter] = await services["notification"].runtime.store.dead_letters()
    await services["notification"].runtime.dead_letters.discard(letter)


def essence(letter: DeadLetter) -> tuple[str, bytes, str, int, datetime, str]:
    return letter.subject, letter.event, letter.reason, letter.tries, letter.parked_at, letter.state


async def letters_of(backend: Backend, service: str) -> list[DeadLetter]:
    return await backend.state_store(service, ()).dead_letters(states=("parked", "discarded"))


async def test_dead_letters_come_along_and_are_settled_there(few: Path, empty: dict[str, str]):
    growing = MigrationHarness(few, empty)
    async with growing.folder() as platform:
        request = (await build_services(platform, ["intake"])[0].runtime.store.all_ids(limit=1))[0]
        await poisoned(platform, request)
        before = {name: await letters_of(platform.backend, name) for name in SERVICE_NAMES}
    for told in (growing.moved(), growing.moved()):
        counts = {one["service"]: (one["parked"], one["discarded"], one["equal"]) for one in told["services"]}
        assert counts == {
            "intake": (0, 0, FEW),
            "verification": (1, 0, FEW),
            "assignment": (1, 0, FEW),
            "notification": (0, 1, FEW),
        }
    async with growing.backend() as backend:
        for name, letters in before.items():
            after = await letters_of(backend, name)
            assert [essence(letter) for letter in after] == [essence(letter) for letter in letters]
            places = {record.position for record in await backend.log.read_key(request)}
            assert all(letter.position in places and letter.id == f"{name}:{letter.position}" for letter in after)
    [listed] = json.loads(
        simpul(growing.distributed_environment, "dead-letters", "list", "--service", "assignment", "--json").stdout
    )
    done = simpul(growing.distributed_environment, "dead-letters", "discard", listed["id"], "--yes")
    assert done.returncode == 0, done.stderr


async def test_engines_that_hold_something_else_are_refused_untouched(few: Path, empty: dict[str, str]):
    growing = MigrationHarness(few, empty)
    async with growing.backend() as backend:
        await backend.log.append([("of-another", b"{}")])
        done = growing.move()
        assert (done.returncode, done.stdout) == (1, "")
        assert "hold something else" in done.stderr
        assert "of-another" in done.stderr
        assert await count_of(backend.log) == 1
        assert await backend.accounts.accounts() == []
        assert not await some_documents(backend)


async def test_who_moves_or_restores_is_told_that_days_off_stay_a_file(
    few: Path, empty: dict[str, str], tmp_path: Path
):
    growing, backup = MigrationHarness(few, empty), tmp_path / "backup"
    days = few / "calendar.json"
    days.write_text('{"2028-04-24": "Cuti Bersama Idulfitri"}')
    moved = simpul(growing.embedded_environment, "move", "--to", "distributed")
    assert f"put {days} into SIMPUL_DATA" in moved.stdout
    assert simpul(growing.embedded_environment, "backup", str(backup)).returncode == 0
    restored = simpul(growing.distributed_environment, "restore", str(backup))
    assert f"put {backup / 'calendar.json'} into SIMPUL_DATA" in restored.stdout, restored.stderr


async def test_a_damaged_document_is_named_and_the_rest_arrives(few: Path, empty: dict[str, str]):
    damaged = next(path for path in sorted((few / "documents").rglob("*")) if path.is_file())
    damaged.write_bytes(b"rusak")
    done = MigrationHarness(few, empty).move()
    told = json.loads(done.stdout)
    assert done.returncode == 1
    [line] = told["trouble"]
    assert damaged.name in line
    assert "damaged where it comes from" in line
    assert told["documents"]["copied"] > 2 * FEW
    assert [one["equal"] for one in told["services"]] == [FEW] * len(SERVICE_NAMES)


async def test_a_backup_of_engines_is_restored_in_either_mode(few: Path, empty: dict[str, str], tmp_path: Path):
    growing, backup = MigrationHarness(few, empty), tmp_path / "backup"
    growing.moved()
    done = simpul(growing.distributed_environment, "backup", str(backup))
    assert done.returncode == 0, done.stderr
    assert (backup / "secret").read_text() == (few / "secret").read_text()
    again = MigrationHarness(tmp_path / "again", empty)
    done = simpul(again.embedded_environment, "restore", str(backup))
    assert done.returncode == 0, done.stderr
    done = simpul(again.embedded_environment, "events", "verify", "--json")
    assert done.returncode == 0, done.stdout
    assert (told := again.moved())["events_present"] == told["events"]


async def test_a_backup_is_restored_into_empty_engines(few: Path, empty: dict[str, str], tmp_path: Path):
    growing, backup = MigrationHarness(few, empty), tmp_path / "backup"
    assert simpul(growing.embedded_environment, "backup", str(backup)).returncode == 0
    other = MigrationHarness(tmp_path / "other", empty)
    other.data.mkdir()
    for _ in range(2):
        done = simpul(other.distributed_environment, "restore", str(backup))
        assert done.returncode == 0, done.stderr
    other.verified()
    assert (other.data / "secret").read_text() == (few / "secret").read_text()
