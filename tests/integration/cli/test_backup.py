"""`simpul backup` and `simpul restore` with damaged databases and tampered backups."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from shared.storage.sqlite.database import SqliteDatabase
from tests.adapters.test_sqlite_damage import overwrite, overwrite_middle, root_of
from tests.support.ports import free_port
from tests.support.services.cli_harness import CommandLine, assert_fails_with_message, wait_until_serving

pytestmark = pytest.mark.slow

KEY = "53212c37-cada-5ebe-a0fc-5c3aed141d86"
QUEUED = "2803c568-fd8b-5894-afe0-e5b0e5e0bf3f"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """A data folder with two documents, named by an unreadable event and by a queued event, and a backup of it."""
    command_line = CommandLine(tmp_path_factory.mktemp("made"))
    assert command_line.simpul("prepare").returncode == 0
    for key in (KEY, QUEUED):
        place = command_line.data / "documents" / key[-2:] / key
        place.parent.mkdir(parents=True)
        place.write_bytes(b"%PDF-1.7")
    (command_line.data / "mail").mkdir()
    (command_line.data / "mail" / "20261124T000000000000Z-0123456789abcdef.eml").write_text("Yth.")
    file = SqliteDatabase(command_line.data / "simpul.db")
    newer = json.dumps({"schemaversion": 99, "data": {"annexes": [KEY]}}).encode()
    file.write_blocking(lambda db: db.execute("INSERT INTO log (key, value) VALUES ('s', ?)", (newer,)))
    waiting = json.dumps({"data": {"documents": [{"key": QUEUED}]}}).encode()
    file.write_blocking(lambda db: db.execute("INSERT INTO intake_outbox VALUES (NULL, 's', 'e', ?)", (waiting,)))
    file.close()
    completed = command_line.simpul("backup", "copy")
    assert completed.returncode == 0, completed.stderr
    return command_line


@pytest.fixture
def command_line(original: CommandLine, tmp_path: Path) -> CommandLine:
    """A copy of the folder that a test may change."""
    shutil.copytree(original.folder, tmp_path / "copy-of-original", symlinks=True)
    return CommandLine(tmp_path / "copy-of-original")


@pytest.fixture
def backup(command_line: CommandLine) -> Path:
    return command_line.folder / "copy"


def test_a_backup_contains_documents_of_unreadable_and_of_queued_events(original: CommandLine):
    for key in (KEY, QUEUED):
        assert (original.folder / "copy" / "documents" / key[-2:] / key).read_bytes() == b"%PDF-1.7"


def all_paths(folder: Path) -> Iterator[Path]:
    yield folder
    yield from folder.rglob("*")


def test_restored_files_are_private_whatever_the_modes_and_the_umask(command_line: CommandLine, backup: Path):
    for path in all_paths(backup):
        path.chmod(0o777 if path.is_dir() else 0o666)
    shutil.rmtree(command_line.data)
    before = os.umask(0)
    try:
        completed = command_line.simpul("restore", "copy")
    finally:
        os.umask(before)
    assert completed.returncode == 0, completed.stderr
    modes = {
        path.name: path.stat().st_mode & 0o777
        for path in all_paths(command_line.data)
        if not path.name.startswith("lock")
    }
    assert set(modes.values()) == {0o700, 0o600}
    assert all(
        (mode == 0o700) == (command_line.data / name).is_dir()
        for name, mode in modes.items()
        if name in ("documents", "mail")
    )
    assert modes["simpul.db"] == modes["secret"] == modes[KEY] == 0o600
    assert (command_line.data / "documents" / KEY[-2:] / KEY).read_bytes() == b"%PDF-1.7"
    assert not (command_line.data / ".restoring").exists()
    assert command_line.simpul("events", "tail", "--json").stdout.count("\n") == 1


def test_a_backup_of_hard_links_is_restored_as_separate_files(command_line: CommandLine, backup: Path):
    generation = command_line.folder / "generation"
    shutil.copytree(backup, generation, copy_function=os.link)
    (generation / "simpul.db-shm").write_bytes(bytes(32_768))
    (generation / "simpul.db-wal").touch()
    shutil.rmtree(command_line.data)
    completed = command_line.simpul("restore", "generation")
    assert completed.returncode == 0, completed.stderr
    files = [path for path in command_line.data.rglob("*") if path.is_file()]
    assert {KEY, QUEUED, "simpul.db", "secret"} <= {path.name for path in files}
    assert {path.stat().st_nlink for path in files} == {1}
    assert not any((command_line.data / name).exists() for name in ("simpul.db-shm", "simpul.db-wal"))


def a_link(backup: Path) -> None:
    (backup / "documents" / KEY[-2:] / KEY).unlink()
    (backup / "documents" / KEY[-2:] / KEY).symlink_to("/etc/passwd")


def a_link_to_a_folder(backup: Path) -> None:
    shutil.rmtree(backup / "mail")
    (backup / "mail").symlink_to("/etc")


def a_linked_secret(backup: Path) -> None:
    (backup / "secret").rename(backup.with_name("outside"))
    (backup / "secret").symlink_to(backup.with_name("outside"))


def a_linked_database(backup: Path) -> None:
    (backup / "simpul.db").rename(backup.with_name("outside"))
    (backup / "simpul.db").symlink_to(backup.with_name("outside"))


def changes_beside_the_database(backup: Path) -> None:
    (backup / "simpul.db-wal").write_bytes(b"x" * 5000)


def a_pipe(backup: Path) -> None:
    os.mkfifo(backup / "mail" / "x.eml")


def a_socket(backup: Path) -> None:
    # Relative to the folder, because the path of a socket is limited to 107 bytes.
    with socket.socket(socket.AF_UNIX) as original, contextlib.chdir(backup):
        original.bind("calendar.json")


def a_strange_name(backup: Path) -> None:
    (backup / "authorized_keys").write_text("ssh-ed25519 ...")


def a_strange_letter(backup: Path) -> None:
    (backup / "mail" / "..eml").write_text("x")


def a_strange_document(backup: Path) -> None:
    (backup / "documents" / "86" / "x.sh").write_text("x")


def a_document_in_another_place(backup: Path) -> None:
    (backup / "documents" / "aa").mkdir()
    (backup / "documents" / KEY[-2:] / KEY).rename(backup / "documents" / "aa" / KEY)


def a_folder_in_the_place_of_a_file(backup: Path) -> None:
    (backup / "secret").unlink()
    (backup / "secret").mkdir()


def a_database_that_is_none(backup: Path) -> None:
    (backup / "simpul.db").write_bytes(b"x" * 5000)


def a_damaged_database(backup: Path) -> None:
    overwrite_middle(backup / "simpul.db")


def expected_hint(tamper: Callable[[Path], None]) -> str:
    if tamper in (a_database_that_is_none, a_damaged_database):
        return "another backup"
    return "wal_checkpoint" if tamper is changes_beside_the_database else "try again"


TAMPERINGS = [
    *(a_link, a_link_to_a_folder, a_linked_secret, a_linked_database, changes_beside_the_database, a_pipe, a_socket),
    *(a_strange_name, a_strange_letter, a_strange_document, a_document_in_another_place),
    *(a_folder_in_the_place_of_a_file, a_database_that_is_none, a_damaged_database),
]


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda tamper: tamper.__name__)
def test_a_tampered_backup_is_refused_before_anything_changes(
    command_line: CommandLine, backup: Path, tamper: Callable[[Path], None]
):
    tamper(backup)
    shutil.rmtree(command_line.data)
    command_line.data.mkdir()
    (command_line.data / "notes.txt").write_text("tetap")
    assert_fails_with_message(command_line.simpul("restore", "copy"), "copy is", expected_hint(tamper))
    assert {path.name for path in command_line.data.iterdir()} - {"lock"} == {"notes.txt"}


def test_a_refused_restore_leaves_existing_data_unchanged(command_line: CommandLine, backup: Path):
    before = {path: path.read_bytes() for path in command_line.data.rglob("*") if path.is_file()}
    assert_fails_with_message(command_line.simpul("restore", "copy"), "holds data already")
    assert {path: path.read_bytes() for path in command_line.data.rglob("*") if path.is_file()} == before


def test_a_data_folder_with_a_linked_database_is_not_empty(command_line: CommandLine):
    shutil.rmtree(command_line.data)
    command_line.data.mkdir()
    (command_line.data / "simpul.db").symlink_to(command_line.folder / "nowhere")
    assert_fails_with_message(command_line.simpul("restore", "copy"), "holds data already")
    assert not (command_line.folder / "nowhere").exists()


def test_a_restore_succeeds_after_one_that_was_killed(command_line: CommandLine):
    shutil.rmtree(command_line.data)
    (command_line.data / ".restoring" / "documents").mkdir(parents=True)
    (command_line.data / ".restoring" / "simpul.db").write_bytes(b"half")
    assert command_line.simpul("restore", "copy").returncode == 0
    assert command_line.simpul("events", "tail", "--json").returncode == 0


def test_a_damaged_database_fails_backup_and_verification(command_line: CommandLine):
    overwrite_middle(command_line.data / "simpul.db")
    assert_fails_with_message(command_line.simpul("backup", "again"))
    assert [path.name for path in command_line.folder.iterdir() if path.name.startswith("again")] == []
    assert_fails_with_message(command_line.simpul("events", "verify"))


@pytest.mark.parametrize("name", ["log_by_key", "intake_documents"])
def test_a_rarely_read_damaged_table_fails_backup_and_verification(command_line: CommandLine, name: str):
    overwrite(command_line.data / "simpul.db", root_of(command_line.data / "simpul.db", name))
    assert_fails_with_message(command_line.simpul("backup", "again"))
    assert not (command_line.folder / "again").exists()
    assert_fails_with_message(command_line.simpul("events", "verify"))


def test_services_on_a_damaged_database_are_not_ready(command_line: CommandLine):
    overwrite(command_line.data / "simpul.db", root_of(command_line.data / "simpul.db", "intake_documents_by_number"))
    port = free_port()
    with command_line.running("up", port=str(port)):
        wait_until_serving(port)
        ready = httpx.get(f"http://127.0.0.1:{port}/health/ready")
        assert (ready.status_code, ready.json()["parts"]["state"]) == (503, "down")


def test_the_sweep_command_reports_what_it_removed_or_why_not(command_line: CommandLine):
    orphan = command_line.data / "documents" / "zz" / "document-zz"
    orphan.parent.mkdir()
    orphan.write_bytes(b"%PDF-1.7")
    for path in (command_line.data / "documents").rglob("*-*"):
        os.utime(path, times=(0, 0))
    assert command_line.simpul("documents", "sweep", "--dry-run").stdout == "1 documents would be removed.\n"
    file = SqliteDatabase(command_line.data / "simpul.db")
    file.write_blocking(lambda db: db.execute("INSERT INTO log (key, value) VALUES ('t', x'ff')"))
    file.close()
    assert_fails_with_message(command_line.simpul("documents", "sweep"), "Nothing was removed", "events verify")
    assert orphan.exists()
    file = SqliteDatabase(command_line.data / "simpul.db")
    file.write_blocking(lambda db: db.execute("DELETE FROM log WHERE key = 't'"))
    file.close()
    swept = json.loads(command_line.simpul("documents", "sweep", "--json").stdout)
    assert swept == {"orphans": 1, "unfinished": 0, "removed": True}
    assert {path.name for path in (command_line.data / "documents").rglob("*-*")} == {KEY, QUEUED}
