"""Routes that cost little per request: found without walking routers, and without threads for dependencies.

FastAPI keeps included routers nested and asks each of them for every request. It calls a dependency that is not a coroutine
function, for example a class, in another thread, in case it blocks; ours only put objects together.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

_NO_MATCH: tuple[Match, Scope] = (Match.NONE, {})


def operation_id(route: APIRoute) -> str:
    """The id of an operation: its first tag and the name of its handler, so that moving a path does not change it."""
    return "_".join([*(str(tag).replace(" ", "_") for tag in route.tags[:1]), route.name])


class FlatRoute(APIRoute):
    """A route that compares the fixed beginning of its path before its regular expression, and calls dependencies directly."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "generate_unique_id_function": operation_id})
        self._beginning = self.path.partition("{")[0]

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        _call_directly(self.dependant)
        return super().get_route_handler()

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return super().matches(scope) if scope["path"].startswith(self._beginning) else _NO_MATCH


def _call_directly(dependant: Dependant) -> None:
    for dependency in dependant.dependencies:
        if dependency.call is not None and not _is_coroutine_function(dependency.call):
            dependency.call = _as_coroutine_function(dependency.call)
        _call_directly(dependency)


def _is_coroutine_function(call: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(getattr(call, "__call__", None))  # noqa: B004


@functools.cache
def _as_coroutine_function(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return the same function for the same call, because FastAPI calls a dependency once per request."""

    async def called(**values: Any) -> Any:
        return call(**values)

    return called


def add_routes(target: APIRouter, router: APIRouter) -> None:
    """Add the routes of a router themselves, as they are; like `include_router` without options."""
    target.routes.extend(router.routes)
