"""`simpul move`: copy the data folder of the embedded mode to the engines of the distributed mode."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr
from rich.progress import Progress

from shared.eventlog.log_copy import TargetDiverged
from shared.interrupts import Interrupted
from shared.secrets import read_secret
from shared.settings import Settings, load_settings
from simpul.cli.arguments import AsJson
from simpul.cli.console import console, counting_progress_bars, error_console, make_table, print_json
from simpul.cli.context import exclusive_access, run
from simpul.cli.errors import Failed

if TYPE_CHECKING:
    from shared.backends.platform import Platform
    from shared.backends.port import Backend
    from shared.clock import Clock, NewId
    from simpul.cli.transfer import StartProgress, TransferReport

MAX_SHOWN_FINDINGS = 20


class MoveTarget(StrEnum):
    DISTRIBUTED = "distributed"


def move(
    _to: Annotated[
        MoveTarget, typer.Option("--to", help="Where: to the engines of SIMPUL_KAFKA, SIMPUL_MONGO, SIMPUL_MINIO.")
    ],
    as_json: AsJson = False,
) -> None:
    """Copy the folder SIMPUL_DATA to Kafka, MongoDB and MinIO: events, documents, accounts, states, dead letters.

    The services must not run. An interrupted copy continues when the command is repeated. The folder is not changed.
    """
    settings = embedded_settings()
    with exclusive_access(settings.data):
        report = run_transfer(settings)
    print_json({**report.to_dict(), "secret": str(settings.secret_path.resolve())}) if as_json else show(report)
    if report.trouble:
        raise Failed(f"Not everything is there as it was: {len(report.trouble)} findings.")
    if not as_json:
        console.print(
            f"Moved. The secret stays the same: SIMPUL_SECRET_FILE={settings.secret_path.resolve()}\n"
            "Start the services with SIMPUL_MODE=distributed, and this folder no more: the two would live on apart.",
            soft_wrap=True,
        )
        print_calendar_hint(settings.data)


def print_calendar_hint(folder: Path) -> None:
    """Say where to put the calendar of days off, which no engine stores, if this folder has one."""
    if (file := folder / "calendar.json").exists():
        console.print(
            f"Days off stay a file: put {file.resolve()} into SIMPUL_DATA of every service (containers: deploy/).",
            soft_wrap=True,
        )


def run_transfer(settings: Settings) -> TransferReport:
    """Copy this folder to the engines. Raises Failed."""
    try:
        return run(lambda: _transfer_with_progress(settings))
    except TargetDiverged as error:
        raise Failed(f"The engines hold something else already, and nothing was changed: {error}.") from error
    except Interrupted:
        error_console.print("Stopped. The same command goes on where this one was.", soft_wrap=True)
        raise


def embedded_settings() -> Settings:
    """Load the settings in embedded mode, with the addresses of the engines. Raises Failed, InvalidSettings."""
    settings = load_settings(mode="embedded", secret="")
    given = {"KAFKA": settings.kafka, "MONGO": settings.mongo, "MINIO": settings.minio}
    missing = [
        f"SIMPUL_{name}"
        for name, value in given.items()
        if not (value.get_secret_value() if isinstance(value, SecretStr) else value)
    ]
    if missing:
        raise Failed(f"{', '.join(missing)} must say where to move to.")
    if not settings.database.exists():
        raise Failed(f"There is no data in {settings.data.resolve()} (SIMPUL_DATA).")
    _check_same_secret(settings)
    return settings


def _check_same_secret(settings: Settings) -> None:
    """Refuse another secret for the distributed mode, which would invalidate all tracking links. Raises Failed."""
    own = settings.data / "secret"
    if not own.exists():
        return
    others = {"SIMPUL_SECRET": os.environ.get("SIMPUL_SECRET", "")}
    if settings.secret_file and settings.secret_file.exists():
        others["SIMPUL_SECRET_FILE"] = read_secret(settings.secret_file, "SIMPUL_SECRET_FILE")
    for name, secret in others.items():
        if secret and secret != own.read_text().strip():
            raise Failed(f"{name} is another secret than {own}, so its tracking links would not work.")


async def _transfer_with_progress(settings: Settings) -> TransferReport:
    # The drivers of the distributed mode take a second to import.
    from shared.backends.distributed import open_backend
    from simpul.cli.transfer import Transfer

    async with source_and_target(settings, settings, open_backend) as (source, target):
        with counting_progress_bars(only_on_terminal=True) as bars:
            return await Transfer(source, target, progress_reporter(bars)).run()


@contextlib.asynccontextmanager
async def source_and_target(
    settings: Settings, target_settings: Settings, open_backend: Callable[[Settings, Clock, NewId], Backend]
) -> AsyncIterator[tuple[Platform, Platform]]:
    """Open the platform of these settings, and the same platform on another backend."""
    from shared.backends.platform import open_platform

    source = open_platform(settings)
    try:
        backend = open_backend(target_settings, source.clock, source.new_id)
        try:
            yield source, replace(source, backend=backend)
        finally:
            await backend.close()
    finally:
        await source.close()


def progress_reporter(bars: Progress) -> StartProgress:
    """Show each step of a transfer as a bar of its own."""

    def start_progress(name: str, total: int | None) -> Callable[[int], None]:
        task = bars.add_task(name, total=total)
        return lambda count: bars.advance(task, count)

    return start_progress


def show(report: TransferReport) -> None:
    """Print the report for people."""
    console.print(
        f"{report.events} events ({report.events_present} were there, {report.repeats_left_out} repeats left out), "
        f"{report.documents.copied + report.documents.present} documents ({report.documents.present} were there), "
        f"{report.accounts} accounts, {report.office_entries} documents of the office, in {report.seconds:.0f} s.",
        soft_wrap=True,
    )
    titles = ("service", "requests", "as before", "parked", "discarded", "findings")
    rows = [
        (moved.service, *map(str, (moved.requests, moved.equal, moved.parked, moved.discarded, len(moved.trouble))))
        for moved in report.services
    ]
    console.print(make_table(*titles, rows=rows))
    for line in report.trouble[:MAX_SHOWN_FINDINGS]:
        console.print(line, style="red", soft_wrap=True)
    if len(report.trouble) > MAX_SHOWN_FINDINGS:
        console.print(f"... and {len(report.trouble) - MAX_SHOWN_FINDINGS} more; --json lists all of them.")
