"""An application with one route of each kind, called in memory or on a real socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import httpx
from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from pydantic import Field

from services.intake.app import LIMITS
from shared.backends.platform import Platform, open_platform
from shared.contracts.facts import DocumentKind
from shared.documents.port import StoreUnavailable as DocumentsDown
from shared.runtime.executor import IdempotencyKeyReused
from shared.settings import Settings
from shared.storage.port import StoreUnavailable
from shared.web.api.idempotency import command_context, documents_digest, request_digest
from shared.web.api.lists import ListQuery
from shared.web.api.openapi import multipart_request_body
from shared.web.api.validation import InputModel, RequestBody
from shared.web.app import create_app
from shared.web.auth import api as identity_api
from shared.web.auth.access import GuardedRoute, public
from shared.web.dependencies import BoundRouter
from shared.web.forms.multipart import FormLimits
from shared.web.forms.upload_storage import store_uploads
from shared.web.forms.uploads import FileRule, read_form
from shared.web.http.server import SimpulServer, create_server
from tests.support.minimal_files import small_pdf

FILE_LIMIT = 200_000
PDF = small_pdf()
RULES = {"letter": FileRule(1, 1), "requirements": FileRule(1, 3)}
KINDS = {"letter": DocumentKind.LETTER, "requirements": DocumentKind.REQUIREMENT}


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class FormLine(RequestBody):
    item: Colour
    ok: bool = Field(strict=True)
    note: str = Field("", max_length=5)


class FormOrder(RequestBody):
    reason: str = Field(min_length=1, max_length=10)
    day: date | None = None
    count: int = Field(1, ge=1, le=9, strict=True)
    lines: tuple[FormLine, ...] = ()


class Application(InputModel):
    name: str = Field(min_length=1)
    letter_date: date
    percent: int = 0
    phone: str = ""
    replaces: tuple[str, ...] = ()


class Filters(ListQuery):
    status: Colour | None = None


@dataclass
class WebHarness:
    platform: Platform
    app: FastAPI
    started_calls: list[str] = field(default_factory=list)

    def client(self, address: str = "127.0.0.1", **options: Any) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, client=(address, 50_000))
        return httpx.AsyncClient(transport=transport, base_url="http://simpul.example", **options)


@asynccontextmanager
async def web_harness(folder: Path, *more: APIRouter, **settings: Any) -> AsyncIterator[WebHarness]:
    given = {"public_rate": 0, "file_limit": FILE_LIMIT, "body_limit": 1_000_000, "docs": "auto", **settings}
    platform = open_platform(Settings(data=folder, **given))
    await platform.prepare()
    store = platform.state_store("web", ())
    await store.prepare()
    started_calls: list[str] = []
    bound = BoundRouter(routes(platform, started_calls), services=(), limits=LIMITS)
    routers = [bound, identity_api.router, *more]
    app = create_app(platform=platform, version="1", routers=routers, lifespan=None, stores=[store])
    app.state.store = store
    try:
        yield WebHarness(platform, app, started_calls)
    finally:
        await platform.close()


def routes(platform: Platform, started_calls: list[str]) -> APIRouter:
    """`begun` notes the calls whose handler was reached."""
    router = APIRouter(route_class=GuardedRoute, dependencies=[Depends(public())])

    @router.post("/api/orders", tags=["pesanan"])
    async def order(order: FormOrder) -> dict[str, Any]:
        """Place an order."""
        return order.model_dump(mode="json")

    @router.get("/api/orders")
    async def orders(query: Annotated[Filters, Query()]) -> dict[str, Any]:
        return {"limit": query.limit, "after": query.after_key, "before": query.before_key}

    @router.post("/api/requests", tags=["permohonan"], openapi_extra=multipart_request_body(Application, RULES))
    async def submit(request: Request) -> dict[str, Any]:
        started_calls.append("submit")
        async with read_form(request, Application, RULES, FormLimits(file=FILE_LIMIT)) as form:
            stored = await store_uploads(form, platform.documents, platform.new_id, 1, KINDS)
        key = command_context(request).command_key("", request_digest(form.fields, documents_digest(stored)))
        documents = [document.model_dump(mode="json") for document in stored]
        return {
            "fields": form.fields.model_dump(mode="json"),
            "documents": documents,
            "key": key.id,
            "digest": key.digest,
        }

    @router.post("/api/broken/{kind}")
    async def broken(kind: str) -> None:
        raise {
            "state": StoreUnavailable("nothing at 10.0.0.7"),
            "documents": DocumentsDown("disk full at /srv/documents"),
            "key": IdempotencyKeyReused("k"),
            "bug": RuntimeError("budi@dinas.example knows the password"),
        }[kind]

    @router.get("/api/requests/{number}")
    async def look_up(number: str) -> dict[str, str]:
        return {"number": number}

    @router.get("/api/stream")
    async def stream() -> Response:
        return Response("own", headers={"Cache-Control": "private"})

    return router


@asynccontextmanager
async def served(app: FastAPI, **options: Any) -> AsyncIterator[tuple[SimpulServer, int]]:
    """Run the application on a real server; its port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = create_server(app, **{"loop": "asyncio", **options})
    task = asyncio.create_task(server._serve([listener]))
    while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield server, listener.getsockname()[1]
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, 30)
