"""Routers that are bound to the services of one application."""

from __future__ import annotations

from typing import Annotated

import httpx
from fastapi import APIRouter, Depends, FastAPI

from shared.web.dependencies import BoundRouter, bind_services, provide


class Greeter:
    def __init__(self, greeting: str) -> None:
        self.greeting = greeting


router = APIRouter()


@router.get("/greeting")
async def greeting(greeter: Annotated[Greeter, Depends(provide(Greeter))]) -> str:
    return greeter.greeting


def application(greeter: Greeter) -> FastAPI:
    app = FastAPI()
    app.state.services = {}
    bound = BoundRouter(router, services=(greeter,))
    app.include_router(bound)
    bind_services(app, bound)
    return app


async def test_applications_that_share_a_router_have_their_own_services():
    apps = [application(Greeter(text)) for text in ("one", "two")]
    for app, expected in zip(apps, ("one", "two"), strict=True):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://simpul.example") as client:
            assert (await client.get("/greeting")).json() == expected
