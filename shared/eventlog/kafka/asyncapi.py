"""What a service publishes and hears as an AsyncAPI 3.0 document, made from the contracts with FastStream's own classes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from inspect import cleandoc
from typing import Any, cast

from faststream.specification.asyncapi.v3_0_0.schema import (
    ApplicationInfo,
    ApplicationSchema,
    Channel,
    Components,
    Message,
    Operation,
    Reference,
)
from faststream.specification.asyncapi.v3_0_0.schema.bindings import ChannelBinding, kafka
from faststream.specification.asyncapi.v3_0_0.schema.operations import Action
from pydantic.json_schema import models_json_schema

from shared.contracts.facts import Fact
from shared.contracts.registry import FACTS
from shared.eventlog.kafka.connection import Topic

SCHEMAS, MESSAGES = "#/components/schemas/", "#/components/messages/"
CHANNEL = "requests"
JSON = "application/json"
ABOUT = "CloudEvents 1.0 in JSON, keyed by the id of the request, in order per request, delivered at least once."

TEXT: dict[str, Any] = {"type": "string"}
UUID: dict[str, Any] = {"type": "string", "format": "uuid"}
ENVELOPE: dict[str, dict[str, Any]] = {
    "specversion": {"const": "1.0"},
    "id": {**UUID, "description": "the same whenever the command is repeated"},
    "source": TEXT,
    "type": TEXT,
    "subject": {**UUID, "description": "the id of the request"},
    "time": {"type": "string", "format": "date-time"},
    "datacontenttype": {"const": JSON},
    "sequence": {"type": "string", "pattern": "^[0-9]{10}$", "description": "1, 2, 3 ... per source and request"},
    "partitionkey": {**UUID, "description": "the id of the request"},
    "correlationid": {**TEXT, "description": "what began the chain"},
    "causationid": {**TEXT, "description": "the command or event that it follows from"},
    "traceparent": {**TEXT, "description": "W3C trace context, if there was one"},
    "schemaversion": {"type": "integer"},
}


@cache
def asyncapi(service: str, subscribes_to: frozenset[type[Fact]], version: str, topic: str) -> dict[str, Any]:
    """The document of a service that hears these facts."""
    sent = [fact for fact in FACTS if fact.owner == service]
    heard = [fact for fact in FACTS if fact in subscribes_to]
    both = [fact for fact in FACTS if fact in sent or fact in heard]
    document = ApplicationSchema(
        info=ApplicationInfo(title=f"Simpul: {service}", version=version, description=ABOUT),
        defaultContentType=JSON,
        channels={CHANNEL: _channel(Topic(topic), both)},
        operations={"publish": _operation(Action.SEND, sent), "hear": _operation(Action.RECEIVE, heard)},
        components=Components(messages={fact.type(): _message(fact) for fact in both}, schemas=_schemas(both)),
    )
    return cast(dict[str, Any], document.to_jsonable())


def _channel(topic: Topic, facts: Iterable[type[Fact]]) -> Channel:
    return Channel(
        address=topic.name,
        description="The one log of all services; in embedded mode the same events lie in a table of one file.",
        messages={fact.type(): Reference(**{"$ref": MESSAGES + fact.type()}) for fact in facts},
        bindings=ChannelBinding(kafka=kafka.ChannelBinding(topic=topic.name, partitions=topic.partitions)),
    )


def _operation(action: Action, facts: Iterable[type[Fact]]) -> Operation:
    messages = [Reference(**{"$ref": f"#/channels/{CHANNEL}/messages/{fact.type()}"}) for fact in facts]
    return Operation(action=action, channel=Reference(**{"$ref": f"#/channels/{CHANNEL}"}), messages=messages)


def _message(fact: type[Fact]) -> Message:
    properties = {
        **ENVELOPE,
        "source": {"const": fact.owner},
        "type": {"const": fact.type()},
        "schemaversion": {"const": fact.schemaversion},
        "data": {"$ref": SCHEMAS + fact.__name__},
    }
    required = [name for name in properties if name != "traceparent"]
    return Message(
        name=fact.type(),
        title=fact.type(),
        summary=cleandoc(fact.__doc__) if fact.__doc__ and "__doc__" in vars(fact) else None,
        contentType=JSON,
        payload={"type": "object", "properties": properties, "required": required},
    )


def _schemas(facts: Iterable[type[Fact]]) -> dict[str, dict[str, Any]]:
    _, whole = models_json_schema([(fact, "serialization") for fact in facts], ref_template=SCHEMAS + "{model}")
    return cast(dict[str, dict[str, Any]], whole["$defs"])
