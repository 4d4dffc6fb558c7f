"""`simpul up` and `simpul serve`: run the services in this process."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Sequence

from fastapi import FastAPI
from rich.panel import Panel
from rich.table import Table

from shared import interrupts
from shared.backends.platform import Platform, open_platform
from shared.identity.accounts import Role
from shared.identity.passwords import generate_password
from shared.observability.logging import configure_logging
from shared.settings import Settings
from shared.web.http.server import listen, run_server
from shared.web.views.navigation import HOME, MAIL_VIEWER, SIGN_IN
from simpul.app import create_application
from simpul.cli.arguments import ServiceName
from simpul.cli.console import console
from simpul.cli.context import current_settings, data_folder_lock, run
from simpul.cli.errors import Failed
from simpul.registry import BUILDERS

INITIAL_STAFF = {
    Role.OFFICER: ("petugas", "Petugas Layanan"),
    Role.STRUCTURAL: ("kepala", "Kepala Bidang"),
    Role.TECHNICAL: ("teknis", "Penanggung Jawab Teknis"),
    Role.ADMIN: ("admin", "Administrator"),
}


def up() -> None:
    """Run all services in this process, on one data folder."""
    _serve_services(tuple(BUILDERS))


def serve(service: ServiceName) -> None:
    """Run one service in this process. The others run in separate processes on the same folder, at other ports."""
    _serve_services((service,))


def _serve_services(names: Sequence[str]) -> None:
    settings = current_settings()
    with data_folder_lock(settings, *names):
        sockets = _bind(settings)
        run(lambda: _prepare_and_greet(settings, names))
        application = create_application(open_platform(settings), names)
        process = names[0] if len(names) == 1 else "simpul"
        configure_logging(settings.log_level, service=process)
        started = True
        with _tracing(settings, process):
            started = _run_until_stopped(application, sockets)
    if not started:
        raise Failed("Simpul did not start; the lines above say why.")


def _run_until_stopped(application: FastAPI, sockets: list[socket.socket]) -> bool:
    """Run the server until a signal stops it; return whether it started."""
    try:
        return run_server(application, sockets)
    except interrupts.Interrupted:
        interrupts.clear_interrupt()
        return True


def _tracing(settings: Settings, process: str) -> contextlib.AbstractContextManager[None]:
    if not settings.otlp:
        return contextlib.nullcontext()
    # OpenTelemetry takes half a second to import, and most installations do not use it.
    from shared.observability.otlp import export_traces

    return export_traces(settings.otlp, process)


def _bind(settings: Settings) -> list[socket.socket]:
    address = f"{settings.host}:{settings.port}"
    try:
        return listen(settings.host, settings.port)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)
        raise Failed(f"{address} cannot be listened at: {reason}. SIMPUL_HOST and SIMPUL_PORT say where.") from error


async def _prepare_and_greet(settings: Settings, names: Sequence[str]) -> None:
    """Create the first accounts and print the addresses."""
    # A driver cannot be used in another event loop than the one that opened it, so this platform is not the server's.
    platform = open_platform(settings)
    try:
        await platform.prepare_stores()
        is_new = await create_initial_accounts(platform, names)
    finally:
        await platform.close()
    _print_addresses(settings, names, is_new=is_new)


async def create_initial_accounts(platform: Platform, names: Sequence[str]) -> bool:
    """If there are no accounts, create one per role, provided that only this machine can reach the service.

    Returns whether accounts were created.
    """
    if await platform.accounts.accounts():
        return False
    # Several processes that start on a new folder would create the accounts twice.
    if platform.single_process and platform.settings.local and len(names) == len(BUILDERS):
        console.print(Panel(await _add_initial_staff(platform), title="Staff accounts, shown only now", expand=False))
        return True
    console.print(
        "There are no staff accounts yet. Make the first:"
        " simpul staff add USERNAME --name NAME --email EMAIL --role admin",
        soft_wrap=True,
    )
    return False


def _print_addresses(settings: Settings, names: Sequence[str], *, is_new: bool) -> None:
    """Print the addresses that are needed to take a request from submission to handover."""
    all_services = len(names) == len(BUILDERS)
    lines = (
        ("requests", f"{settings.origin}{HOME}" if "intake" in names else "", "applicants submit here"),
        (
            "staff",
            f"{settings.origin}{SIGN_IN}",
            "officer, structural, technical in turn" if all_services else ", ".join(names),
        ),
        ("e-mails", *_email_location(settings)),
        ("API", f"{settings.origin}/api/docs" if settings.docs_open else "", ""),
        ("data", *_data_location(settings)),
        ("samples", "simpul demo --history 24" if is_new else "", "two years of requests; stop Simpul first"),
    )
    for name, value, about in lines:
        if value:
            console.print(f"{name:<9} {value:<29} {about}".rstrip(), soft_wrap=True)


def _email_location(settings: Settings) -> tuple[str, str]:
    if not settings.mail_viewer:
        return "sent by SMTP", ""
    if settings.mail_viewer_open:
        return f"{settings.origin}{MAIL_VIEWER}", "every e-mail, with its links"
    return str(settings.mail), f"and {MAIL_VIEWER} for administrators"


def _data_location(settings: Settings) -> tuple[str, str]:
    if settings.distributed:
        return "Kafka, MongoDB, MinIO", f"log at {settings.kafka}"
    return str(settings.data), ""


async def _add_initial_staff(platform: Platform) -> Table:
    table = Table(box=None)
    for title in ("username", "password", "role"):
        table.add_column(title, overflow="fold")
    for role, (username, name) in INITIAL_STAFF.items():
        password = generate_password()
        await platform.identity.add_staff(username, name, f"{username}@simpul.example", (role,), password)
        table.add_row(username, password, role)
    return table
