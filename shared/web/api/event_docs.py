"""A page of the events that a service publishes and subscribes to, and the AsyncAPI document behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shared.contracts.facts import Fact
from shared.settings import Settings
from shared.web.api.docs import EVENT_DOCS_PATH, EVENT_OWNERS, docs_access
from shared.web.api.schema_summary import Field, describe_schema
from shared.web.auth.access import GuardedRoute
from shared.web.views.rendering import shared_templates


@dataclass(frozen=True, slots=True)
class EventDescription:
    """An event on the page; `source` is the service that publishes it."""

    name: str
    version: int
    source: str
    summary: str
    fields: tuple[Field, ...]


def router(settings: Settings, service: str, subscribes_to: frozenset[type[Fact]]) -> APIRouter:
    """Return the routes of page and document, for those who may read the API documentation."""
    routes = APIRouter(route_class=GuardedRoute, include_in_schema=False)
    readers = Depends(docs_access(settings))
    path = EVENT_DOCS_PATH.format(service)

    @routes.get(path, dependencies=[readers])
    async def page(request: Request) -> Response:
        document = await _document(service, subscribes_to, request.app.version, settings.kafka_topic)
        groups = {name: list(describe_events(document, name)) for name in document["operations"]}
        services = [(name, EVENT_DOCS_PATH.format(name)) for name in EVENT_OWNERS]
        return shared_templates(
            request,
            "events.html",
            service=service,
            document=document,
            groups=groups,
            services=services,
            json=f"{path}.json",
        )

    @routes.get(f"{path}.json", dependencies=[readers])
    async def document(request: Request) -> JSONResponse:
        return JSONResponse(await _document(service, subscribes_to, request.app.version, settings.kafka_topic))

    return routes


async def _document(service: str, subscribes_to: frozenset[type[Fact]], version: str, topic: str) -> dict[str, Any]:
    # FastStream takes a second to import, and the embedded mode needs it only for this page.
    def make() -> dict[str, Any]:
        from shared.eventlog.kafka.asyncapi import asyncapi

        return asyncapi(service, subscribes_to, version, topic)

    return await asyncio.to_thread(make)


def describe_events(document: Mapping[str, Any], operation: str) -> Iterator[EventDescription]:
    """Yield the events of one operation of an AsyncAPI document, with their fields."""
    for reference in document["operations"][operation]["messages"]:
        message = document["components"]["messages"][reference["$ref"].rpartition("/")[2]]
        properties = message["payload"]["properties"]
        schema = document["components"]["schemas"][properties["data"]["$ref"].rpartition("/")[2]]
        yield EventDescription(
            message["name"],
            properties["schemaversion"]["const"],
            properties["source"]["const"],
            message.get("summary", ""),
            tuple(_fields(schema, document)),
        )


def _fields(schema: Mapping[str, Any], whole: Mapping[str, Any]) -> Iterator[Field]:
    required = schema.get("required", ())
    for name, field_schema in schema.get("properties", {}).items():
        yield Field(
            name, "data", describe_schema(field_schema, whole), name in required, field_schema.get("description", "")
        )
