"""A backup of Kafka, MongoDB and the S3 server in the layout of a data folder, and any backup put into them."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from services.cli import backup_folder
from services.cli.backup import refuse_damage, restore_secret
from services.cli.backup_folder import CALENDAR, DATABASE, DOCUMENTS, SECRET
from services.cli.move import carried, progress, stepping, tell_of_days_off
from services.cli.session import Failed, run, settings_in_force
from services.cli.transfer import Told, Transfer
from shared.embedded import open_half
from shared.platform import Platform, open_platform
from shared.settings import Settings, load_secret, load_settings


def backup(folder: Path) -> tuple[int, list[str]]:
    """Make the folder anew; how many documents it holds, and what is not right with it. Services may run meanwhile."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    told = run(lambda: _backup(settings_in_force(), folder))
    return told.documents.copied, told.trouble


async def _backup(settings: Settings, folder: Path) -> Told:
    _write_secret(load_secret(settings), folder / SECRET)
    if (settings.data / CALENDAR).exists():
        backup_folder.keep(settings.data / CALENDAR, folder, PurePosixPath(CALENDAR), linked=True)
    async with _engines_and(folder, settings) as (source, target):
        with progress() as bars:
            return await Transfer(source, target, stepping(bars), live=True).run()


def _write_secret(secret: bytes, path: Path) -> None:
    path.touch(mode=0o600)
    path.write_bytes(secret)


@contextlib.asynccontextmanager
async def _engines_and(folder: Path, settings: Settings) -> AsyncIterator[tuple[Platform, Platform]]:
    """The platform in force, and the same one on this folder."""
    source = open_platform(settings)
    try:
        half = open_half(load_settings(mode="embedded", data=folder, secret=""), source.clock, source.new_id)
        try:
            yield source, replace(source, half=half)
        finally:
            await half.close()
    finally:
        await source.close()


def restore(folder: Path, settings: Settings) -> None:
    """Put a backup into the engines, which must be empty or hold a part of it. Raises Failed.

    The database is read from a copy: what was on its way when the backup was made is finished there, not in the backup.
    """
    with tempfile.TemporaryDirectory(prefix="simpul-restore-") as place:
        data = Path(place)
        backup_folder.copy(folder, data, DATABASE, SECRET, CALENDAR)
        refuse_damage(folder, data)
        restore_secret(data, settings)
        if (folder / DOCUMENTS).exists():
            (data / DOCUMENTS).symlink_to(folder / DOCUMENTS)
        told = carried(load_settings(mode="embedded", data=data, secret="", secret_file=None))
    if told.trouble:
        raise Failed(
            "\n".join((*told.trouble[:20], f"Not everything could be restored: {len(told.trouble)} findings."))
        )
    tell_of_days_off(folder)
