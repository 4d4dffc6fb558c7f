"""The API's documentation as one light page, from the same description that programs read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import HTMLResponse

from shared.contracts.registry import FACTS
from shared.identity.accounts import Role
from shared.web.auth.access import Access, declared_access
from shared.web.forms.uploads import FileRule
from shared.web.views.labels import ROLE_LABELS
from shared.web.views.rendering import shared_templates

EVENT_DOCS_PATH = "/api/{}/events"
"""Where it is told which events a service publishes and hears."""
SCHEMA_REF_TEMPLATE = "#/components/schemas/{model}"
"""Where the description of the whole API keeps the schemas that references stand for."""
EVENT_OWNERS = tuple(dict.fromkeys(fact.owner for fact in FACTS))


@dataclass(frozen=True, slots=True)
class Field:
    """One line of a table: where a value goes (path, query, body, form) and what it must be."""

    name: str
    place: str
    kind: str
    required: bool
    description: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the API."""

    method: str
    path: str
    summary: str
    who: str
    fields: tuple[Field, ...] = ()
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    calls: list[Call] = field(default_factory=list)


def multipart_request_body(model: type[BaseModel], files: Mapping[str, FileRule]) -> dict[str, Any]:
    """What to give a route as `openapi_extra` whose form `read_form` reads, so that it is documented all the same."""
    schema = model.model_json_schema(ref_template=SCHEMA_REF_TEMPLATE)
    properties = dict(schema.get("properties", {}))
    for name, rule in files.items():
        file = {"type": "string", "format": "binary"}
        properties[name] = file if rule.max_count == 1 else _array_of_files(file, rule)
    required = [*schema.get("required", ()), *(name for name, rule in files.items() if rule.min_count)]
    form = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    if "$defs" in schema:
        form["$defs"] = schema["$defs"]
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}}}


def _array_of_files(file: dict[str, Any], rule: FileRule) -> dict[str, Any]:
    return {"type": "array", "items": file, "minItems": rule.min_count, "maxItems": rule.max_count}


def docs_page(request: Request) -> HTMLResponse:
    app: FastAPI = request.app
    groups = groups_of(app.openapi(), _who_may(app))
    services = [(name, EVENT_DOCS_PATH.format(name)) for name in EVENT_OWNERS]
    return shared_templates(
        request, "docs.html", title=app.title, version=app.version, groups=groups, services=services
    )


def groups_of(described: Mapping[str, Any], who: Mapping[tuple[str, str], str]) -> list[Group]:
    """Every call of an OpenAPI description under its first tag, in the order of the routes."""
    groups: dict[str, Group] = {}
    for path, calls in described.get("paths", {}).items():
        for method, call in calls.items():
            name = (call.get("tags") or ["lain-lain"])[0]
            group = groups.setdefault(name, Group(name))
            group.calls.append(_call(method.upper(), path, call, described, who))
    return list(groups.values())


def _call(
    method: str, path: str, call: Mapping[str, Any], document: Mapping[str, Any], who: Mapping[tuple[str, str], str]
) -> Call:
    answers = tuple(status for status in call.get("responses", {}) if status != "default")
    return Call(
        method, path, call.get("description", ""), who.get((method, path), ""), tuple(_fields(call, document)), answers
    )


def _fields(call: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[Field]:
    for one in call.get("parameters", ()):
        kind = describe_schema(one.get("schema", {}), document)
        yield Field(one["name"], one["in"], kind, one.get("required", False), one.get("description", ""))
    for media_type, content in call.get("requestBody", {}).get("content", {}).items():
        place = "form" if media_type.startswith("multipart") else "body"
        schema = _resolved(content.get("schema", {}), document)
        for name, one in schema.get("properties", {}).items():
            kind = describe_schema(one, {**document, **schema})
            yield Field(name, place, kind, name in schema.get("required", ()), one.get("description", ""))


def _resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema that a reference within the description stands for."""
    reference = schema.get("$ref", "")
    if not reference:
        return schema
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found.get(step, {})
    return _resolved(found, document)


def describe_schema(schema: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """What a value must be, in a few words."""
    schema = _resolved(schema, document)
    if choices := schema.get("enum") or ([schema["const"]] if "const" in schema else None):
        return " | ".join(str(choice) for choice in choices)
    if several := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        return " | ".join(dict.fromkeys(describe_schema(one, document) for one in several))
    if schema.get("type") == "array":
        return f"[{describe_schema(schema.get('items') or _first(schema), document)}]{_range(schema, 'minItems', 'maxItems', '')}"
    if "properties" in schema:
        return (
            "{"
            + ", ".join(f"{name}: {describe_schema(one, document)}" for name, one in schema["properties"].items())
            + "}"
        )
    if schema.get("format") == "binary" or schema.get("contentMediaType"):
        return "berkas"
    kind = str(schema.get("format") or schema.get("type", ""))
    letters = _range(schema, "minLength", "maxLength", " huruf")
    return kind + (letters or _range(schema, "minimum", "maximum", ""))


def _first(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return next(iter(schema.get("prefixItems", ())), {})


def _range(schema: Mapping[str, Any], min_count: str, max_count: str, unit: str) -> str:
    low, high = (f"{schema[name]:g}" if name in schema else "" for name in (min_count, max_count))
    if low and high:
        return f" {low}-{high}{unit}"
    if high:
        return f" ≤ {high}{unit}"
    return f" ≥ {low}{unit}" if low else ""


def _who_may(app: FastAPI) -> dict[tuple[str, str], str]:
    told = {}
    for context in iter_route_contexts(app.routes):
        dependant = getattr(context, "dependant", None)
        if dependant is not None:
            for method in context.methods or ():
                told[method, context.path or ""] = _label(declared_access(dependant))
    return told


def _label(access: Access | None) -> str:
    if access is None or access == "public":
        return "" if access is None else "terbuka"
    if access == "applicant":
        return "pemohon, dengan kunci lacak"
    if access == frozenset(Role):
        return "petugas mana pun"
    return ", ".join(sorted(ROLE_LABELS.get(role, role) for role in access))
