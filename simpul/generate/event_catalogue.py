"""Generate docs/events.md: every event with its publisher, subscribers and fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from enum import Enum
from inspect import cleandoc
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from services.assignment.events import PUBLISHES as ASSIGNMENT_FACTS
from services.assignment.events import SUBSCRIBES_TO as ASSIGNMENT_EVENTS
from services.intake.events import PUBLISHES as INTAKE_FACTS
from services.intake.events import SUBSCRIBES_TO as INTAKE_EVENTS
from services.notification.events import PUBLISHES as NOTIFICATION_FACTS
from services.notification.events import SUBSCRIBES_TO as NOTIFICATION_EVENTS
from services.verification.events import PUBLISHES as VERIFICATION_FACTS
from services.verification.events import SUBSCRIBES_TO as VERIFICATION_EVENTS
from shared.contracts.facts import Fact, Value
from shared.contracts.registry import FACTS

OUTPUT_PATH = Path(__file__).parents[2] / "docs" / "events.md"

SUBSCRIBES_TO: Mapping[str, frozenset[type[Fact]]] = {
    "intake": INTAKE_EVENTS,
    "verification": VERIFICATION_EVENTS,
    "assignment": ASSIGNMENT_EVENTS,
    "notification": NOTIFICATION_EVENTS,
}

PUBLISHES = INTAKE_FACTS | VERIFICATION_FACTS | ASSIGNMENT_FACTS | NOTIFICATION_FACTS

HEADER = """\
# Events

Generated from `shared/contracts` and the domains by `make docs`. All events are in one log, keyed by request id and retained
forever. A published event never changes: an optional field may be added; anything else is a new `schemaversion` with an upcaster
in `shared/contracts/registry.py` and a sample in `tests/contracts/samples`.

## Envelope

CloudEvents 1.0 in JSON, one line of UTF-8.

| attribute | content |
| --- | --- |
| `specversion` | `1.0` |
| `id` | uuid5 of the command's id and the event's index: a repeated command produces the same events |
| `source` | the service that published it |
| `type` | the name of the event |
| `subject` | the id of the request |
| `time` | ISO 8601 with time zone; never earlier than the time of the events that it follows from |
| `datacontenttype` | `application/json` |
| `sequence` | 1, 2, 3 ... per source and request, ten digits |
| `partitionkey` | the id of the request |
| `correlationid` | the command that started the chain of this event |
| `causationid` | the command or event that caused it |
| `traceparent` | W3C trace context, if tracing was enabled |
| `schemaversion` | the version of `data` |
| `data` | the fields of the event |
"""

TYPE_LABELS: Mapping[Any, str] = {
    str: "text",
    int: "integer",
    bool: "true or false",
    date: "date",
    datetime: "date and time",
}


def render_catalogue() -> str:
    """The page as Markdown."""
    return "\n".join([HEADER, *_overview(), *_events(), *_values()]).rstrip() + "\n"


def _overview() -> Iterator[str]:
    yield "## Publishers and subscribers"
    yield ""
    yield f"| event | version | {' | '.join(SUBSCRIBES_TO)} |"
    yield "| --- | --- |" + " --- |" * len(SUBSCRIBES_TO)
    for fact in FACTS:
        parts = (_role(fact, service) for service in SUBSCRIBES_TO)
        yield f"| [{fact.type()}](#{fact.type().lower()}) | {fact.schemaversion} | {' | '.join(parts)} |"
    yield ""


def _role(fact: type[Fact], service: str) -> str:
    if fact.owner == service:
        return "**publishes**" if fact in PUBLISHES else "in old logs"
    return "subscribes" if fact in SUBSCRIBES_TO[service] else ""


def _events() -> Iterator[str]:
    for service in SUBSCRIBES_TO:
        yield f"## Published by {service}"
        yield ""
        for fact in FACTS:
            if fact.owner == service:
                yield from _section(fact)


def _values() -> Iterator[str]:
    """Every type that an event contains, in the order of first mention."""
    yield "## Values"
    yield ""
    found: dict[type[Any], None] = {}
    for fact in FACTS:
        _collect(fact, found)
    for value in found:
        yield from _section(value)


def _collect(model: type[Value], found: dict[type[Any], None]) -> None:
    for field in model.model_fields.values():
        for part in _parts(field.annotation):
            if part not in found and isinstance(part, type) and issubclass(part, (Value, Enum)):
                found[part] = None
                if issubclass(part, Value):
                    _collect(part, found)


def _parts(annotation: Any) -> list[Any]:
    return [part for inner in get_args(annotation) for part in _parts(inner)] or [annotation]


def _section(kind: type[Any]) -> Iterator[str]:
    yield f"### {kind.__name__}"
    yield ""
    if kind.__doc__ and "__doc__" in vars(kind):
        yield cleandoc(kind.__doc__)
        yield ""
    if issubclass(kind, Enum):
        yield ", ".join(f"`{member.value}`" for member in kind)
    else:
        yield "| field | type | default |"
        yield "| --- | --- | --- |"
        yield from (_row(name, field) for name, field in kind.model_fields.items())
    yield ""


def _row(name: str, field: FieldInfo) -> str:
    return f"| `{name}` | {_type(field.annotation)} | {_default_label(field)} |"


def _default_label(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default is None:
        return "none"
    return f"`{field.default!r}`" if field.default not in ("", ()) else "empty"


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return " or ".join("none" if part is NoneType else _type(part) for part in arguments)
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in arguments)
    return TYPE_LABELS.get(annotation) or f"[{annotation.__name__}](#{annotation.__name__.lower()})"


def main() -> None:
    OUTPUT_PATH.write_text(render_catalogue(), encoding="utf-8")
    print(f"written: {OUTPUT_PATH.relative_to(OUTPUT_PATH.parents[1])}")


if __name__ == "__main__":
    main()
