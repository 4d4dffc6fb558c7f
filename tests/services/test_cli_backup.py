"""`simpul backup` and `simpul restore` on damaged databases and with backups that somebody has tampered with."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from shared.storage.sqlite_file import SqliteFile
from tests.contracts.test_sqlite_damage import overwrite, overwrite_middle, root_of
from tests.journeys.stage import free_port
from tests.services.cli_ground import Desk, fails_with_a_sentence, serves

pytestmark = pytest.mark.slow

KEY = "53212c37-cada-5ebe-a0fc-5c3aed141d86"
QUEUED = "2803c568-fd8b-5894-afe0-e5b0e5e0bf3f"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A data folder with documents, one of which no event names that this version can read, and a backup of it."""
    desk = Desk(tmp_path_factory.mktemp("made"))
    assert desk.simpul("prepare").returncode == 0
    for key in (KEY, QUEUED):
        place = desk.data / "documents" / key[-2:] / key
        place.parent.mkdir(parents=True)
        place.write_bytes(b"%PDF-1.7")
    (desk.data / "mail").mkdir()
    (desk.data / "mail" / "20261124T000000000000Z-0123456789abcdef.eml").write_text("Yth.")
    file = SqliteFile(desk.data / "simpul.db")
    newer = json.dumps({"schemaversion": 99, "data": {"annexes": [KEY]}}).encode()
    file.write_now(lambda db: db.execute("INSERT INTO log (key, value) VALUES ('s', ?)", (newer,)))
    waiting = json.dumps({"data": {"documents": [{"key": QUEUED}]}}).encode()
    file.write_now(lambda db: db.execute("INSERT INTO intake_outbox VALUES (NULL, 's', 'e', ?)", (waiting,)))
    file.close()
    done = desk.simpul("backup", "copy")
    assert done.returncode == 0, done.stderr
    return desk


@pytest.fixture
def desk(made: Desk, tmp_path: Path) -> Desk:
    """A copy of it that a test may spoil."""
    shutil.copytree(made.folder, tmp_path / "desk", symlinks=True)
    return Desk(tmp_path / "desk")


@pytest.fixture
def backup(desk: Desk) -> Path:
    return desk.folder / "copy"


def test_a_backup_has_the_documents_of_newer_and_of_queued_events(made: Desk):
    for key in (KEY, QUEUED):
        assert (made.folder / "copy" / "documents" / key[-2:] / key).read_bytes() == b"%PDF-1.7"


def everything(folder: Path) -> Iterator[Path]:
    yield folder
    yield from folder.rglob("*")


def test_what_was_restored_is_its_owners_alone_whatever_the_backup_and_the_umask_say(desk: Desk, backup: Path):
    for path in everything(backup):
        path.chmod(0o777 if path.is_dir() else 0o666)
    shutil.rmtree(desk.data)
    before = os.umask(0)
    try:
        done = desk.simpul("restore", "copy")
    finally:
        os.umask(before)
    assert done.returncode == 0, done.stderr
    modes = {
        path.name: path.stat().st_mode & 0o777 for path in everything(desk.data) if not path.name.startswith("lock")
    }
    assert set(modes.values()) == {0o700, 0o600}
    assert all(
        (mode == 0o700) == (desk.data / name).is_dir() for name, mode in modes.items() if name in ("documents", "mail")
    )
    assert modes["simpul.db"] == modes["secret"] == modes[KEY] == 0o600
    assert (desk.data / "documents" / KEY[-2:] / KEY).read_bytes() == b"%PDF-1.7"
    assert not (desk.data / ".restoring").exists()
    assert desk.simpul("events", "tail", "--json").stdout.count("\n") == 1


def test_a_backup_generation_made_of_hard_links_is_restored_as_files_of_its_own(desk: Desk, backup: Path):
    generation = desk.folder / "generation"
    shutil.copytree(backup, generation, copy_function=os.link)
    (generation / "simpul.db-shm").write_bytes(bytes(32_768))
    (generation / "simpul.db-wal").touch()
    shutil.rmtree(desk.data)
    done = desk.simpul("restore", "generation")
    assert done.returncode == 0, done.stderr
    files = [path for path in desk.data.rglob("*") if path.is_file()]
    assert {KEY, QUEUED, "simpul.db", "secret"} <= {path.name for path in files}
    assert {path.stat().st_nlink for path in files} == {1}
    assert not any((desk.data / name).exists() for name in ("simpul.db-shm", "simpul.db-wal"))


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
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(backup / "calendar.json"))


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


def way_out(spoil: Callable[[Path], None]) -> str:
    if spoil in (a_database_that_is_none, a_damaged_database):
        return "another backup"
    return "wal_checkpoint" if spoil is changes_beside_the_database else "try again"


SPOILED = [
    *(a_link, a_link_to_a_folder, a_linked_secret, a_linked_database, changes_beside_the_database, a_pipe, a_socket),
    *(a_strange_name, a_strange_letter, a_strange_document, a_document_in_another_place),
    *(a_folder_in_the_place_of_a_file, a_database_that_is_none, a_damaged_database),
]


@pytest.mark.parametrize("spoil", SPOILED, ids=lambda spoil: spoil.__name__)
def test_a_backup_that_was_tampered_with_is_refused_and_nothing_is_touched(
    desk: Desk, backup: Path, spoil: Callable[[Path], None]
):
    spoil(backup)
    shutil.rmtree(desk.data)
    desk.data.mkdir()
    (desk.data / "notes.txt").write_text("tetap")
    fails_with_a_sentence(desk.simpul("restore", "copy"), "copy is", way_out(spoil))
    assert {path.name for path in desk.data.iterdir()} - {"lock"} == {"notes.txt"}


def test_a_refused_restore_leaves_present_data_as_it_is(desk: Desk, backup: Path):
    before = {path: path.read_bytes() for path in desk.data.rglob("*") if path.is_file()}
    fails_with_a_sentence(desk.simpul("restore", "copy"), "holds data already")
    assert {path: path.read_bytes() for path in desk.data.rglob("*") if path.is_file()} == before


def test_a_data_folder_whose_database_is_a_link_is_not_empty(desk: Desk):
    shutil.rmtree(desk.data)
    desk.data.mkdir()
    (desk.data / "simpul.db").symlink_to(desk.folder / "nowhere")
    fails_with_a_sentence(desk.simpul("restore", "copy"), "holds data already")
    assert not (desk.folder / "nowhere").exists()


def test_a_restore_goes_on_after_one_that_was_killed(desk: Desk):
    shutil.rmtree(desk.data)
    (desk.data / ".restoring" / "documents").mkdir(parents=True)
    (desk.data / ".restoring" / "simpul.db").write_bytes(b"half")
    assert desk.simpul("restore", "copy").returncode == 0
    assert desk.simpul("events", "tail", "--json").returncode == 0


def test_a_damaged_database_has_no_backup_and_is_not_clean(desk: Desk):
    overwrite_middle(desk.data / "simpul.db")
    fails_with_a_sentence(desk.simpul("backup", "again"))
    assert [path.name for path in desk.folder.iterdir() if path.name.startswith("again")] == []
    fails_with_a_sentence(desk.simpul("events", "verify"))


@pytest.mark.parametrize("name", ["log_by_key", "intake_documents"])
def test_a_damaged_table_that_few_commands_read_is_found_by_all_that_must_know(desk: Desk, name: str):
    overwrite(desk.data / "simpul.db", root_of(desk.data / "simpul.db", name))
    fails_with_a_sentence(desk.simpul("backup", "again"))
    assert not (desk.folder / "again").exists()
    fails_with_a_sentence(desk.simpul("events", "verify"))


def test_services_on_a_damaged_database_are_not_ready(desk: Desk):
    overwrite(desk.data / "simpul.db", root_of(desk.data / "simpul.db", "intake_documents_by_number"))
    port = free_port()
    with desk.running("up", port=str(port)):
        serves(port)
        ready = httpx.get(f"http://127.0.0.1:{port}/health/ready")
        assert (ready.status_code, ready.json()["parts"]["state"]) == (503, "down")


def test_a_sweep_by_hand_says_what_it_did_or_why_not(desk: Desk):
    orphan = desk.data / "documents" / "zz" / "document-zz"
    orphan.parent.mkdir()
    orphan.write_bytes(b"%PDF-1.7")
    for path in (desk.data / "documents").rglob("*-*"):
        os.utime(path, times=(0, 0))
    assert desk.simpul("documents", "sweep", "--dry-run").stdout == "1 documents would be removed.\n"
    file = SqliteFile(desk.data / "simpul.db")
    file.write_now(lambda db: db.execute("INSERT INTO log (key, value) VALUES ('t', x'ff')"))
    file.close()
    fails_with_a_sentence(desk.simpul("documents", "sweep"), "Nothing was removed", "events verify")
    assert orphan.exists()
    file = SqliteFile(desk.data / "simpul.db")
    file.write_now(lambda db: db.execute("DELETE FROM log WHERE key = 't'"))
    file.close()
    swept = json.loads(desk.simpul("documents", "sweep", "--json").stdout)
    assert swept == {"orphans": 1, "unfinished": 0, "removed": True}
    assert {path.name for path in (desk.data / "documents").rglob("*-*")} == {KEY, QUEUED}
