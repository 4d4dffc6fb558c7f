"""`simpul backup` and `simpul restore`: all data in one folder, with the same layout in both modes."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import typer

from shared.documents.port import DocumentMissing
from shared.settings import Settings
from shared.storage.port import StateStore
from shared.storage.sqlite.connection import create_private_file, find_damage
from shared.storage.sqlite.database import SqliteDatabase
from simpul.cli import backup_folder
from simpul.cli.console import console, progress_bars
from simpul.cli.context import current_settings, ensure_data_folder, exclusive_access, prepared_services, run
from simpul.cli.errors import Failed

if TYPE_CHECKING:
    from shared.backends.platform import Platform

TargetFolder = Annotated[Path, typer.Argument(help="A folder that does not exist yet, or is empty.", metavar="DIR")]
BackupFolder = Annotated[Path, typer.Argument(help="A folder that `simpul backup` made.", metavar="DIR")]
MAX_SHOWN_FINDINGS = 20
STALE_DATABASE_FILES = ("simpul.db-wal", "simpul.db-shm")
"""Files of a removed database; SQLite would apply the first to the restored one."""
STAGING_FOLDER = ".restoring"
"""The folder in which a restore prepares everything before it moves it into place."""


def backup(folder: TargetFolder) -> None:
    """Copy events, states, documents, accounts, email files and the secret to a folder, while the services run.

    A backup of either mode is restored in either mode.
    """
    folder = folder.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Failed(f"{folder} is not an empty folder.")
    unfinished = folder.with_name(folder.name + ".unfinished")
    count, findings = (
        _distributed_backup().backup(unfinished) if current_settings().distributed else _backup_data_folder(unfinished)
    )
    if folder.exists():
        folder.rmdir()
    unfinished.rename(folder)
    console.print(
        f"Backed up to {folder}, with {count} documents. It holds personal data and the secret: keep it safe.",
        soft_wrap=True,
    )
    if findings:
        raise Failed("\n".join((*findings[:MAX_SHOWN_FINDINGS], "See `simpul events verify`.")))


def _distributed_backup() -> ModuleType:
    # The drivers of the distributed mode take a second to import.
    from simpul.cli import distributed_backup

    return distributed_backup


def _backup_data_folder(unfinished: Path) -> tuple[int, list[str]]:
    count, missing = run(lambda: _copy_everything(unfinished))
    return count, [f"{missing} documents that the log names were not there to copy."] if missing else []


async def _copy_everything(folder: Path) -> tuple[int, int]:
    """Copy the database first: every document that it names exists by then, and documents never change."""
    async with prepared_services() as (platform, services):
        await asyncio.to_thread(_copy_database, platform.settings, folder)
        await asyncio.to_thread(_copy_small_files, platform.settings, folder)
        return await _copy_documents(platform, [service.runtime.store for service in services.values()], folder)


def _copy_database(settings: Settings, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    folder.chmod(0o700)
    copy = folder / backup_folder.DATABASE
    create_private_file(copy)
    file = SqliteDatabase(settings.database)
    try:
        file.backup_to(copy)
    finally:
        file.close()
    if damage := find_damage(copy):
        shutil.rmtree(folder, ignore_errors=True)
        raise Failed(f"{settings.database} is damaged, so no backup was made; restore an earlier one: {damage[0]}.")


def _copy_small_files(settings: Settings, folder: Path) -> None:
    from shared.mail.folder import PARTIAL_SUFFIX

    secret, calendar = PurePosixPath(backup_folder.SECRET), PurePosixPath(backup_folder.CALENDAR)
    backup_folder.copy_file(settings.secret_path, folder, secret, linked=True)
    if (settings.data / calendar).exists():
        backup_folder.copy_file(settings.data / calendar, folder, calendar, linked=True)
    for email_file in settings.mail.glob("*.eml") if settings.mail.exists() else ():
        if email_file.suffix != PARTIAL_SUFFIX:
            backup_folder.copy_file(email_file, folder, PurePosixPath(backup_folder.MAIL, email_file.name))


async def _copy_documents(platform: Platform, stores: Sequence[StateStore], folder: Path) -> tuple[int, int]:
    """Copy the documents; return how many were copied, and how many that events name are missing."""
    from shared.documents.folder import FolderDocumentStore
    from shared.documents.references import documents_to_copy

    source = FolderDocumentStore(platform.settings.documents, platform.new_id)
    documents = await documents_to_copy(platform.log, source, stores, await platform.log.end())
    count = missing = 0
    with progress_bars() as progress:
        for document in progress.track(documents, description="documents"):
            try:
                path = source.path_of(document.key)
                name = PurePosixPath(backup_folder.DOCUMENTS, path.parent.name, path.name)
                await asyncio.to_thread(backup_folder.copy_file, path, folder, name)
                count += 1
            except (FileNotFoundError, DocumentMissing):
                missing += document.sha256 != ""
    return count, missing


def restore(folder: BackupFolder) -> None:
    """Restore a backup to an empty data folder or to empty engines; refused while the services run."""
    settings = current_settings()
    folder = folder.resolve()
    backup_folder.check_layout(folder)
    if settings.distributed:
        _distributed_backup().restore(folder, settings)
        console.print("Restored to Kafka, MongoDB and MinIO. Check it with: simpul events verify", soft_wrap=True)
        return
    with exclusive_access(ensure_data_folder(settings.data)):
        _restore_data_folder(folder, settings)
    console.print(f"Restored to {settings.data}. Check it with: simpul events verify", soft_wrap=True)


def _restore_data_folder(folder: Path, settings: Settings) -> None:
    """Prepare everything in a staging folder and move the database last, so that an interrupted restore leaves none."""
    present = [part for part in (*backup_folder.PARTS, *STALE_DATABASE_FILES) if os.path.lexists(settings.data / part)]
    if present:
        raise Failed(f"{settings.data} holds data already ({', '.join(present)}). Move it away first.")
    _check_secret(folder, settings)
    staging = settings.data / STAGING_FOLDER
    shutil.rmtree(staging, ignore_errors=True)
    try:
        staging.mkdir()
        staging.chmod(0o700)
        backup_folder.copy_parts(folder, staging, *backup_folder.PARTS)
        check_integrity(folder, staging)
        _move_into_place(staging, settings)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def check_integrity(folder: Path, copied: Path) -> None:
    """Check the database that was copied from this backup. Raises Failed if it is damaged."""
    if damage := find_damage(copied / backup_folder.DATABASE):
        raise Failed(f"{folder} is refused, its database is damaged: {damage[0]}. Restore another backup.")


def _move_into_place(staging: Path, settings: Settings) -> None:
    restore_secret(staging, settings)
    for part in (backup_folder.DOCUMENTS, backup_folder.MAIL, backup_folder.CALENDAR, backup_folder.DATABASE):
        if (staging / part).exists():
            (staging / part).rename(settings.data / part)


def restore_secret(copied: Path, settings: Settings) -> None:
    """Copy the secret of the backup to the path in the settings, unless one exists. Raises Failed if that is another."""
    _check_secret(copied, settings)
    source, target = copied / backup_folder.SECRET, settings.secret_path
    if source.exists() and not target.exists() and not settings.secret.get_secret_value():
        backup_folder.copy_file(source, target.parent, PurePosixPath(target.name))


def _check_secret(folder: Path, settings: Settings) -> None:
    source, target = folder / backup_folder.SECRET, settings.secret_path
    if not source.exists():
        return
    secret = source.read_bytes().strip()
    if (given := settings.secret.get_secret_value()) and given.encode() != secret:
        raise Failed("SIMPUL_SECRET is another secret than the backup's, so its tracking links would not work.")
    if target.exists() and target.read_bytes().strip() != secret:
        raise Failed(f"{target} holds another secret than the backup, so its tracking links would not work.")
