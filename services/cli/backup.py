"""`simpul backup` and `simpul restore`: everything that the embedded mode keeps, as one folder."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from services.cli.session import Failed, console, platform, run, settings_in_force
from shared.documents.audit import named_documents
from shared.documents.folder import FolderDocumentStore
from shared.folder_lock import FolderInUse, hold
from shared.platform import Platform
from shared.settings import Settings

Folder = Annotated[Path, typer.Argument(help="A folder that does not exist yet, or is empty.")]
PARTS = ("simpul.db", "secret", "calendar.json", "documents", "mail")


def backup(folder: Folder) -> None:
    """Copy the database, documents, e-mails and the secret to a folder, while the services run."""
    if folder.exists() and any(folder.iterdir()):
        raise Failed(f"{folder} is not empty.")
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    count = run(lambda: _backup(unfinished))
    if folder.exists():
        folder.rmdir()
    unfinished.rename(folder)
    console.print(
        f"Backed up to {folder}, with {count} documents. It holds personal data and the secret: keep it safe."
    )


async def _backup(folder: Path) -> int:
    """The database first: every document that it names is there already, and documents never change."""
    async with platform() as opened:
        await asyncio.to_thread(opened.file.backup_to, folder / "simpul.db")
        _copy_small_parts(opened.settings, folder)
        return await _copy_documents(opened, folder)


def _copy_small_parts(settings: Settings, folder: Path) -> None:
    shutil.copy2(settings.secret_path, folder / "secret")
    if (settings.data / "calendar.json").exists():
        shutil.copy2(settings.data / "calendar.json", folder / "calendar.json")
    if settings.mail.exists():
        shutil.copytree(settings.mail, folder / "mail", ignore=shutil.ignore_patterns(".*", "*.tmp"))


async def _copy_documents(opened: Platform, folder: Path) -> int:
    source, target = (FolderDocumentStore(f, opened.new_id) for f in (opened.settings.documents, folder / "documents"))
    count = 0
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("documents", total=None)
        async for document in named_documents(opened.log):
            copy = target.path_of(document.key)
            copy.parent.mkdir(parents=True, exist_ok=True)
            await asyncio.to_thread(shutil.copy2, source.path_of(document.key), copy)
            progress.advance(task)
            count += 1
    return count


def restore(folder: Annotated[Path, typer.Argument(help="A folder that `simpul backup` made.")]) -> None:
    """Put a backup in place of an empty data folder; refused while the services run."""
    settings = settings_in_force()
    if not (folder / "simpul.db").is_file():
        raise Failed(f"{folder} is no backup: there is no simpul.db in it.")
    settings.data.mkdir(parents=True, exist_ok=True)
    try:
        with hold(settings.data):
            _restore(folder, settings)
    except FolderInUse as error:
        raise Failed(f"The services are running on {settings.data}. Stop them first.") from error
    console.print(f"Restored to {settings.data}. Check it with: simpul events verify")


def _restore(folder: Path, settings: Settings) -> None:
    present = [part for part in PARTS if (settings.data / part).exists()]
    if present:
        raise Failed(f"{settings.data} holds data already ({', '.join(present)}). Move it away first.")
    for part in PARTS[1:]:
        source, target = folder / part, settings.secret_path if part == "secret" else settings.data / part
        if source.is_dir():
            shutil.copytree(source, target)
        elif source.is_file() and not target.exists():
            shutil.copy2(source, target)
    shutil.copy2(folder / "simpul.db", settings.data / "simpul.db")
