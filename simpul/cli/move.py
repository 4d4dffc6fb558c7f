"""`simpul move`: everything that the embedded folder holds, to the engines of the distributed mode."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from shared.backends.folder_lock import FolderInUse, lock_exclusively
from shared.eventlog.log_copy import TargetDiverged
from shared.interrupts import Interrupted
from shared.settings import Settings, load_settings, read_secret
from simpul.cli.context import AsJson, Failed, console, errors, make_table, print_json, run

if TYPE_CHECKING:
    from shared.backends.platform import Platform
    from simpul.cli.transfer import StartProgress, TransferReport

MAX_SHOWN_FINDINGS = 20


class MoveTarget(StrEnum):
    DISTRIBUTED = "distributed"


def move(
    to: Annotated[
        MoveTarget, typer.Option("--to", help="Where: to the engines of SIMPUL_KAFKA, SIMPUL_MONGO, SIMPUL_MINIO.")
    ],
    as_json: AsJson = False,
) -> None:
    """Carry the folder SIMPUL_DATA to Kafka, MongoDB and MinIO: events, documents, accounts, states, dead letters.

    The services must not run. May be stopped, and run again: it goes on where it was. The folder stays as it is.
    """
    settings = embedded_settings()
    with exclusive_access(settings):
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
    """No engine holds them: say where each service looks for the file, if this folder has one."""
    if (file := folder / "calendar.json").exists():
        console.print(
            f"Days off stay a file: put {file.resolve()} into SIMPUL_DATA of every service (containers: deploy/).",
            soft_wrap=True,
        )


def run_transfer(settings: Settings) -> TransferReport:
    """What came of carrying this folder to the engines. Raises Failed."""
    try:
        return run(lambda: _transfer_with_progress(settings))
    except TargetDiverged as error:
        raise Failed(f"The engines hold something else already, and nothing was changed: {error}.") from error
    except Interrupted:
        errors.print("Stopped. The same command goes on where this one was.", soft_wrap=True)
        raise


def embedded_settings() -> Settings:
    """The settings in force, whatever the mode, with engines to go to. Raises Failed, BadSettings."""
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
    """Raises Failed if the engines would be served with another secret: no tracking link would work any more."""
    own = settings.data / "secret"
    if not own.exists():
        return
    others = {"SIMPUL_SECRET": os.environ.get("SIMPUL_SECRET", "")}
    if settings.secret_file and settings.secret_file.exists():
        others["SIMPUL_SECRET_FILE"] = read_secret(settings.secret_file, "SIMPUL_SECRET_FILE")
    for name, secret in others.items():
        if secret and secret != own.read_text().strip():
            raise Failed(f"{name} is another secret than {own}, so its tracking links would not work.")


@contextlib.contextmanager
def exclusive_access(settings: Settings) -> Iterator[None]:
    """Have the folder alone. Raises Failed if anybody else uses it."""
    try:
        with lock_exclusively(settings.data):
            yield
    except FolderInUse as error:
        raise Failed(
            f"Simpul is running on {settings.data}, the services or another command. Stop it first."
        ) from error


async def _transfer_with_progress(settings: Settings) -> TransferReport:
    from simpul.cli.transfer import Transfer

    async with open_source_and_target(settings) as (source, target):
        with progress() as bars:
            return await Transfer(source, target, progress_reporter(bars)).run()


@contextlib.asynccontextmanager
async def open_source_and_target(settings: Settings) -> AsyncIterator[tuple[Platform, Platform]]:
    """The platform on the folder, and the same one on the engines."""
    from shared.backends.distributed import open_backend
    from shared.backends.platform import open_platform

    source = open_platform(settings)
    try:
        half = open_backend(settings, source.clock, source.new_id)
        try:
            yield source, replace(source, half=half)
        finally:
            await half.close()
    finally:
        await source.close()


def progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=errors, disable=not errors.is_terminal)


def progress_reporter(bars: Progress) -> StartProgress:
    """Each step a bar of its own."""

    def start_progress(name: str, total: int | None) -> Callable[[int], None]:
        task = bars.add_task(name, total=total)
        return lambda count: bars.advance(task, count)

    return start_progress


def show(report: TransferReport) -> None:
    """For people."""
    console.print(
        f"{report.events} events ({report.events_present} were there, {report.repeats_left_out} repeats left out), "
        f"{report.documents.copied + report.documents.present} documents ({report.documents.present} were there), "
        f"{report.accounts} accounts, in {report.seconds:.0f} s.",
        soft_wrap=True,
    )
    titles = ("service", "requests", "as before", "parked", "discarded", "findings")
    console.print(make_table(*titles, rows=[_row(report, index) for index in range(len(report.services))]))
    for line in report.trouble[:MAX_SHOWN_FINDINGS]:
        console.print(line, style="red", soft_wrap=True)
    if len(report.trouble) > MAX_SHOWN_FINDINGS:
        console.print(f"... and {len(report.trouble) - MAX_SHOWN_FINDINGS} more; --json lists all of them.")


def _row(report: TransferReport, index: int) -> Sequence[str]:
    one = report.services[index]
    return one.service, *map(str, (one.requests, one.equal, one.parked, one.discarded, len(one.trouble)))
