"""What the subscriber's handler takes: records of the topic, annotated with the events that they should carry."""

from __future__ import annotations

import operator
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import datetime
from functools import reduce
from typing import Any, Generic, Literal, TypeVar, get_args
from uuid import UUID

from aiokafka import ConsumerRecord
from faststream.kafka import KafkaMessage
from pydantic import BaseModel, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

from shared.contracts.facts import Fact
from shared.eventlog.kafka.reader import to_log_record
from shared.eventlog.port import LogRecord

F = TypeVar("F", bound=Fact)
E = TypeVar("E")

Batch = tuple[ConsumerRecord, ...]


class CloudEvent(BaseModel, Generic[F]):
    """The JSON of one event, for annotations and AsyncAPI; `shared.contracts.envelope` reads and writes it."""

    specversion: Literal["1.0"]
    id: UUID = Field(description="the same whenever the command is repeated")
    source: str
    type: str
    subject: UUID = Field(description="the id of the request")
    time: datetime
    datacontenttype: Literal["application/json"]
    sequence: str = Field(pattern="^[0-9]{10}$", description="1, 2, 3 ... per source and request")
    partitionkey: UUID = Field(description="the id of the request")
    correlationid: str = Field(description="the command that started the chain")
    causationid: str = Field(description="the command or event that this event follows from")
    traceparent: str = Field("", description="W3C trace context, if there was one")
    schemaversion: int
    data: F

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Fix the attributes that follow from the type of the data."""
        described = handler.resolve_ref_schema(handler(schema))
        (fact,) = cls.__pydantic_generic_metadata__["args"]
        for name, value in (("source", fact.owner), ("type", fact.type()), ("schemaversion", fact.schemaversion)):
            described["properties"][name] = {"const": value}
        described["title"] = f"{fact.type()}Event"  # the data has the name of the type
        return described


def event_union(facts: Iterable[type[Fact]]) -> Any:
    """Return the union type of the events that carry these facts."""
    return reduce(operator.or_, (CloudEvent[fact] for fact in facts))  # type: ignore[valid-type]


class EventRecord(Generic[E]):
    """A record of the topic that should carry an event of type E; reading the event is left to the handler.

    Not a dataclass: pydantic would ignore the schema hook of a generic one.
    """

    __slots__ = ("record",)

    def __init__(self, record: LogRecord) -> None:
        self.record = record

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Describe the event in JSON schema, from which AsyncAPI is generated, and check for an instance in Python."""
        (event,) = get_args(source)
        return core_schema.json_or_python_schema(handler(event), core_schema.is_instance_schema(cls))


async def parse_without_headers(batch: Batch, parse: Callable[[Batch], Awaitable[KafkaMessage]]) -> KafkaMessage:
    """Drop the headers: on one that is not UTF-8 FastStream's parser raises, and the next commit would skip the batch."""
    return await parse(tuple(replace(record, headers=()) for record in batch))


async def decode_records(message: KafkaMessage) -> list[EventRecord[Any]]:
    """Keep the raw bytes: a batch that fails to decode never reaches the handler, and the next commit would skip it."""
    return [EventRecord(to_log_record(record)) for record in message.raw_message]
