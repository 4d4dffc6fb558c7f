"""The ASGI application of one or several services: their routes, and their start and stop."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

from fastapi import APIRouter, Depends, FastAPI
from starlette.responses import Response

from shared.backends.platform import Platform
from shared.identity.open_work import StaffWork
from shared.runtime.service_runtime import MovedDues, ServiceApp, supervise
from shared.web.admin import dead_letter_api, dead_letter_pages, mail_viewer
from shared.web.admin.admin_pages import PendingCounters
from shared.web.admin.dead_letter_api import DeadLetterService
from shared.web.admin.gauges import GaugeCollector
from shared.web.api import event_docs
from shared.web.app import create_app
from shared.web.auth import api as identity_api
from shared.web.auth import sign_in_pages
from shared.web.auth.access import public
from shared.web.office import (
    checklist_pages,
    holiday_pages,
    phrase_pages,
    phrases,
    settings,
    settings_pages,
    substitute_pages,
    substitutes,
    target_pages,
    view_pages,
    views,
)
from shared.web.views.navigation import HOME, SIGN_IN
from shared.web.views.page_routes import PageRoute, see_other
from simpul.maintenance import check_storage, sweep_periodically
from simpul.registry import SERVICE_NAMES, build_services
from simpul.routing import ADMIN_SERVICE

OPENAPI_TAGS = (
    {"name": "intake", "description": "Applicants submit, follow, complete and withdraw requests."},
    {"name": "verification", "description": "Officers check requests and return or recommend them."},
    {"name": "assignment", "description": "Structural heads assign the work; technical leads do it and hand it over."},
    {
        "name": "oversight",
        "description": "Structural heads read figures, reports and the register; some figures are public.",
    },
    {"name": "notification", "description": "Administrators look after the emails that were sent about requests."},
    {"name": "staff", "description": "Sessions and accounts of staff."},
    {
        "name": "office",
        "description": "Ready-made sentences, substitutes, saved views, days off, targets and checklists.",
    },
    {"name": "dead letters", "description": "Administrators replay or discard events that could not be processed."},
)


def create_application(platform: Platform, names: Sequence[str] = SERVICE_NAMES) -> FastAPI:
    """Create the application of these services on this platform; its lifespan starts and stops them.

    The process with the administrators' pages also builds the services of other processes, to access their dead letters, but never
    starts them.
    """
    services = build_services(platform, names)
    others = [name for name in SERVICE_NAMES if name not in names] if ADMIN_SERVICE in names else []
    unstarted = build_services(platform, others)
    dead_letters = DeadLetterService({service.name: service.runtime for service in (*services, *unstarted)})

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await platform.prepare_stores()
        platform.workers.messages.start()
        for service in unstarted:
            await service.runtime.store.prepare()
        # The number of a service decides which worker does its background work.
        for part, service in enumerate(services):
            await service.start(platform.workers, part)
        background = [asyncio.create_task(gauges.run()), asyncio.create_task(check_storage(platform.backend.check))]
        background.append(asyncio.create_task(supervise("office", "settings", platform.office_settings.run)))
        if ADMIN_SERVICE in names and platform.workers.runs(0):
            # Only this process has the stores of all services, whose outboxes may name documents that the log does not yet.
            stores = [service.runtime.store for service in (*services, *unstarted)]
            background.append(asyncio.create_task(sweep_periodically(platform, stores)))
        try:
            yield
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            for service in services:
                await service.stop()
            platform.workers.messages.stop()
            await platform.close()

    app = create_app(
        platform=platform,
        version=importlib.metadata.version("simpul"),
        routers=[*_routers(platform, services), *shared_routers(platform, dead_letters, names)],
        lifespan=lifespan,
        openapi_tags=OPENAPI_TAGS,
        stores=[service.runtime.store for service in services],
    )
    app.state.waiting = pending_counters(services, dead_letters)
    app.state.staff_work = staff_work((*services, *unstarted))
    app.state.moved_dues = moved_dues((*services, *unstarted))
    gauges = _gauges(platform, services, app)
    return app


def _routers(platform: Platform, services: Sequence[ServiceApp]) -> Iterator[APIRouter]:
    """The routes of these services, and the documents about their events."""
    for service in services:
        yield from service.routers
        decider = service.runtime.executor.decider
        yield event_docs.router(platform.settings, service.name, decider.subscribes_to)


def _gauges(platform: Platform, services: Sequence[ServiceApp], app: FastAPI) -> GaugeCollector:
    folder = None if platform.settings.distributed else platform.settings.data
    return GaugeCollector([service.runtime for service in services], app.state.health_checks, folder)


def pending_counters(services: Iterable[ServiceApp], dead_letters: DeadLetterService) -> PendingCounters:
    """The counters in the menu of administrators, by the path of the menu item."""
    counters = {path: count for service in services for path, count in service.waiting.items()}
    return {dead_letter_pages.PATH: dead_letters.count, **counters}


def staff_work(services: Iterable[ServiceApp]) -> list[StaffWork]:
    """The open work of staff in these services, for the accounts, whose process reaches the stores of all services."""
    return [service.staff_work for service in services if service.staff_work is not None]


def moved_dues(services: Iterable[ServiceApp]) -> MovedDues | None:
    """Return the function of the service that knows every due day, None if it is not among these."""
    return next((service.moved_dues for service in services if service.moved_dues is not None), None)


def shared_routers(platform: Platform, dead_letters: DeadLetterService, names: Sequence[str]) -> list[APIRouter]:
    """The routes that belong to no service; without intake, which owns the home page, that leads to the sign-in page."""
    routers = [
        identity_api.router,
        sign_in_pages.router,
        phrases.router,
        phrase_pages.router,
        substitutes.router,
        substitute_pages.router,
        views.router,
        view_pages.router,
        settings.router,
        settings_pages.router,
        holiday_pages.router,
        checklist_pages.router,
        target_pages.router,
        dead_letter_api.router(dead_letters),
        dead_letter_pages.pages(dead_letters),
        mail_viewer.pages(platform),
    ]
    return routers if "intake" in names else [*routers, _home_redirect()]


def _home_redirect() -> APIRouter:
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)

    @routes.get(HOME, dependencies=[Depends(public())])
    async def redirect_to_sign_in() -> Response:
        return see_other(SIGN_IN)

    return routes
