"""Short summaries of JSON schemas for documentation pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Field:
    """One row of a table of fields: where the value goes (path, query, body, form, data) and its type."""

    name: str
    place: str
    kind: str
    required: bool
    description: str = ""


def _resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a `$ref` within the document."""
    reference = schema.get("$ref", "")
    if not reference:
        return schema
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found.get(step, {})
    return _resolved(found, document)


def describe_schema(schema: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """Summarize the type of a value, for example "string 1-10 huruf" or "red | blue"."""
    schema = _resolved(schema, document)
    if choices := schema.get("enum") or ([schema["const"]] if "const" in schema else None):
        return " | ".join(str(choice) for choice in choices)
    if several := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        return " | ".join(dict.fromkeys(describe_schema(option, document) for option in several))
    if schema.get("type") == "array":
        return f"[{describe_schema(schema.get('items') or _first(schema), document)}]{_range(schema, 'minItems', 'maxItems', '')}"
    if "properties" in schema:
        return (
            "{"
            + ", ".join(
                f"{name}: {describe_schema(field_schema, document)}"
                for name, field_schema in schema["properties"].items()
            )
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
