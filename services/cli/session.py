"""What every command needs: settings, an open platform, a way to print for people or for programs, and honest endings."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

from services.wiring import build
from shared.platform import Platform, open_platform
from shared.runtime.service import Service
from shared.settings import Settings, load_settings

Result = TypeVar("Result")

console = Console()
errors = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


class Failed(Exception):
    """The command could not do it; the text says why. Exit status 1."""


def settings_in_force() -> Settings:
    return load_settings()


@contextlib.asynccontextmanager
async def platform() -> AsyncIterator[Platform]:
    """The platform of the settings in force, prepared, and closed at the end."""
    opened = open_platform(settings_in_force())
    try:
        await opened.prepare()
        yield opened
    finally:
        await opened.close()


@contextlib.asynccontextmanager
async def services() -> AsyncIterator[tuple[Platform, dict[str, Service]]]:
    """The platform with every service built and prepared but not started: nothing moves but what the command does."""
    async with platform() as opened:
        built = {service.name: service for service in build(opened)}
        for service in built.values():
            await service.runtime.prepare()
        yield opened, built


def run(work: Callable[[], Awaitable[Result]]) -> Result:
    """Run a command's coroutine to its end."""

    async def main() -> Result:
        return await work()

    return asyncio.run(main())


def print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))
