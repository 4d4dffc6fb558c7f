"""An application with sessions, accounts and one route of each kind, on SQLite with a manual clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx
from fastapi import APIRouter, Depends, FastAPI

from shared.identity.accounts import Account, Role
from shared.identity.principal import Principal
from shared.identity.service import IdentityService
from shared.identity.sqlite import SqliteAccountStore
from shared.settings import Settings
from shared.storage.sqlite.database import SqliteDatabase
from shared.web.auth.access import GuardedRoute, public, signed_in, tracking_token
from shared.web.auth.api import router
from shared.web.http.exception_handlers import add_exception_handlers
from tests.support.password_hashing import hash_of

PASSWORD = "kuda laut menari tenang"
ANOTHER = "perahu kertas hijau lumut"
SECRET = b"a secret of this test alone, 0123456789"


class ManualClock:
    """A clock that stands still until it is advanced."""

    def __init__(self) -> None:
        self.now = datetime(2026, 7, 10, 1, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **time: float) -> None:
        self.now += timedelta(**time)


@dataclass
class IdentityHarness:
    """The parts of a platform that access rules need, and an application on them."""

    settings: Settings
    file: SqliteDatabase
    clock: ManualClock
    identity: IdentityService
    store: SqliteAccountStore
    app: FastAPI

    def client(self, address: str = "127.0.0.1", **options: Any) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, client=(address, 50_000))
        return httpx.AsyncClient(transport=transport, base_url=self.settings.origin, **options)

    async def staff(self, username: str, *roles: Role, **fields: Any) -> Account:
        name = f"{username.title()} Contoh"
        account = Account(username, name, f"{username}@dinas.example", roles, hash_of(PASSWORD), **fields)
        return await self.store.add(account)

    def on_disk(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.settings.data.iterdir())


async def open_identity_harness(folder: Path, base_url: str = "") -> IdentityHarness:
    settings = Settings(data=folder, base_url=base_url, host="127.0.0.1", port=8000)
    file, clock = SqliteDatabase(settings.database), ManualClock()
    store = SqliteAccountStore(file)
    await store.prepare()
    app = FastAPI()
    harness = IdentityHarness(settings, file, clock, IdentityService(store, clock, SECRET), store, app)
    app.state.platform = harness
    app.include_router(router)
    app.include_router(_one_route_of_each_kind())
    add_exception_handlers(app)
    return harness


def _one_route_of_each_kind() -> APIRouter:
    routes = APIRouter(route_class=GuardedRoute)

    @routes.get("/open", dependencies=[Depends(public())])
    async def open_() -> str:
        return "open"

    @routes.get("/tracked")
    async def tracked(token: Annotated[str, Depends(tracking_token)]) -> str:
        return token

    @routes.get("/officers")
    async def look(by: Annotated[Principal, Depends(signed_in(Role.OFFICER, Role.STRUCTURAL))]) -> str:
        return by.username

    @routes.post("/officers")
    async def act(body: dict[str, str], by: Annotated[Principal, Depends(signed_in(Role.OFFICER))]) -> str:
        return by.username

    return routes
