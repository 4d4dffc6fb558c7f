"""The OpenAPI description: what FastAPI knows of each route, and the statuses, headers and keys that all routes share."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from shared.identity.accounts import Role
from shared.web.access import Access, access_of
from shared.web.idempotency import HEADER, KEY_PATTERN
from shared.web.problems import MEDIA_TYPE

Description = dict[str, Any]

PROBLEM_SCHEMA: Description = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457: what was refused, in a sentence for a person.",
    "properties": {
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
                "required": ["field", "message"],
            },
        },
    },
    "required": ["title", "status", "detail"],
}
SECURITY_SCHEMES: Description = {
    "session": {"type": "http", "scheme": "bearer", "description": "The `token` of POST /api/session."},
    "tracking": {"type": "http", "scheme": "bearer", "description": "The `tracking_token` of a submitted request."},
}
BINARY: Description = {"type": "string", "format": "binary"}
_PROBLEM: Description = {"$ref": "#/components/schemas/Problem"}
_UNSAFE = frozenset({"post", "put", "patch", "delete"})
_ALWAYS = (500, 503)
_WITHOUT_KEY = ("/api/session", "/api/links", "/api/dead-letters")
"""Calls that may be repeated as they are, or that answer anew each time."""
_BODY = (400, 408, 409, 413, 415, 422)


def content(media_type: str, schema: Mapping[str, Any], description: str = "Berhasil") -> Description:
    """One answer for the `responses` of a route."""
    return {"description": description, "content": {media_type: {"schema": dict(schema)}}}


DOWNLOAD: dict[int | str, Description] = {
    200: {
        **content("*/*", BINARY, "Dokumen utuh"),
        "headers": {name: {"schema": {"type": "string"}} for name in ("Accept-Ranges", "ETag", "Content-Disposition")},
    },
    206: {
        **content("*/*", BINARY, "Bagian yang diminta dengan Range"),
        "headers": {"Content-Range": {"schema": {"type": "string"}}},
    },
    416: {"description": "Bagian itu tidak ada"},
}
"""Of a route that answers with `downloads.download`."""
STREAM: dict[int | str, Description] = {200: content("text/event-stream", {"type": "string"}, "Kabar langsung")}
PICTURE: dict[int | str, Description] = {
    200: content("image/png", BINARY, "Gambar halaman"),
    415: {"description": "Dokumen ini tidak dapat digambar"},
}


class DescribedApi(FastAPI):
    """FastAPI whose description names everything that a client can meet."""

    def openapi(self) -> Description:
        if not self.openapi_schema:
            described = copy.deepcopy(super().openapi())
            for path, method, call, access in _calls(self, described):
                _complete(path, method, call, access)
            components = described.setdefault("components", {})
            schemas = components.setdefault("schemas", {})
            schemas["Problem"] = PROBLEM_SCHEMA
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            _hoist(described, schemas)
            components["securitySchemes"] = SECURITY_SCHEMES
            self.openapi_schema = described
        return self.openapi_schema


def _calls(app: FastAPI, described: Description) -> Iterator[tuple[str, str, Description, Access | None]]:
    for route in iter_route_contexts(app.routes):
        for method in route.methods or ():
            call = described["paths"].get(route.path, {}).get(method.lower())
            if call is not None:
                yield route.path or "", method.lower(), call, access_of(route.dependant)


def _complete(path: str, method: str, call: Description, access: Access | None) -> None:
    given: Description = call["responses"]
    declared = {int(status): given[status] for status in given if status.isdigit() and status != "422"}
    statuses = declared.keys() | set(_statuses(path, method, call, access))
    call["responses"] = {str(status): declared.get(status, {}) for status in sorted(statuses)}
    for status in (each for each in statuses if each >= 400):
        description = declared.get(status, {}).get("description", HTTPStatus(status).phrase)
        call["responses"][str(status)] = content(MEDIA_TYPE, _PROBLEM, description)
    if method == "post" and not path.startswith(_WITHOUT_KEY):
        others = [each for each in call.get("parameters", ()) if each["name"] != HEADER]
        call["parameters"] = [*others, _idempotency_key()]
    if access != "public" and access is not None:
        call["security"] = [{"tracking" if access == "applicant" else "session": []}]


def _statuses(path: str, method: str, call: Description, access: Access | None) -> Iterator[int]:
    yield from _ALWAYS
    unsafe = method in _UNSAFE
    if isinstance(access, frozenset):
        yield from (401, 403) if unsafe or access != frozenset(Role) else (401,)
    else:
        yield from (401, 404, 429) if access == "applicant" else (429,) if unsafe else ()
    if "{" in path:
        yield from (404, 409) if unsafe else (404,)
    if call.get("parameters") or method == "post":
        yield 422
    if unsafe:
        yield 413
    if "requestBody" in call:
        yield from _BODY


def _idempotency_key() -> Description:
    return {
        "name": HEADER,
        "in": "header",
        "required": False,
        "description": "A call that is repeated with its key is answered as the first one was.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": f"^{KEY_PATTERN}$"},
    }


def _hoist(part: Any, schemas: Description) -> None:
    """Move the `$defs` of form schemas to where their references point."""
    if isinstance(part, dict):
        schemas.update(part.pop("$defs", {}))
        part = list(part.values())
    if isinstance(part, list):
        for deeper in part:
            _hoist(deeper, schemas)
