"""Any of the services on one platform, with a manual clock and an SMTP server."""

from __future__ import annotations

import email.parser
import email.policy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from shared.backends.platform import open_platform
from shared.contracts.facts import Fact
from shared.settings import Settings
from shared.web.admin.dead_letter_api import DeadLetterService
from shared.web.app import create_app
from simpul.app import moved_dues, pending_counters, shared_routers, staff_work
from simpul.registry import build_services
from tests.support.adapters.scripted_smtp import ScriptedSmtp
from tests.support.domain import request_events as tale
from tests.support.services.staff_harness import ManualClock, StaffHarness, create_signed_in_staff, open_sessions

POLL_SECONDS = 0.02
"""Seconds between polls for due work, and before a dead letter is retried."""


@asynccontextmanager
async def services_harness(
    folder: Path, *names: str, clock: ManualClock | None = None, staffed: bool = True, **settings: Any
) -> AsyncIterator[StaffHarness]:
    """Run these services with all their routes; `staffed` creates accounts."""
    clock = clock or ManualClock()
    platform = open_platform(Settings(data=folder, public_rate=0, **settings), clock)
    await platform.prepare()
    if staffed:
        await create_signed_in_staff(platform)
    services = {service.name: service for service in build_services(platform, names)}
    runtimes = {name: service.runtime for name, service in services.items()}
    for service in services.values():
        service.runtime.timers._sweep_interval = POLL_SECONDS
        service.runtime.dead_letters._replay_delays = (POLL_SECONDS,) * 4
        await service.start()
    routers = [router for service in services.values() for router in service.routers]
    dead_letters = DeadLetterService(runtimes)
    routers += shared_routers(platform, dead_letters, names)
    stores = [runtime.store for runtime in runtimes.values()]
    app = create_app(platform=platform, version="1", routers=routers, lifespan=None, stores=stores)
    app.state.waiting = pending_counters(services.values(), dead_letters)
    app.state.staff_work = staff_work(services.values())
    app.state.moved_dues = moved_dues(services.values())
    try:
        yield StaffHarness(platform, services, app, clock)
    finally:
        for service in services.values():
            await service.stop()
        await platform.close()


def smtp_to(server: ScriptedSmtp) -> str:
    return f"smtp://127.0.0.1:{server.port}?tls=none"


def delivered_emails(server: ScriptedSmtp) -> list[EmailMessage]:
    """Return the delivered emails, parsed."""
    parser = email.parser.BytesParser(policy=email.policy.default)
    return [parser.parsebytes(one.content) for one in server.received]


def emails_to(server: ScriptedSmtp, address: str) -> list[EmailMessage]:
    return [letter for letter in delivered_emails(server) if address in str(letter["To"])]


def request_id(index: int) -> str:
    return f"00000000-0000-4000-8000-{index:012d}"


def submission(index: int, **fields: Any) -> Fact:
    """Return the submission of another request whose number ends in this index."""
    applicant = tale.APPLICANT.model_copy(update={"email": f"pemohon{index}@dishub.example"})
    given = {"number": f"INT-2026-{index:06d}", "applicant": applicant, **fields}
    return tale.submitted.model_copy(update=given)


async def ledger(harness: StaffHarness, **query: Any) -> list[dict[str, Any]]:
    """Return the rows of the ledger for an administrator."""
    answer = await harness.get("admin", "/api/notification/messages", params=query)
    if answer.status_code == 401:
        # The clock went on, and with it the time for which a session lives.
        await open_sessions(harness.platform)
        answer = await harness.get("admin", "/api/notification/messages", params=query)
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["items"]
    return rows


async def wait_for_email(harness: StaffHarness, status: str, kind: str = "received", **facts: Any) -> dict[str, Any]:
    """Wait for the email of this kind with this status and these fields."""
    found: list[dict[str, Any]] = []
    wanted = {"kind": kind, "status": status, **facts}

    async def there() -> bool:
        found[:] = [row for row in await ledger(harness) if wanted.items() <= row.items()]
        return bool(found)

    await harness.wait_until(there)
    return found[0]


async def set_active(harness: StaffHarness, active: bool, *usernames: str) -> None:
    for username in usernames:
        account = await harness.platform.accounts.account(username)
        assert account is not None
        await harness.platform.accounts.change(account, replace(account, active=active))
