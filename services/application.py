"""The application that any of the services together make: their routes, and their start and end."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import logging
from collections.abc import AsyncIterator, Sequence

from fastapi import FastAPI

from services.wiring import BUILDERS, build
from shared.documents.audit import named_documents
from shared.documents.sweep import sweep_orphans
from shared.identity import api as identity_api
from shared.identity import pages as identity_pages
from shared.platform import Platform
from shared.runtime.service import Service
from shared.web import dead_letters
from shared.web.app import make_app

logger = logging.getLogger(__name__)

SWEEP_DOCUMENTS_EVERY = 6 * 3600.0


def make_application(platform: Platform, names: Sequence[str] = tuple(BUILDERS)) -> FastAPI:
    """The ASGI application of these services on this platform; its lifespan starts and stops them."""
    services = build(platform, names)
    runtimes = {service.name: service.runtime for service in services}
    shared_routers = [identity_api.router(), identity_pages.pages(), dead_letters.router(runtimes)]

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await platform.prepare()
        for service in services:
            await service.start()
        sweeping = asyncio.create_task(_sweep_documents(platform))
        try:
            yield
        finally:
            sweeping.cancel()
            await _stop(services)
            await platform.close()

    return make_app(
        platform=platform,
        version=importlib.metadata.version("simpul"),
        routers=[router for service in services for router in service.routers] + shared_routers,
        lifespan=lifespan,
        stores=[service.runtime.store for service in services],
    )


async def _stop(services: Sequence[Service]) -> None:
    for service in services:
        await service.stop()


async def _sweep_documents(platform: Platform) -> None:
    """Now and then remove documents that no event has named for a day."""

    while True:
        await asyncio.sleep(SWEEP_DOCUMENTS_EVERY)
        try:
            named = {document.key async for document in named_documents(platform.log)}

            async def referenced(keys: list[str], named: set[str] = named) -> set[str]:
                return named.intersection(keys)

            swept = await sweep_orphans(platform.documents, referenced, platform.clock())
            logger.info("documents swept: %s", swept)
        except Exception:
            logger.exception("sweeping documents failed; it is tried again later")
