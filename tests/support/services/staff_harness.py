"""Verification and assignment on one platform, with signed-in staff and a log to publish to."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from fpdf import FPDF

from services.assignment import app as assignment
from services.verification import app as verification
from shared.backends.platform import Platform, open_platform
from shared.clock import random_id
from shared.contracts.envelope import Event, decode_event, encode_event
from shared.contracts.facts import DocumentKind, DocumentRef, Fact
from shared.contracts.intake import RequestSubmitted
from shared.documents.inspection.detection import detect_media_type
from shared.documents.port import MediaTypeDetector
from shared.identity.accounts import Account, Role, Session
from shared.runtime.service_runtime import ServiceApp
from shared.settings import Settings
from shared.web.app import create_app
from shared.web.auth import api as identity_api
from tests.support.domain import request_events
from tests.support.domain.given_when_then import NOON, REQUEST, make_event

OTHER = "00000000-0000-4000-8000-000000000002"
PEOPLE: dict[str, tuple[str, tuple[Role, ...]]] = {
    "nurlaila": ("Nurlaila Ibarat", (Role.OFFICER,)),
    "samsul": ("Samsul Seandainya", (Role.OFFICER,)),
    "hasan": ("Hasan Umpama", (Role.STRUCTURAL,)),
    "halima": ("Halima Misalnya", (Role.STRUCTURAL,)),
    "dewi": ("Dewi Andaian", (Role.TECHNICAL,)),
    "jafar": ("Jafar Ibaratnya", (Role.TECHNICAL,)),
    "kepala": ("Kepala Contoh", (Role.STRUCTURAL, Role.TECHNICAL)),
    "admin": ("Admin Contoh", (Role.ADMIN,)),
}
TIMEOUT_SECONDS = 30.0
Answer = httpx.Response


def pdf(pages: int = 2, words: str = "Halaman") -> bytes:
    paper = FPDF()
    for number in range(1, pages + 1):
        paper.add_page()
        paper.set_font("Times", size=20)
        paper.text(30, 40, f"{words} {number}")
    return bytes(paper.output())


@dataclass
class ManualClock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **time: float) -> None:
        self.now += timedelta(**time)


@dataclass
class StaffHarness:
    platform: Platform
    services: dict[str, ServiceApp]
    app: FastAPI
    clock: ManualClock
    made_ids: list[str] = field(default_factory=list)
    sequences: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=self.platform.settings.origin)

    async def call(self, who: str, method: str, path: str, key: str = "", **options: Any) -> Answer:
        headers = {"Authorization": f"Bearer token of {who}"} if who else {}
        if key:
            headers["Idempotency-Key"] = key
        async with self.http as client:
            return await client.request(method, path, headers=headers, **options)

    async def get(self, who: str, path: str, **options: Any) -> Answer:
        return await self.call(who, "GET", path, **options)

    async def post(self, who: str, path: str, json: Any = None, **options: Any) -> Answer:
        body = {} if json is None else {"json": json}
        return await self.call(who, "POST", path, **body, **options)

    async def publish(self, *facts: Fact, subject: str = REQUEST) -> None:
        """Publish facts in the log, and wait until the services have consumed them."""
        for fact in facts:
            self.sequences[fact.owner, subject] += 1
            event = make_event(fact, self.sequences[fact.owner, subject], self.clock(), subject)
            await self.platform.log.append([(subject, encode_event(event))])
        await self.wait_until(self.wait_until_consumed)

    async def wait_until_consumed(self) -> bool:
        return not any([await self.platform.log.lag(name) for name in self.services])

    async def wait_until_heard(self) -> None:
        """Wait until the services have published what they saved, and consumed what the others published."""

        async def heard() -> bool:
            idle = [service.runtime.relay.is_idle for service in self.services.values()]
            return all(idle) and await self.wait_until_consumed()

        await self.wait_until(heard)

    async def wait_for_status(self, service: str, status: str, subject: str = REQUEST) -> None:
        """Wait until this service has the request in this status."""

        async def there() -> bool:
            kept = await self.services[service].runtime.executor.read(subject)
            return kept is not None and kept.state.status == status

        await self.wait_until(there)

    async def wait_until(self, reached: Callable[[], Awaitable[object]]) -> None:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while not await reached():  # noqa: ASYNC110 - nothing tells a test when a service has heard
                await asyncio.sleep(0.005)

    async def store_document(
        self, name: str, content: bytes, kind: DocumentKind = DocumentKind.REQUIREMENT
    ) -> DocumentRef:
        """Store a document and return its reference."""
        return await self.store_as(partial(detect_media_type, name), name, content, kind)

    async def store_unchecked(self, name: str, content: bytes, media_type: str) -> DocumentRef:
        """Store a document that today's checks would refuse."""
        return await self.store_as(lambda file: media_type, name, content, DocumentKind.REQUIREMENT)

    async def store_as(self, inspect: MediaTypeDetector, name: str, content: bytes, kind: DocumentKind) -> DocumentRef:
        stored = await self.platform.documents.put(BytesIO(content), inspect, limit=10**7)
        fields: dict[str, Any] = {
            "size": stored.size,
            "media_type": stored.media_type,
            "sha256": stored.sha256,
            "key": stored.key,
        }
        return DocumentRef(id=self.platform.new_id(), kind=kind, name=name, **fields)

    async def submitted(self, *documents: DocumentRef, subject: str = REQUEST, **fields: Any) -> RequestSubmitted:
        """Publish a new request, and wait until both services have consumed it."""
        given = {"documents": documents, **fields} if documents else fields
        fact = request_events.submitted.model_copy(update=given)
        await self.publish(fact, subject=subject)
        return fact

    async def sign_in_again_after(self, **time: float) -> None:
        """Advance the clock, which ends sessions, and open new ones."""
        self.clock.advance(**time)
        await open_sessions(self.platform)

    async def events(self, source: str, subject: str = REQUEST) -> list[Event]:
        """Return the events of one service about a request, once its outbox is published."""
        stored = await self.services[source].runtime.store.load([subject])
        made = stored[subject].seen.get(source, 0) if subject in stored else 0

        async def published() -> bool:
            return len(await self._logged(source, subject)) >= made

        await self.wait_until(published)
        return await self._logged(source, subject)

    async def _logged(self, source: str, subject: str) -> list[Event]:
        found = [decode_event(record.value) async for records in self.platform.log.read() for record in records]
        # Published twice, which may happen, an event is still one.
        once = {event.id: event for event in found if event.source == source and event.subject == subject}
        return list(once.values())

    async def stored_keys(self) -> set[str]:
        return {key async for key in self.platform.documents.keys(datetime.max.replace(tzinfo=NOON.tzinfo))}


@asynccontextmanager
async def staff_harness(folder: Path, **settings: Any) -> AsyncIterator[StaffHarness]:
    clock = ManualClock()
    made_ids: list[str] = []

    def new_id() -> str:
        made_ids.append(random_id())
        return made_ids[-1]

    platform = open_platform(Settings(data=folder, public_rate=0, **settings), clock, new_id)
    await platform.prepare()
    await create_signed_in_staff(platform)
    services = {service.name: service for service in (verification.build(platform), assignment.build(platform))}
    for service in services.values():
        await service.start()
    routers = [router for service in services.values() for router in service.routers]
    stores = [service.runtime.store for service in services.values()]
    routers.append(identity_api.router)
    app = create_app(platform=platform, version="1", routers=routers, lifespan=None, stores=stores)
    try:
        yield StaffHarness(platform, services, app, clock, made_ids)
    finally:
        for service in services.values():
            await service.stop()
        await platform.close()


async def create_signed_in_staff(platform: Platform) -> None:
    for username, (name, roles) in PEOPLE.items():
        await platform.accounts.add(Account(username, name, f"{username}@kominfo.example", roles, "-"))
    await open_sessions(platform)


async def open_sessions(platform: Platform) -> None:
    """Open sessions without passwords, because hashing one takes a tenth of a second."""
    now = platform.clock()
    for account in await platform.accounts.accounts():
        hashed = hashlib.sha256(f"token of {account.username}".encode()).hexdigest()
        await platform.accounts.close_session(hashed)
        await platform.accounts.open_session(Session(hashed, account.username, now, now), account)
