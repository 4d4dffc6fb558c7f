"""`simpul backup` and `simpul restore`: everything that is kept, as one folder, which is the same whatever the mode."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.session import Failed, bars, console, platform, run, settings_in_force, usable
from shared.documents.audit import named_documents
from shared.folder_lock import FolderInUse, hold
from shared.settings import Settings
from shared.storage.sqlite_file import SqliteFile

if TYPE_CHECKING:
    from shared.platform import Platform

Folder = Annotated[Path, typer.Argument(help="A folder that does not exist yet, or is empty.", metavar="DIR")]
Backup = Annotated[Path, typer.Argument(help="A folder that `simpul backup` made.", metavar="DIR")]
SHOWN = 20
PARTS = ("simpul.db", "secret", "calendar.json", "documents", "mail")
BELONGS_TO_ANOTHER = ("simpul.db-wal", "simpul.db-shm")
"""Left by a database that is gone; SQLite would read the first into the restored one."""
SQLITE = b"SQLite format 3\0"


def backup(folder: Folder) -> None:
    """Copy events, states, documents, accounts, e-mail files and the secret to a folder, while the services run.

    A backup of either mode is restored in either mode.
    """
    folder = folder.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Failed(f"{folder} is not an empty folder.")
    unfinished = folder.with_name(folder.name + ".unfinished")
    count, findings = _engines().backup(unfinished) if settings_in_force().distributed else _of_folder(unfinished)
    if folder.exists():
        folder.rmdir()
    unfinished.rename(folder)
    console.print(
        f"Backed up to {folder}, with {count} documents. It holds personal data and the secret: keep it safe.",
        soft_wrap=True,
    )
    if findings:
        raise Failed("\n".join((*findings[:SHOWN], "See `simpul events verify`.")))


def _engines() -> ModuleType:
    # The drivers of the distributed mode take a second to import.
    from services.cli import backup_of_engines

    return backup_of_engines


def _of_folder(unfinished: Path) -> tuple[int, list[str]]:
    count, missing = run(lambda: _backup(unfinished))
    return count, [f"{missing} documents that the log names were not there to copy."] if missing else []


async def _backup(folder: Path) -> tuple[int, int]:
    """The database first: every document that it names is there already, and documents never change."""
    async with platform() as opened:
        await asyncio.to_thread(_copy_database, opened, folder)
        _copy_small_parts(opened.settings, folder)
        return await _copy_documents(opened, folder)


def _copy_database(opened: Platform, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    file = SqliteFile(opened.settings.database)
    try:
        file.backup_to(folder / "simpul.db")
    finally:
        file.close()
    (folder / "simpul.db").chmod(0o600)


def _copy_small_parts(settings: Settings, folder: Path) -> None:
    from shared.mail.folder import UNFINISHED

    shutil.copy2(settings.secret_path, folder / "secret")
    if (settings.data / "calendar.json").exists():
        shutil.copy2(settings.data / "calendar.json", folder / "calendar.json")
    if settings.mail.exists():
        shutil.copytree(settings.mail, folder / "mail", ignore=shutil.ignore_patterns(f"*{UNFINISHED}"))


async def _copy_documents(opened: Platform, folder: Path) -> tuple[int, int]:
    """How many were copied, and how many were not there."""
    from shared.documents.folder import FolderDocumentStore

    source, target = (FolderDocumentStore(f, opened.new_id) for f in (opened.settings.documents, folder / "documents"))
    count = missing = 0
    with bars() as progress:
        task = progress.add_task("documents", total=None)
        async for document in named_documents(opened.log):
            if not source.path_of(document.key).exists():
                missing += 1
                continue
            copy = target.path_of(document.key)
            copy.parent.mkdir(parents=True, exist_ok=True)
            await asyncio.to_thread(shutil.copy2, source.path_of(document.key), copy)
            progress.advance(task)
            count += 1
    return count, missing


def restore(folder: Backup) -> None:
    """Put a backup in place of an empty data folder, or into empty engines; refused while the services run."""
    settings = settings_in_force()
    database = folder / "simpul.db"
    if not database.is_file():
        raise Failed(f"{folder} is no backup: there is no simpul.db in it.")
    with database.open("rb") as file:
        if file.read(len(SQLITE)) != SQLITE:
            raise Failed(f"{folder} is no backup: its simpul.db is no database.")
    if settings.distributed:
        _restore_secret(folder / "secret", settings)
        _engines().restore(folder)
        console.print("Restored to Kafka, MongoDB and MinIO. Check it with: simpul events verify", soft_wrap=True)
        return
    try:
        with hold(usable(settings.data)):
            _restore(folder, settings)
    except FolderInUse as error:
        raise Failed(
            f"Simpul is running on {settings.data}, the services or another command. Stop it first."
        ) from error
    console.print(f"Restored to {settings.data}. Check it with: simpul events verify", soft_wrap=True)


def _restore(folder: Path, settings: Settings) -> None:
    """The database last, so that a restore that was cut short is not taken for a whole one."""
    present = [part for part in (*PARTS, *BELONGS_TO_ANOTHER) if (settings.data / part).exists()]
    if present:
        raise Failed(f"{settings.data} holds data already ({', '.join(present)}). Move it away first.")
    _restore_secret(folder / "secret", settings)
    for part in PARTS[2:]:
        if (folder / part).is_dir():
            shutil.copytree(folder / part, settings.data / part)
        elif (folder / part).is_file():
            shutil.copy2(folder / part, settings.data / part)
    copy = settings.data / "simpul.db.unfinished"
    shutil.copyfile(folder / "simpul.db", copy)
    copy.chmod(0o600)
    copy.rename(settings.data / "simpul.db")


def _restore_secret(source: Path, settings: Settings) -> None:
    if (given := settings.secret.get_secret_value()) and source.exists() and given != source.read_text().strip():
        raise Failed("SIMPUL_SECRET is another secret than the backup's, so its tracking links would not work.")
    target = settings.secret_path
    if target.exists() and source.exists() and target.read_bytes().strip() != source.read_bytes().strip():
        raise Failed(f"{target} holds another secret than the backup, so its tracking links would not work.")
    if source.exists() and not target.exists() and not given:
        target.touch(mode=0o600)
        shutil.copyfile(source, target)
