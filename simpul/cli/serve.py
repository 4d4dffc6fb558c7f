"""`simpul up` and `simpul serve`: run the services in this process, or in workers of it."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Sequence
from typing import Annotated

import typer
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
from simpul.cli.arguments import ServiceName
from simpul.cli.console import console
from simpul.cli.context import current_settings, data_folder_lock, run
from simpul.cli.errors import Failed
from simpul.registry import SERVICE_NAMES

logger = logging.getLogger(__name__)

NOT_STARTED = "Simpul did not start; the lines above say why."
WORKERS_DISTRIBUTED = (
    "Several workers are for the embedded mode: in distributed mode, start more processes of each service instead."
)
INITIAL_STAFF = {
    Role.OFFICER: ("petugas", "Petugas Layanan"),
    Role.STRUCTURAL: ("kepala", "Kepala Bidang"),
    Role.TECHNICAL: ("teknis", "Penanggung Jawab Teknis"),
    Role.ADMIN: ("admin", "Administrator"),
}


def up(
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="Number of processes that share the port; SIMPUL_WORKERS by default."),
    ] = None,
) -> None:
    """Run all services on one data folder, in this process or in several."""
    settings = current_settings()
    size = settings.workers if workers is None else workers
    if size > 1 and settings.distributed:
        raise Failed(WORKERS_DISTRIBUTED)
    with data_folder_lock(settings, *SERVICE_NAMES) as locks:
        sockets = _bind(settings)
        run(lambda: _prepare_and_greet(settings, SERVICE_NAMES))
        started = _serve_in_workers(settings, size, sockets, locks) if size > 1 else _serve_here(settings, sockets)
    if not started:
        raise Failed(NOT_STARTED)


def serve(service: ServiceName) -> None:
    """Run one service in this process. The others run in separate processes on the same folder, at other ports."""
    settings = current_settings()
    if settings.workers > 1:
        raise Failed("SIMPUL_WORKERS is for `simpul up`: `simpul serve` runs its service in one process.")
    with data_folder_lock(settings, service):
        sockets = _bind(settings)
        run(lambda: _prepare_and_greet(settings, (service,)))
        started = _serve_here(settings, sockets, service)
    if not started:
        raise Failed(NOT_STARTED)


def _serve_here(settings: Settings, sockets: list[socket.socket], service: str = "") -> bool:
    """Serve one or all services in this process; return whether the server started."""
    from simpul.app import create_application  # the supervisor of workers does without its imports

    application = create_application(open_platform(settings), (service,) if service else SERVICE_NAMES)
    process = service or "simpul"
    configure_logging(settings.log_level, service=process)
    with trace_exporter(settings, process):
        return run_until_stopped(application, sockets)


def _serve_in_workers(settings: Settings, size: int, sockets: list[socket.socket], locks: list[int]) -> bool:
    """Serve all services in several processes; return whether all of them started."""
    from simpul.cli.supervisor import WorkersFailed, run_workers

    configure_logging(settings.log_level, service="simpul")
    try:
        run_workers(size, sockets, locks)
    except WorkersFailed as failure:
        if failure.__cause__ is not None:
            logger.error("a worker could not be started: %s", failure.__cause__)
        return False
    return True


def run_until_stopped(application: FastAPI, sockets: list[socket.socket]) -> bool:
    """Run the server until a signal stops it; return whether it started."""
    try:
        return run_server(application, sockets)
    except interrupts.Interrupted:
        interrupts.clear_interrupt()
        return True


def trace_exporter(settings: Settings, process: str) -> contextlib.AbstractContextManager[None]:
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
    if platform.exclusive and platform.settings.local and len(names) == len(SERVICE_NAMES):
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
    all_services = len(names) == len(SERVICE_NAMES)
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
