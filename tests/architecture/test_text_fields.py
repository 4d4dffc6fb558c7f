"""Every text input is cleaned by one module before validation, or is listed here with the reason."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

from pydantic import BeforeValidator, Field
from pydantic.fields import FieldInfo

import simpul.app  # noqa: F401 - brings in every model of a form, a query or a body
from shared.web.api.validation import InputModel, RequestBody
from shared.web.forms.text_fields import (
    CLEAN_EMAIL,
    CLEAN_LINE,
    CLEAN_NUMBER,
    CLEAN_PARAGRAPHS,
    CLEAN_PHONE,
    STRIP_INVISIBLE,
)

CLEANERS = (CLEAN_EMAIL, STRIP_INVISIBLE, CLEAN_LINE, CLEAN_NUMBER, CLEAN_PARAGRAPHS, CLEAN_PHONE)
EXACT = {
    "after": "a cursor that the server made",
    "before": "a cursor that the server made",
    "search": "folded as a whole before it is compared",
    "unit": "of a filter: the name of a unit as the page offers it",
    "request": "a registration number or an id, folded before it is looked up",
    "service": "one of four names",
    "status": "one of the list's names",
    "tab": "one of the page's names",
    "done": "made by the server",
    "number": "made by the server, by a pattern",
    "month": "a year and a month, by a pattern",
    "antre": "made by the server",
    "sort": "one of the list's columns",
    "lead": "of a filter: a user name as the page offers it",
    "claimed_by": "of a filter: a user name as the page offers it",
    "replaces": "ids of documents",
    "acknowledged_warnings": "codes",
    "acknowledged": "codes",
}


def texts(annotation: Any, cleaned: bool = False) -> Iterator[bool]:
    """Return for every `str` in an annotation whether it has a cleaner."""
    if annotation is str:
        yield cleaned
    elif get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        yield from texts(
            inner, cleaned or any(isinstance(one, BeforeValidator) and one in CLEANERS for one in metadata)
        )
    else:
        for argument in get_args(annotation):
            yield from texts(argument, cleaned)


def constrained_before_cleaning(annotation: Any) -> Iterator[Any]:
    """Return the annotations whose limits stand after the cleaner: pydantic reports them as limits of a list."""
    if get_origin(annotation) is Annotated:
        metadata = get_args(annotation)[1:]
        cleaners = [place for place, one in enumerate(metadata) if one in CLEANERS]
        if any(isinstance(one, FieldInfo) and one.metadata for one in metadata[min(cleaners, default=len(metadata)) :]):
            yield annotation
    for argument in get_args(annotation):
        yield from constrained_before_cleaning(argument)


def models(of: type[InputModel]) -> Iterator[type[InputModel]]:
    for model in of.__subclasses__():
        if model.__module__.split(".")[0] in ("services", "shared", "simpul"):
            yield model
        yield from models(model)


def uncleaned(model: type[InputModel]) -> list[str]:
    hints = {name: typing.get_type_hints(model, include_extras=True).get(name) for name in model.model_fields}
    return [name for name, hint in hints.items() if not all(texts(hint))]


def lax(schema: Any) -> Iterator[str]:
    """Return the types of numbers and booleans in a core schema that also accept text."""
    if isinstance(schema, dict):
        if schema.get("type") in ("int", "float", "bool") and not schema.get("strict"):
            yield schema["type"]
        schema = list(schema.values())
    if isinstance(schema, list | tuple):
        for part in schema:
            yield from lax(part)


def test_numbers_and_booleans_of_json_bodies_are_strict():
    assert not {model.__name__ for model in models(RequestBody) if list(lax(model.__pydantic_core_schema__))}


def test_a_lax_number_is_detected():
    class Careless(RequestBody):
        count: int = Field(1, ge=1)
        percent: int | None = Field(None, ge=1, strict=True)

    assert list(lax(Careless.__pydantic_core_schema__)) == ["int"]


def test_every_text_input_is_cleaned():
    found = {
        f"{model.__name__}.{name}" for model in models(InputModel) for name in uncleaned(model) if name not in EXACT
    }
    assert not found


def test_limits_stand_before_the_cleaner():
    found = {
        f"{model.__name__}.{name}"
        for model in models(InputModel)
        for name in model.model_fields
        if list(constrained_before_cleaning(typing.get_type_hints(model, include_extras=True).get(name)))
    }
    assert not found


def test_an_uncleaned_text_field_is_detected():
    class Careless(InputModel):
        remark: str
        careful: Annotated[str, CLEAN_LINE] | None = None

    assert uncleaned(Careless) == ["remark"]
