"""A backup of Kafka, MongoDB and the S3 server in the layout of a data folder, and any backup put into them."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from shared.backends.embedded import open_backend
from shared.backends.platform import Platform, open_platform
from shared.settings import Settings, load_secret, load_settings
from simpul.cli import backup_folder
from simpul.cli.backup import check_integrity, restore_secret
from simpul.cli.backup_folder import CALENDAR, DATABASE, DOCUMENTS, SECRET
from simpul.cli.context import Failed, current_settings, run
from simpul.cli.move import print_calendar_hint, progress, progress_reporter, run_transfer
from simpul.cli.transfer import Transfer, TransferReport


def backup(folder: Path) -> tuple[int, list[str]]:
    """Make the folder anew; how many documents it holds, and what is not right with it. Services may run meanwhile."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    report = run(lambda: _backup(current_settings(), folder))
    return report.documents.copied, report.trouble


async def _backup(settings: Settings, folder: Path) -> TransferReport:
    _write_secret(load_secret(settings), folder / SECRET)
    if (settings.data / CALENDAR).exists():
        backup_folder.copy_file(settings.data / CALENDAR, folder, PurePosixPath(CALENDAR), linked=True)
    async with _source_and_target(folder, settings) as (source, target):
        with progress() as bars:
            return await Transfer(source, target, progress_reporter(bars), live=True).run()


def _write_secret(secret: bytes, path: Path) -> None:
    path.touch(mode=0o600)
    path.write_bytes(secret)


@contextlib.asynccontextmanager
async def _source_and_target(folder: Path, settings: Settings) -> AsyncIterator[tuple[Platform, Platform]]:
    """The platform in force, and the same one on this folder."""
    source = open_platform(settings)
    try:
        half = open_backend(load_settings(mode="embedded", data=folder, secret=""), source.clock, source.new_id)
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
    with tempfile.TemporaryDirectory(prefix="simpul-restore-") as folder_name:
        data = Path(folder_name)
        backup_folder.copy(folder, data, DATABASE, SECRET, CALENDAR)
        check_integrity(folder, data)
        restore_secret(data, settings)
        if (folder / DOCUMENTS).exists():
            (data / DOCUMENTS).symlink_to(folder / DOCUMENTS)
        report = run_transfer(load_settings(mode="embedded", data=data, secret="", secret_file=None))
    if report.trouble:
        raise Failed(
            "\n".join((*report.trouble[:20], f"Not everything could be restored: {len(report.trouble)} findings."))
        )
    print_calendar_hint(folder)
