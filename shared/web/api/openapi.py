"""The OpenAPI document: FastAPI's own, completed with the statuses, headers and security that all operations share."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel

from shared.identity.accounts import Role
from shared.web.api.idempotency import IDEMPOTENCY_HEADER, KEY_PATTERN
from shared.web.api.problems import PROBLEM_MEDIA_TYPE
from shared.web.auth.access import Access, declared_access
from shared.web.forms.uploads import FileRule

JsonObject = dict[str, Any]

DESCRIPTION = """Requests to a public service: submitted by applicants, verified, assigned and handed over by staff.

Applicants authenticate with the tracking token of their request, staff with the token of `POST /api/session`. Unknown
fields are refused. Times are ISO 8601 with an offset. Every error is an `application/problem+json` document."""
SCHEMA_REF_TEMPLATE = "#/components/schemas/{model}"
PROBLEM_SCHEMA: JsonObject = {
    "type": "object",
    "title": "Problem",
    "description": "An error (RFC 9457): what was refused, in a sentence for a person, and the fields that are wrong.",
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
    "examples": [
        {
            "title": "Isian perlu diperbaiki",
            "status": 422,
            "detail": "Ada isian yang perlu diperbaiki.",
            "errors": [{"field": "email", "message": "Wajib diisi."}],
        }
    ],
}
SECURITY_SCHEMES: JsonObject = {
    "session": {"type": "http", "scheme": "bearer", "description": "The `token` of POST /api/session."},
    "tracking": {"type": "http", "scheme": "bearer", "description": "The `tracking_token` of a submitted request."},
}
BINARY_SCHEMA: JsonObject = {"type": "string", "format": "binary"}
_PROBLEM_REF: JsonObject = {"$ref": "#/components/schemas/Problem"}
_UNSAFE_METHODS = frozenset({"post", "put", "patch", "delete"})
_COMMON_STATUSES = (500, 503)
_PREFIXES_WITHOUT_KEY = ("/api/session", "/api/links", "/api/dead-letters")
"""Operations that are safe to repeat without a key, or that answer anew each time."""
_BODY_STATUSES = (400, 408, 409, 413, 415, 422)


def response_content(media_type: str, schema: Mapping[str, Any], description: str = "Berhasil") -> JsonObject:
    """One entry for the `responses` of a route."""
    return {"description": description, "content": {media_type: {"schema": dict(schema)}}}


EMPTY_RESPONSES: dict[int | str, JsonObject] = {
    200: response_content("application/json", {"type": "object", "additionalProperties": False})
}
DOWNLOAD_RESPONSES: dict[int | str, JsonObject] = {
    200: {
        **response_content("*/*", BINARY_SCHEMA, "Dokumen utuh"),
        "headers": {name: {"schema": {"type": "string"}} for name in ("Accept-Ranges", "ETag", "Content-Disposition")},
    },
    206: {
        **response_content("*/*", BINARY_SCHEMA, "Bagian yang diminta dengan Range"),
        "headers": {"Content-Range": {"schema": {"type": "string"}}},
    },
    416: {"description": "Bagian itu tidak ada"},
}
"""Responses of a route that answers with `downloads.download`."""
STREAM_RESPONSES: dict[int | str, JsonObject] = {
    200: response_content("text/event-stream", {"type": "string"}, "Kabar langsung")
}
IMAGE_RESPONSES: dict[int | str, JsonObject] = {
    200: response_content("image/png", BINARY_SCHEMA, "Gambar halaman"),
    415: {"description": "Dokumen ini tidak dapat digambar"},
}


def multipart_request_body(model: type[BaseModel], files: Mapping[str, FileRule]) -> JsonObject:
    """The `openapi_extra` of a route whose handler reads its form with `read_form`."""
    schema = model.model_json_schema(ref_template=SCHEMA_REF_TEMPLATE)
    properties = dict(schema.get("properties", {}))
    for name, rule in files.items():
        properties[name] = BINARY_SCHEMA if rule.max_count == 1 else _array_of_files(rule)
    required = [*schema.get("required", ()), *(name for name, rule in files.items() if rule.min_count)]
    form = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    if "$defs" in schema:
        form["$defs"] = schema["$defs"]
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}}}


def _array_of_files(rule: FileRule) -> JsonObject:
    return {"type": "array", "items": BINARY_SCHEMA, "minItems": rule.min_count, "maxItems": rule.max_count}


class DocumentedFastAPI(FastAPI):
    """FastAPI whose OpenAPI document lists every response that a client can receive."""

    def openapi(self) -> JsonObject:
        if not self.openapi_schema:
            document = copy.deepcopy(super().openapi())
            for path, method, operation, access in _described_operations(self, document):
                _complete_operation(path, method, operation, access)
            components = document.setdefault("components", {})
            schemas = components.setdefault("schemas", {})
            schemas["Problem"] = PROBLEM_SCHEMA
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            _hoist_definitions(document, schemas)
            components["securitySchemes"] = SECURITY_SCHEMES
            self.openapi_schema = document
        return self.openapi_schema


def _described_operations(app: FastAPI, document: JsonObject) -> Iterator[tuple[str, str, JsonObject, Access | None]]:
    for route in iter_route_contexts(app.routes):
        for method in route.methods or ():
            operation = document["paths"].get(route.path, {}).get(method.lower())
            if operation is not None:
                yield route.path or "", method.lower(), operation, declared_access(route.dependant)


def _complete_operation(path: str, method: str, operation: JsonObject, access: Access | None) -> None:
    responses: JsonObject = operation["responses"]
    declared = {int(status): responses[status] for status in responses if status.isdigit() and status != "422"}
    statuses = declared.keys() | set(_statuses(path, method, operation, access))
    operation["responses"] = {str(status): declared.get(status, {}) for status in sorted(statuses)}
    for status in (status for status in statuses if status >= 400):
        description = declared.get(status, {}).get("description", HTTPStatus(status).phrase)
        operation["responses"][str(status)] = response_content(PROBLEM_MEDIA_TYPE, _PROBLEM_REF, description)
    if method == "post" and not path.startswith(_PREFIXES_WITHOUT_KEY):
        others = [parameter for parameter in operation.get("parameters", ()) if parameter["name"] != IDEMPOTENCY_HEADER]
        operation["parameters"] = [*others, _idempotency_key()]
    if access != "public" and access is not None:
        operation["security"] = [{"tracking" if access == "applicant" else "session": []}]


def _statuses(path: str, method: str, operation: JsonObject, access: Access | None) -> Iterator[int]:
    yield from _COMMON_STATUSES
    unsafe = method in _UNSAFE_METHODS
    if isinstance(access, frozenset):
        yield from (401, 403) if unsafe or access != frozenset(Role) else (401,)
    else:
        yield from (401, 404, 429) if access == "applicant" else (429,) if unsafe else ()
    if "{" in path:
        yield from (404, 409) if unsafe else (404,)
    if operation.get("parameters") or method == "post":
        yield 422
    if unsafe:
        yield 413
    if "requestBody" in operation:
        yield from _BODY_STATUSES


def _idempotency_key() -> JsonObject:
    return {
        "name": IDEMPOTENCY_HEADER,
        "in": "header",
        "required": False,
        "description": "A call that is repeated with the same key and body gets the response of the first call.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": f"^{KEY_PATTERN}$"},
        "example": "7c1f5c1e-0f2b-4a57-9a51-3f5c0c1f6a10",
    }


def _hoist_definitions(part: Any, schemas: JsonObject) -> None:
    """Move the `$defs` of form schemas to the components, where their references point."""
    if isinstance(part, dict):
        schemas.update(part.pop("$defs", {}))
        part = list(part.values())
    if isinstance(part, list):
        for child in part:
            _hoist_definitions(child, schemas)
