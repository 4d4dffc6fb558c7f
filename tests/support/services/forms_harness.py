"""An application with a public form, a form for officers and a form with files, to test what all pages share."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from shared.backends.platform import Platform
from shared.contracts.facts import DocumentKind
from shared.identity.accounts import Account, Role
from shared.runtime.executor import IdempotencyKeyReused
from shared.web.api.idempotency import read_idempotency_key
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import RequestBody
from shared.web.auth import sign_in_pages
from shared.web.auth.access import public, signed_in
from shared.web.forms.held_files import FileField, HeldFiles, receive_upload
from shared.web.forms.posted_form import PostedForm
from shared.web.forms.uploads import FileRule
from shared.web.views.page_routes import PageRoute, add_form_page, see_other
from shared.web.views.rendering import Templates
from tests.support.minimal_files import small_pdf
from tests.support.password_hashing import hash_of
from tests.support.services import web_harness
from tests.support.services.identity_harness import ManualClock

PASSWORD = "tujuh ombak biru di maba"
PDF = small_pdf()


class Note(RequestBody):
    note: str = Field(min_length=5, max_length=40)
    percent: int | None = Field(None, ge=0, le=100)
    days: tuple[str, ...] = ()


@dataclass
class NoteRoute:
    """A page with a form that keeps the notes that it receives."""

    page: Templates
    notes: list[tuple[str | None, Note]] = field(default_factory=list)

    def open(self, request: Request) -> NotePage:
        return NotePage(self, request)


@dataclass
class NotePage:
    route: NoteRoute
    request: Request

    async def show(self, posted: PostedForm) -> Response:
        return self.route.page(self.request, "note.html", posted=posted)

    async def submit(self, posted: PostedForm) -> Response:
        note = posted.validate(Note)
        if note.note == "conflict":
            current = {"status": "verified", "version": 2, "by": "", "event": "", "at": None}
            raise Problem(409, "Sudah diputus oleh Sahril.", current=current)
        key = read_idempotency_key(self.request)
        if any(known == key and told != note for known, told in self.route.notes):
            raise IdempotencyKeyReused(str(key))
        self.route.notes.append((key, note))
        return see_other("/done")


@dataclass
class FilesForm:
    """A page with a form that has files."""

    page: Templates
    platform: Platform
    stored: list[list[str]] = field(default_factory=list)

    def open(self, request: Request) -> FilesPage:
        return FilesPage(self, request, HeldFiles(self.platform, FILE_FIELDS))

    async def receive_upload(self, request: Request) -> Response:
        return await receive_upload(request, HeldFiles(self.platform, FILE_FIELDS))


@dataclass
class FilesPage:
    form: FilesForm
    request: Request
    held: HeldFiles

    async def show(self, posted: PostedForm) -> Response:
        return self.form.page(self.request, "papers.html", posted=await self.held.redisplay(self.request, posted))

    async def submit(self, posted: PostedForm) -> Response:
        taken = await self.held.collect(self.request, posted)
        if self.held.is_only_removal(posted):
            return await self.show(posted)
        errors = list(taken.errors)
        try:
            posted.validate(Note, *self.held.names)
        except Problem as problem:
            errors += problem.errors
        if errors:
            raise validation_problem(errors)
        self.form.stored.append([document.name for document in taken.documents])
        return see_other("/done")


@dataclass
class FormsHarness:
    platform: Platform
    app: Any
    clock: ManualClock
    public_form: NoteRoute
    staff_form: NoteRoute
    papers: FilesForm

    def browser(self, **options: Any) -> Browser:
        return Browser(
            httpx.AsyncClient(
                transport=httpx.ASGITransport(self.app), base_url=self.platform.settings.origin, **options
            )
        )


@dataclass
class Browser:
    """Keeps cookies, reads the forms of pages and sends them."""

    client: httpx.AsyncClient

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.client.get(path, **options)

    async def send(self, path: str, page: httpx.Response, files: Any = None, /, **fields: Any) -> httpx.Response:
        """Send the hidden fields of the page's form with these fields added; a field that is None is left out."""
        data = {**hidden_fields(page), **fields}
        given = {name: value for name, value in data.items() if value is not None}
        return await self.client.post(path, data=given, files=files)


def hidden_fields(page: httpx.Response, path: str = "") -> Mapping[str, Any]:
    """Return the hidden fields of the form that is sent to `path` or above it, else of the last one; repeated fields as a list."""
    forms = page.text.split("<form")[1:]
    actions = {match[1]: form for form in forms if (match := re.search(r'^[^>]* action="([^"]+)"', form))}
    action = max((one for one in actions if path.startswith(one)), key=len, default="")
    form = actions[action] if action else forms[-1] if forms else ""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form):
        found.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


@asynccontextmanager
async def forms_harness(folder: Path, **settings: Any) -> AsyncIterator[FormsHarness]:
    async with web_harness.web_harness(folder, **settings) as base:
        clock = ManualClock()
        platform = replace(base.platform, clock=clock)
        platform.identity._clock = clock
        base.app.state.platform = platform
        page = Templates("tests.support.services.sample_pages")
        routes = APIRouter(route_class=PageRoute, include_in_schema=False)
        everybody, staff = NoteRoute(page), NoteRoute(page)
        papers = FilesForm(page, platform)
        add_form_page(routes, "/catatan", everybody.open, public())
        add_form_page(routes, "/kerja/{id}", staff.open, signed_in(Role.OFFICER))
        add_form_page(routes, "/berkas", papers.open, public())
        routes.add_api_route(
            "/berkas/unggah", papers.receive_upload, methods=["POST"], dependencies=[Depends(public())]
        )
        base.app.include_router(routes)
        base.app.include_router(sign_in_pages.router)
        for role in (Role.OFFICER, Role.TECHNICAL):
            account = Account(role.value, "Nurlaila Ibarat", "n@x.example", (role,), hash_of(PASSWORD))
            await platform.accounts.add(account)
        yield FormsHarness(platform, base.app, clock, everybody, staff, papers)


FILE_FIELDS = {
    "letter": FileField(DocumentKind.LETTER, FileRule(1, 1)),
    "requirements": FileField(DocumentKind.REQUIREMENT, FileRule(1, 3)),
}
