"""What commands work on: the settings, the data folder, an open platform and its services."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from shared import interrupts
from shared.backends.folder_lock import FolderInUse, lock_exclusively, lock_shared
from shared.configuration_warnings import configuration_warnings
from shared.settings import Settings, load_settings
from simpul.cli.console import error_console
from simpul.cli.errors import Failed
from simpul.registry import SERVICE_NAMES, build_services

if TYPE_CHECKING:
    from shared.backends.platform import Platform
    from shared.runtime.service_runtime import ServiceApp

Result = TypeVar("Result")


@functools.cache
def current_settings() -> Settings:
    """Load the settings and print warnings about them, once, on standard error."""
    settings = load_settings()
    for warning in configuration_warnings(settings):
        error_console.print(f"Warning: {warning}", style="yellow", soft_wrap=True)
    return settings


def ensure_data_folder(folder: Path) -> Path:
    """Create the data folder if it does not exist. Raises Failed."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise Failed(f"SIMPUL_DATA: {folder} cannot be used as the folder of data: {error.strerror}.") from error
    return folder


@contextlib.contextmanager
def data_folder_lock(settings: Settings, *service_names: str) -> Iterator[list[int]]:
    """Share the data folder with other processes, and lock these services for this one; nothing in distributed mode.

    Yields the file descriptors of the locks. Raises Failed if another process has locked the folder or one of the services.
    """
    if settings.distributed:
        yield []
        return
    try:
        with lock_shared(ensure_data_folder(settings.data), *service_names) as locks:
            yield locks
    except FolderInUse as error:
        if error.name:
            raise Failed(f"Another process serves {error.name} on {settings.data} already.") from error
        raise Failed(f"{settings.data} is being restored; try again when that is done.") from error


@contextlib.contextmanager
def exclusive_access(folder: Path) -> Iterator[None]:
    """Lock a data folder exclusively. Raises Failed if another process uses it."""
    try:
        with lock_exclusively(folder):
            yield
    except FolderInUse as error:
        raise Failed(f"Simpul is running on {folder}, the services or another command. Stop it first.") from error


@contextlib.asynccontextmanager
async def prepared_platform(*, create: bool = False) -> AsyncIterator[Platform]:
    """Open and prepare the platform of the current settings. Raises Failed if there is no data, unless `create`."""
    from shared.backends.platform import open_platform

    settings = current_settings()
    if not create and not settings.distributed and not settings.database.exists():
        raise Failed(f"There is no data in {settings.data.resolve()} yet (SIMPUL_DATA). `simpul up` makes it.")
    with data_folder_lock(settings):
        platform = open_platform(settings)
        try:
            await platform.prepare()
            yield platform
        finally:
            await platform.close()


@contextlib.asynccontextmanager
async def prepared_services(*names: str, create: bool = False) -> AsyncIterator[tuple[Platform, dict[str, ServiceApp]]]:
    """Open the platform with these services (all by default), prepared but not started: nothing runs in the background."""
    async with prepared_platform(create=create) as platform:
        services = {service.name: service for service in build_services(platform, names or SERVICE_NAMES)}
        for service in services.values():
            await service.runtime.prepare()
        yield platform, services


def run(work: Callable[[], Awaitable[Result]]) -> Result:
    """Run the coroutine of a command. Raises Interrupted, also where called code swallowed the cancellation."""

    async def main() -> Result:
        with interrupts.cancel_on_interrupt(_canceller(asyncio.get_running_loop(), asyncio.current_task())):
            return await work()

    # A command prints its error itself; logging would print it again, with a traceback.
    logging.getLogger().addHandler(logging.NullHandler())
    return asyncio.run(main())


def _canceller(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any] | None) -> Callable[[], None]:
    """Make a function that a signal handler may call while the loop waits for its sockets."""

    def cancel() -> None:
        if task is not None:
            loop.call_soon_threadsafe(task.cancel)

    return cancel
