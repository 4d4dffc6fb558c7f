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

from services.cli.session import AsJson, Failed, console, errors, print_json, run, table_of
from shared.eventlog.copying import HoldsSomethingElse
from shared.folder_lock import FolderInUse, hold
from shared.interrupts import Interrupted
from shared.settings import Settings, load_settings, read_secret

if TYPE_CHECKING:
    from services.cli.transfer import Step, Told
    from shared.platform import Platform

SHOWN = 20


class Where(StrEnum):
    DISTRIBUTED = "distributed"


def move(
    to: Annotated[
        Where, typer.Option("--to", help="Where: to the engines of SIMPUL_KAFKA, SIMPUL_MONGO, SIMPUL_MINIO.")
    ],
    as_json: AsJson = False,
) -> None:
    """Carry the folder SIMPUL_DATA to Kafka, MongoDB and MinIO: events, documents, accounts, states, dead letters.

    The services must not run. May be stopped, and run again: it goes on where it was. The folder stays as it is.
    """
    settings = embedded_settings()
    with alone(settings):
        told = carried(settings)
    print_json({**told.plain(), "secret": str(settings.secret_path.resolve())}) if as_json else show(told)
    if told.trouble:
        raise Failed(f"Not everything is there as it was: {len(told.trouble)} findings.")
    if not as_json:
        console.print(
            f"Moved. The secret stays the same: SIMPUL_SECRET_FILE={settings.secret_path.resolve()}\n"
            "Start the services with SIMPUL_MODE=distributed, and this folder no more: the two would live on apart.",
            soft_wrap=True,
        )
        tell_of_days_off(settings.data)


def tell_of_days_off(folder: Path) -> None:
    """No engine holds them: say where each service looks for the file, if this folder has one."""
    if (file := folder / "calendar.json").exists():
        console.print(
            f"Days off stay a file: put {file.resolve()} into SIMPUL_DATA of every service (containers: deploy/).",
            soft_wrap=True,
        )


def carried(settings: Settings) -> Told:
    """What came of carrying this folder to the engines. Raises Failed."""
    try:
        return run(lambda: _carried(settings))
    except HoldsSomethingElse as error:
        raise Failed(f"The engines hold something else already, and nothing was changed: {error}.") from error
    except Interrupted:
        errors.print("Stopped. The same command goes on where this one was.", soft_wrap=True)
        raise


def embedded_settings() -> Settings:
    """The settings in force, whatever the mode, with engines to go to. Raises Failed, BadSettings."""
    settings = load_settings(mode="embedded", secret="")
    given = {"KAFKA": settings.kafka, "MONGO": settings.mongo, "MINIO": settings.minio}
    lacking = [
        f"SIMPUL_{name}"
        for name, value in given.items()
        if not (value.get_secret_value() if isinstance(value, SecretStr) else value)
    ]
    if lacking:
        raise Failed(f"{', '.join(lacking)} must say where to move to.")
    if not settings.database.exists():
        raise Failed(f"There is no data in {settings.data.resolve()} (SIMPUL_DATA).")
    _same_secret(settings)
    return settings


def _same_secret(settings: Settings) -> None:
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
def alone(settings: Settings) -> Iterator[None]:
    """Have the folder alone. Raises Failed if anybody else uses it."""
    try:
        with hold(settings.data):
            yield
    except FolderInUse as error:
        raise Failed(
            f"Simpul is running on {settings.data}, the services or another command. Stop it first."
        ) from error


async def _carried(settings: Settings) -> Told:
    from services.cli.transfer import Transfer

    async with both(settings) as (source, target):
        with progress() as bars:
            return await Transfer(source, target, stepping(bars)).run()


@contextlib.asynccontextmanager
async def both(settings: Settings) -> AsyncIterator[tuple[Platform, Platform]]:
    """The platform on the folder, and the same one on the engines."""
    from shared.distributed import open_half
    from shared.platform import open_platform

    source = open_platform(settings)
    try:
        half = open_half(settings, source.clock, source.new_id)
        try:
            yield source, replace(source, half=half)
        finally:
            await half.close()
    finally:
        await source.close()


def progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=errors, disable=not errors.is_terminal)


def stepping(bars: Progress) -> Step:
    """Each step a bar of its own."""

    def step(name: str, total: int | None) -> Callable[[int], None]:
        task = bars.add_task(name, total=total)
        return lambda count: bars.advance(task, count)

    return step


def show(told: Told) -> None:
    """For people."""
    console.print(
        f"{told.events} events ({told.events_present} were there, {told.repeats_left_out} repeats left out), "
        f"{told.documents.copied + told.documents.present} documents ({told.documents.present} were there), "
        f"{told.accounts} accounts, in {told.seconds:.0f} s.",
        soft_wrap=True,
    )
    titles = ("service", "requests", "as before", "parked", "discarded", "findings")
    console.print(table_of(*titles, rows=[_row(told, place) for place in range(len(told.services))]))
    for line in told.trouble[:SHOWN]:
        console.print(line, style="red", soft_wrap=True)
    if len(told.trouble) > SHOWN:
        console.print(f"... and {len(told.trouble) - SHOWN} more; --json lists all of them.")


def _row(told: Told, place: int) -> Sequence[str]:
    one = told.services[place]
    return one.service, *map(str, (one.requests, one.equal, one.parked, one.discarded, len(one.trouble)))
