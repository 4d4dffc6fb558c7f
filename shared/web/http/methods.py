"""HTTP methods: detection of HEAD requests, and the `Allow` header of a path."""

from __future__ import annotations

from fastapi.routing import iter_route_contexts
from starlette.requests import Request
from starlette.types import Scope

HEAD_ONLY_SCOPE_KEY = "simpul.head_only"
"""Key in the ASGI scope of a GET that was sent as HEAD."""
METHOD_ORDER = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def wants_headers_only(request: Request) -> bool:
    """Whether the response body will be dropped, so that a handler need not produce it."""
    return HEAD_ONLY_SCOPE_KEY in request.scope


def allowed_methods(scope: Scope) -> str:
    """The value of `Allow` for the path of this request, "" if no route matches."""
    accepted: set[str] = set()
    for route in iter_route_contexts(scope["app"].routes):
        if route.path_regex.match(scope["path"]):
            accepted.update(route.methods or ())
    if not accepted:
        return ""
    accepted |= {"OPTIONS", "HEAD"} if "GET" in accepted else {"OPTIONS"}
    return ", ".join(method for method in METHOD_ORDER if method in accepted)
