"""Backups of Kafka, MongoDB and the S3 server in the layout of a data folder, and the restore of any backup to them."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path, PurePosixPath

from shared.backends.embedded import open_backend
from shared.secrets import load_secret
from shared.settings import Settings, load_settings
from simpul.cli import backup_folder
from simpul.cli.backup import check_integrity, restore_secret
from simpul.cli.backup_folder import CALENDAR, DATABASE, DOCUMENTS, SECRET
from simpul.cli.console import counting_progress_bars
from simpul.cli.context import current_settings, run
from simpul.cli.errors import Failed
from simpul.cli.move import MAX_SHOWN_FINDINGS, print_calendar_hint, progress_reporter, run_transfer, source_and_target
from simpul.cli.transfer import Transfer, TransferReport


def backup(folder: Path) -> tuple[int, list[str]]:
    """Back up into a new folder while the services may run; return the number of documents and the findings."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    report = run(lambda: _copy_engines(current_settings(), folder))
    return report.documents.copied, report.trouble


async def _copy_engines(settings: Settings, folder: Path) -> TransferReport:
    _write_secret(load_secret(settings), folder / SECRET)
    if (settings.data / CALENDAR).exists():
        backup_folder.copy_file(settings.data / CALENDAR, folder, PurePosixPath(CALENDAR), linked=True)
    target_settings = load_settings(mode="embedded", data=folder, secret="")
    async with source_and_target(settings, target_settings, open_backend) as (source, target):
        with counting_progress_bars(only_on_terminal=True) as bars:
            return await Transfer(source, target, progress_reporter(bars), live=True).run()


def _write_secret(secret: bytes, path: Path) -> None:
    path.touch(mode=0o600)
    path.write_bytes(secret)


def restore(folder: Path, settings: Settings) -> None:
    """Copy a backup to the engines, which must be empty or contain a part of it. Raises Failed.

    The database is copied first, because events that were pending when the backup was made are folded in the copy.
    """
    with tempfile.TemporaryDirectory(prefix="simpul-restore-") as folder_name:
        data = Path(folder_name)
        backup_folder.copy_parts(folder, data, DATABASE, SECRET, CALENDAR)
        check_integrity(folder, data)
        restore_secret(data, settings)
        if (folder / DOCUMENTS).exists():
            (data / DOCUMENTS).symlink_to(folder / DOCUMENTS)
        report = run_transfer(load_settings(mode="embedded", data=data, secret="", secret_file=None))
    if report.trouble:
        findings = f"Not everything could be restored: {len(report.trouble)} findings."
        raise Failed("\n".join((*report.trouble[:MAX_SHOWN_FINDINGS], findings)))
    print_calendar_hint(folder)
