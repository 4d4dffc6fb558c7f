"""The methods of HTTP: HEAD answers as GET does, OPTIONS and `Allow` name what the routes of a path take."""

from __future__ import annotations

from fastapi.routing import iter_route_contexts
from starlette.requests import Request
from starlette.types import Scope

HEAD_ONLY_SCOPE_KEY = "simpul.head_only"
"""Key of the ASGI scope: nothing but the headers of the answer to this GET will be sent."""
METHOD_ORDER = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def wants_headers_only(request: Request) -> bool:
    """Whether the body of the answer will be dropped, so that a handler may save the work of making it."""
    return HEAD_ONLY_SCOPE_KEY in request.scope


def allowed_methods(scope: Scope) -> str:
    """The value of `Allow` for the path of this request, "" if no route has it."""
    accepted: set[str] = set()
    for route in iter_route_contexts(scope["app"].routes):
        if route.path_regex.match(scope["path"]):
            accepted.update(route.methods or ())
    if not accepted:
        return ""
    accepted |= {"OPTIONS", "HEAD"} if "GET" in accepted else {"OPTIONS"}
    return ", ".join(method for method in METHOD_ORDER if method in accepted)
