"""`simpul up` and `simpul serve`: run the services in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.panel import Panel
from rich.table import Table

from services.application import make_application
from services.cli.session import Failed, console, settings_in_force
from services.wiring import BUILDERS
from shared.folder_lock import FolderInUse, hold
from shared.identity.accounts import Role
from shared.identity.passwords import make_password
from shared.observability import configure_logging
from shared.platform import Platform, open_platform
from shared.web.server import run_server

FIRST_STAFF = {
    Role.OFFICER: ("petugas", "Petugas Layanan"),
    Role.STRUCTURAL: ("kepala", "Kepala Bidang"),
    Role.TECHNICAL: ("teknis", "Penanggung Jawab Teknis"),
    Role.ADMIN: ("admin", "Administrator"),
}


def up() -> None:
    """Run all services in this process, on one folder of data."""
    _serve(tuple(BUILDERS))


def serve(service: Annotated[str, typer.Argument(help=f"One of {', '.join(BUILDERS)}.")]) -> None:
    """Run one service in this process. In embedded mode it has the data folder to itself; the others wait for theirs."""
    if service not in BUILDERS:
        raise typer.BadParameter(f"There is no service {service}; there are {', '.join(BUILDERS)}.")
    _serve((service,))


def _serve(names: Sequence[str]) -> None:
    settings = settings_in_force()
    settings.data.mkdir(parents=True, exist_ok=True)
    try:
        with hold(settings.data):
            platform = open_platform(settings)
            asyncio.run(_greet(platform))
            configure_logging(settings.log_level)
            run_server(make_application(platform, names), settings)
    except FolderInUse as error:
        raise Failed(f"Another process serves {settings.data} already.") from error
    except OSError as error:
        raise Failed(f"{settings.data} or {settings.host}:{settings.port} cannot be used: {error}") from error


async def _greet(platform: Platform) -> None:
    """Say where things are; on a folder without accounts, make one per role, if only this machine can reach them."""
    await platform.prepare()
    settings = platform.settings
    if not await platform.accounts.accounts():
        if settings.local:
            console.print(Panel(await _first_staff(platform), title="Staff accounts, shown only now", expand=False))
        else:
            console.print("There are no staff accounts yet. Make the first: simpul staff add NAME --role admin ...")
    where = settings.mail if not settings.smtp.get_secret_value() else "sent by SMTP"
    console.print(f"Simpul: {settings.origin}/   API: {settings.origin}/api/docs   e-mails: {where}", soft_wrap=True)


async def _first_staff(platform: Platform) -> Table:
    table = Table("username", "password", "role", box=None)
    for role, (username, name) in FIRST_STAFF.items():
        password = make_password()
        await platform.identity.add_staff(username, name, f"{username}@simpul.example", (role,), password)
        table.add_row(username, password, role)
    return table
