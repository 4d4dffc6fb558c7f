"""Dependencies of handlers: the platform, and the application services that routes are bound to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from fastapi import APIRouter, FastAPI
from starlette.requests import Request

from shared.backends.platform import Platform
from shared.identity.principal import Principal
from shared.web.http.request_limits import NO_LIMITS, RequestLimits
from shared.web.http.routes import add_routes

Service = TypeVar("Service")


def platform_of(request: Request) -> Platform:
    return cast(Platform, request.app.state.platform)


def current_principal(request: Request) -> Principal | None:
    """The member of staff whom the route authenticated before it read the body; None for everybody else.

    It is kept in `request.state`, because a dependency is only resolved after the body.
    """
    return cast("Principal | None", getattr(request.state, "principal", None))


class BoundRouter(APIRouter):
    """Routers of a service, with the instances that their handlers ask for by `provide`, and the limits of their paths.

    Routers are module-level and shared by all applications of the process; the instances belong to one application.
    """

    def __init__(self, *routers: APIRouter, services: tuple[object, ...], limits: RequestLimits = NO_LIMITS) -> None:
        super().__init__()
        self.services, self.limits = services, limits
        for router in routers:
            add_routes(self, router)


def bind_services(app: FastAPI, router: APIRouter) -> None:
    """Make the services of a router available to its handlers in this application."""
    if isinstance(router, BoundRouter):
        app.state.services.update({type(service): service for service in router.services})


def provide(kind: type[Service]) -> Callable[[Request], Service]:
    """A dependency that gives the application's instance of this class."""

    def provided(request: Request) -> Service:
        return cast(Service, request.app.state.services[kind])

    return provided
