"""The pages and AsyncAPI documents of the events that each service publishes and subscribes to."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.backends.platform import open_platform
from shared.contracts.registry import FACTS
from shared.eventlog.kafka.asyncapi import asyncapi
from shared.settings import Settings
from simpul.app import create_application
from simpul.generate.event_catalogue import SUBSCRIBES_TO
from simpul.registry import SERVICE_NAMES
from tests.support.paths import SAMPLES

TOPIC = "simpul.elsewhere"
SAMPLE_FILES = sorted(SAMPLES.glob("*.json"))


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    platform = open_platform(Settings(data=tmp_path))
    app = create_application(platform)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=platform.settings.origin) as opened:
        yield opened
    await platform.close()


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(reference := node.get("$ref"), str):
            yield reference
        for inner in node.values():
            yield from references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)


def resolve(document: Any, reference: str) -> Any:
    for step in reference.removeprefix("#/").split("/"):
        document = document[step]
    return document


def message_names(document: Any, operation: str) -> list[str]:
    return [one["$ref"].rpartition("/")[2] for one in document["operations"][operation]["messages"]]


@pytest.mark.parametrize("service", SERVICE_NAMES)
async def test_the_page_lists_the_events_of_a_service_without_external_resources(
    client: httpx.AsyncClient, service: str
):
    page = await client.get(f"/api/{service}/events")
    assert page.status_code == 200
    assert not re.search(r"src=.https?://|<link[^>]+https?://|<script|<style| style=| on\w+=", page.text)
    published, subscribed = (part.split("</h2>")[1] for part in re.split(r'<h2 id="', page.text)[1:3])
    for fact in FACTS:
        line = f'<summary class="code">{fact.type()}</summary>'
        assert (line in published) is (fact.owner == service), fact
        assert (line in subscribed) is (fact in SUBSCRIBES_TO[service]), fact
    assert f'href="/api/{service}/events.json"' in page.text
    assert len(page.content) < 80_000


@pytest.mark.parametrize("service", SERVICE_NAMES)
async def test_the_document_is_complete_and_its_references_resolve(client: httpx.AsyncClient, service: str):
    document = (await client.get(f"/api/{service}/events.json")).json()
    assert document["asyncapi"] == "3.0.0"
    for reference in references(document):
        assert resolve(document, reference)
    assert message_names(document, "publish") == [fact.type() for fact in FACTS if fact.owner == service]
    assert set(message_names(document, "subscribe")) == {fact.type() for fact in SUBSCRIBES_TO[service]}
    assert {channel["address"] for channel in document["channels"].values()} == {"simpul.requests"}


async def test_the_api_page_links_to_the_event_pages(client: httpx.AsyncClient):
    page = (await client.get("/api/docs")).text
    for service in SERVICE_NAMES:
        assert f'href="/api/{service}/events"' in page


@pytest.mark.parametrize("path", SAMPLE_FILES, ids=lambda path: path.stem)
def test_event_samples_match_the_document(path: Path):
    event = json.loads(path.read_text())
    document = asyncapi(event["source"], SUBSCRIBES_TO[event["source"]], "1", TOPIC)
    assert document["channels"]["publish"]["bindings"]["kafka"]["topic"] == TOPIC
    payload = document["components"]["messages"][event["type"]]["payload"]
    assert set(payload["required"]) <= event.keys() <= payload["properties"].keys()
    for name, schema in payload["properties"].items():
        if "const" in schema:
            assert event[name] == schema["const"], name
    data = resolve(document, payload["properties"]["data"]["$ref"])
    assert set(data.get("required", ())) <= event["data"].keys() <= data["properties"].keys()
