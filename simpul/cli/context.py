"""What every command needs: settings, an open platform, and ways to print for people and for programs."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from shared import interrupts
from shared.backends.folder_lock import FolderInUse, lock_shared
from shared.configuration_warnings import configuration_warnings
from shared.settings import Settings, load_settings
from simpul.cli.errors import Failed as Failed
from simpul.cli.errors import OutputClosed

if TYPE_CHECKING:
    from shared.backends.platform import Platform
    from shared.runtime.service_runtime import ServiceApp

Result = TypeVar("Result")


class PlainConsole(Console):
    """A console that takes text as it is, and says when nobody reads on."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, highlight=False, emoji=False)

    def on_broken_pipe(self) -> None:
        raise OutputClosed


console = PlainConsole()
errors = PlainConsole(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@functools.cache
def current_settings() -> Settings:
    """The settings; warnings about them are printed once, on standard error."""
    settings = load_settings()
    for warning in configuration_warnings(settings):
        errors.print(f"Warning: {warning}", style="yellow", soft_wrap=True)
    return settings


def ensure_data_folder(folder: Path) -> Path:
    """The data folder, made if it is not there. Raises Failed."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise Failed(f"SIMPUL_DATA: {folder} cannot be used as the folder of data: {error.strerror}.") from error
    return folder


@contextlib.contextmanager
def data_folder_lock(settings: Settings, *names: str) -> Iterator[None]:
    """Have a part in the data folder, and these services of it alone; in distributed mode there is none, and any number may
    serve each. Raises Failed if somebody else has them.
    """
    if settings.distributed:
        yield
        return
    try:
        with lock_shared(ensure_data_folder(settings.data), *names):
            yield
    except FolderInUse as error:
        if error.name:
            raise Failed(f"Another process serves {error.name} on {settings.data} already.") from error
        raise Failed(f"{settings.data} is being restored; try again when that is done.") from error


@contextlib.asynccontextmanager
async def platform(*, fresh: bool = False) -> AsyncIterator[Platform]:
    """The platform of the settings in force, prepared, and closed at the end. `fresh`: it may be made by this."""
    from shared.backends.platform import open_platform

    settings = current_settings()
    if not fresh and not settings.distributed and not settings.database.exists():
        raise Failed(f"There is no data in {settings.data.resolve()} yet (SIMPUL_DATA). `simpul up` makes it.")
    with data_folder_lock(settings):
        opened = open_platform(settings)
        try:
            await opened.prepare()
            yield opened
        finally:
            await opened.close()


@contextlib.asynccontextmanager
async def services(*names: str, fresh: bool = False) -> AsyncIterator[tuple[Platform, dict[str, ServiceApp]]]:
    """The platform with these services (all, if none is named) built and prepared but not started: nothing else moves."""
    async with platform(fresh=fresh) as opened:
        from simpul.registry import BUILDERS, build  # takes most of a second, and many commands do without

        built = {service.name: service for service in build(opened, names or tuple(BUILDERS))}
        for service in built.values():
            await service.runtime.prepare()
        yield opened, built


def run(work: Callable[[], Awaitable[Result]]) -> Result:
    """Run a command's coroutine to its end. Raises Interrupted, also where something on the way swallowed the cancellation."""

    async def main() -> Result:
        with interrupts.cancel_on_interrupt(_canceller(asyncio.get_running_loop(), asyncio.current_task())):
            return await work()

    # A command says itself what went wrong; the log of what it called would say it twice, and with a traceback.
    logging.getLogger().addHandler(logging.NullHandler())
    return asyncio.run(main())


def _canceller(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any] | None) -> Callable[[], None]:
    """For a signal handler, which may come while the loop waits for its sockets."""

    def cancel() -> None:
        if task is not None:
            loop.call_soon_threadsafe(task.cancel)

    return cancel


def print_line(text: str) -> None:
    """Print text for a program: as it is, at once."""
    try:
        print(text, flush=True)
    except BrokenPipeError as error:
        raise OutputClosed from error


def print_json(value: Any) -> None:
    print_line(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def progress_bars() -> Progress:
    """Progress bars for who watches; nothing where nobody does."""
    return Progress(console=errors, transient=True, disable=not errors.is_terminal)


def make_table(*titles: str, rows: Sequence[Sequence[str]], no_wrap_columns: Sequence[int] = (0,)) -> Table:
    """A table that cuts nothing off: the columns in `whole` stay on one line, the others are folded where they must."""
    table = Table()
    for column, title in enumerate(titles):
        table.add_column(title, overflow="fold", no_wrap=column in no_wrap_columns)
    for row in rows:
        table.add_row(*row)
    return table
