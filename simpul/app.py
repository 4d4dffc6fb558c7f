"""The application that any of the services together make: their routes, and their start and end."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import logging
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

from fastapi import APIRouter, Depends, FastAPI
from starlette.responses import Response

from shared.backends.platform import Platform
from shared.documents.orphan_sweep import SweepResult, sweep_orphans
from shared.documents.port import StoreUnavailable as DocumentsUnavailable
from shared.documents.references import ReferencesUnknown, referenced_keys
from shared.eventlog.port import LogUnavailable
from shared.runtime.service_runtime import ServiceApp
from shared.storage.port import StateStore, StoreUnavailable
from shared.web.admin import dead_letter_api, dead_letter_pages, mail_viewer
from shared.web.admin.admin_pages import PendingCounters
from shared.web.admin.dead_letter_api import DeadLetterService
from shared.web.admin.gauges import GaugeCollector
from shared.web.api import event_docs
from shared.web.app import create_app
from shared.web.auth import api as identity_api
from shared.web.auth import sign_in_pages as identity_pages
from shared.web.auth.access import public
from shared.web.views.navigation import HOME, SIGN_IN
from shared.web.views.page_routes import PageRoute, see_other
from simpul.registry import BUILDERS, build
from simpul.routing import ADMIN_SERVICE
from simpul.storage_checks import check_storage

logger = logging.getLogger(__name__)

DOCUMENT_SWEEP_INTERVAL_SECONDS = 6 * 3600.0


def create_application(platform: Platform, names: Sequence[str] = tuple(BUILDERS)) -> FastAPI:
    """The ASGI application of these services on this platform; its lifespan starts and stops them.

    Where administrators look after dead letters, the services of other processes are made too, but never started.
    """
    services = build(platform, names)
    unstarted = build(platform, [name for name in BUILDERS if name not in names]) if ADMIN_SERVICE in names else []
    letters = DeadLetterService({service.name: service.runtime for service in (*services, *unstarted)})

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await platform.accounts.prepare()
        for service in unstarted:
            await service.runtime.store.prepare()
        for service in services:
            await service.start()
        background = [asyncio.create_task(gauges.run()), asyncio.create_task(check_storage(platform.half.check))]
        if ADMIN_SERVICE in names:
            # Here are the stores of all services, whose outboxes may hold events that the log does not have yet.
            stores = [service.runtime.store for service in (*services, *unstarted)]
            background.append(asyncio.create_task(_sweep_documents(platform, stores)))
        try:
            yield
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await _stop(services)
            await platform.close()

    app = create_app(
        platform=platform,
        version=importlib.metadata.version("simpul"),
        routers=[*_routers(platform, services), *shared_routers(platform, letters, names)],
        lifespan=lifespan,
        stores=[service.runtime.store for service in services],
    )
    app.state.waiting = waiting(services, letters)
    gauges = _gauges(platform, services, app)
    return app


def _routers(platform: Platform, services: Sequence[ServiceApp]) -> Iterator[APIRouter]:
    """The routes of these services, and the page that tells which events each publishes and hears."""
    for service in services:
        yield from service.routers
        decider = service.runtime.executor.decider
        yield event_docs.router(platform.settings, service.name, decider.subscribes_to)


def _gauges(platform: Platform, services: Sequence[ServiceApp], app: FastAPI) -> GaugeCollector:
    folder = None if platform.settings.distributed else platform.settings.data
    return GaugeCollector([service.runtime for service in services], app.state.parts, folder)


def waiting(services: Iterable[ServiceApp], letters: DeadLetterService) -> PendingCounters:
    """What administrators are told in their menu."""
    of_services = {path: count for service in services for path, count in service.waiting.items()}
    return {dead_letter_pages.PATH: letters.count, **of_services}


def shared_routers(platform: Platform, letters: DeadLetterService, names: Sequence[str]) -> list[APIRouter]:
    """The routes that belong to no service; without intake, whose form it is, the front door leads to staff."""
    routers = [
        identity_api.router(),
        identity_pages.pages(),
        dead_letter_api.router(letters),
        dead_letter_pages.pages(letters),
        mail_viewer.pages(platform),
    ]
    return routers if "intake" in names else [*routers, _home_redirect()]


def _home_redirect() -> APIRouter:
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)

    @routes.get(HOME, dependencies=[Depends(public())])
    async def redirect_to_sign_in() -> Response:
        return see_other(SIGN_IN)

    return routes


async def _stop(services: Sequence[ServiceApp]) -> None:
    for service in services:
        await service.stop()


async def _sweep_documents(platform: Platform, stores: Sequence[StateStore]) -> None:
    """Now and then remove documents that no event has named for a day. `stores` are those of all services."""
    while True:
        await asyncio.sleep(DOCUMENT_SWEEP_INTERVAL_SECONDS)
        try:
            swept = await sweep_documents(platform, stores)
            logger.info("documents swept: %s", swept)
        except (ReferencesUnknown, LogUnavailable, StoreUnavailable, DocumentsUnavailable) as error:
            logger.warning("documents are not swept now: %s", error)
        except Exception:
            logger.exception("sweeping documents failed; it is tried again later")


async def sweep_documents(platform: Platform, stores: Sequence[StateStore]) -> SweepResult:
    """Remove what no event names; nothing if that cannot be said. Raises NamesUnknown, and the errors of log and stores."""

    async def referenced(keys: list[str]) -> set[str]:
        return await referenced_keys(keys, platform.log, stores)

    return await sweep_orphans(platform.documents, referenced, platform.clock())
