"""Routes that are found without walking routers: FastAPI keeps included routers nested, and asks each of them for every request."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

_NO_MATCH: tuple[Match, Scope] = (Match.NONE, {})


def operation_id(route: APIRoute) -> str:
    """The id of an operation: its first tag and the name of its handler, so that moving a path does not change it."""
    return "_".join([*(str(tag).replace(" ", "_") for tag in route.tags[:1]), route.name])


class FlatRoute(APIRoute):
    """A route that compares the fixed beginning of its path before its regular expression, and needs no application."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "generate_unique_id_function": operation_id})
        self._beginning = self.path.partition("{")[0]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return super().matches(scope) if scope["path"].startswith(self._beginning) else _NO_MATCH


def add_routes(target: APIRouter, router: APIRouter) -> None:
    """Add the routes of a router themselves, as they are; like `include_router` without options."""
    target.routes.extend(router.routes)
