"""The OpenAPI document as a contract: formats, patterns, idempotency keys, statuses, schemas and operation ids."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.backends.platform import open_platform
from shared.settings import Settings
from simpul.app import create_application

Call = dict[str, Any]


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("described")
    return create_application(open_platform(Settings(data=folder, public_rate=0))).openapi()


def calls(described: dict[str, Any]) -> Iterator[tuple[str, str, Call]]:
    for path, methods in described["paths"].items():
        for method, call in methods.items():
            yield method, path, call


def fields(described: dict[str, Any], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The schemas of all request fields and parameters with this name."""
    for method, path, call in calls(described):
        for parameter in call.get("parameters", ()):
            if parameter["name"] == name:
                yield f"{method} {path}", parameter["schema"]
        for content in call.get("requestBody", {}).get("content", {}).values():
            properties = resolved(described, content["schema"]).get("properties", {})
            if name in properties:
                yield f"{method} {path}", properties[name]


def resolved(described: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" in schema:
        return resolved(described, next(each for each in schema["anyOf"] if each.get("type") != "null"))
    if "$ref" not in schema:
        return schema
    found: Any = described
    for step in schema["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return resolved(described, found)


def test_every_reference_resolves(described: dict[str, Any]):
    references = set(re.findall(r"'\$ref': '([^']+)'", repr(described)))
    assert references
    for reference in references:
        assert resolved(described, {"$ref": reference})
    assert "$defs" not in repr(described)


def test_every_status_is_listed_explicitly(described: dict[str, Any]):
    for method, path, call in calls(described):
        statuses = set(call["responses"])
        assert "default" not in statuses, path
        assert {"500", "503"} <= statuses, path
        assert "{" not in path or "404" in statuses, path
        assert "security" not in call or "401" in statuses, path
        assert "requestBody" not in call or {"400", "408", "413", "415", "422"} <= statuses, path
        for status, answer in call["responses"].items():
            if int(status) >= 400:
                assert list(answer["content"]) == ["application/problem+json"], (method, path, status)


def test_emails_dates_and_cursors_have_a_format_or_a_pattern(described: dict[str, Any]):
    found = {name: list(fields(described, name)) for name in ("email", "letter_date", "target_date", "after", "before")}
    assert {name: len(schemas) for name, schemas in found.items()} == {
        "email": 7,
        "letter_date": 3,
        "target_date": 3,
        "after": 8,
        "before": 6,
    }
    for where, schema in found["email"]:
        assert resolved(described, schema).get("format") == "email", where
    for name in ("letter_date", "target_date"):
        for where, schema in found[name]:
            day = resolved(described, schema)
            assert (day["format"], day["pattern"]) == ("date", "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), where
    for name in ("after", "before"):
        for where, schema in found[name]:
            assert (schema["pattern"], schema["maxLength"]) == ("^[A-Za-z0-9_-]*$", 1000), where


def test_a_checklist_has_a_finding_for_each_item(described: dict[str, Any]):
    checklists = list(fields(described, "checklist"))
    assert len(checklists) == 2
    for where, schema in checklists:
        assert (schema["minItems"], schema["maxItems"]) == (1, 20), where
        item = resolved(described, resolved(described, schema["items"])["properties"]["item"])
        assert (item["type"], item["minLength"], item["maxLength"]) == ("string", 1, 40), where
    [(_, codes)] = fields(described, "acknowledged_warnings")
    assert "birth_date" in codes["items"]["enum"]


def test_every_command_documents_the_idempotency_key(described: dict[str, Any]):
    with_key = {where for where, _ in fields(described, "Idempotency-Key")}
    commands = {f"{method} {path}" for method, path, _ in calls(described) if method == "post"}
    without = {"post /api/session", "post /api/links"}
    without |= {f"post /api/dead-letters/{{letter_id}}/{step}" for step in ("replay", "discard")}
    assert with_key == commands - without
    for where, schema in fields(described, "Idempotency-Key"):
        assert (schema["pattern"], schema["maxLength"]) == ("^[!-~]{1,200}$", 200), where


def test_a_download_documents_range_requests(described: dict[str, Any]):
    downloads = [call for _, path, call in calls(described) if path.endswith("/documents/{document_id}")]
    assert len(downloads) == 3
    for call in downloads:
        assert {"200", "206", "416"} <= set(call["responses"])
        assert "application/json" not in call["responses"]["200"]["content"]


def test_every_success_has_a_schema(described: dict[str, Any]):
    for method, path, call in calls(described):
        for status, answer in call["responses"].items():
            if int(status) < 300:
                for content in answer["content"].values():
                    schema = resolved(described, content["schema"])
                    assert (
                        schema.get("properties") or schema.get("type") == "string" or "additionalProperties" in schema
                    ), (
                        method,
                        path,
                    )
                    assert schema.get("additionalProperties") is not True, (method, path)


def test_operation_ids_are_unique_and_start_with_a_described_tag(described: dict[str, Any]):
    tags = {tag["name"]: tag["description"] for tag in described["tags"]}
    ids = [(call["operationId"], call["tags"]) for _, _, call in calls(described)]
    assert len({operation_id for operation_id, _ in ids}) == len(ids)
    for operation_id, [tag] in ids:
        assert tags[tag]
        assert operation_id.startswith(tag.replace(" ", "_") + "_")


def test_the_document_names_its_servers_security_schemes_and_contact(described: dict[str, Any]):
    assert described["servers"]
    assert set(described["components"]["securitySchemes"]) == {"session", "tracking"}
    assert described["info"]["description"]
    assert described["info"]["contact"]
    assert described["components"]["schemas"]["Problem"]["examples"]
