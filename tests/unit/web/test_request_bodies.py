"""Numbers and booleans in a JSON body must be written as such, not as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from services.assignment import schemas as assignment
from services.intake import schemas as intake
from services.verification import schemas as verification
from shared.web.api.validation import RequestBody
from shared.web.auth import own_account, staff_account_pages

DECLARING_MODULES = (assignment, intake, verification, own_account, staff_account_pages)


def all_bodies(base: type[RequestBody] = RequestBody) -> Iterator[type[RequestBody]]:
    """Yield the request bodies of the product, not those of test harnesses that happen to be imported."""
    for body in base.__subclasses__():
        if body.__module__.startswith(("services.", "shared.")):
            yield body
        yield from all_bodies(body)


def lax_types(part: Any) -> Iterator[str]:
    """The numbers and booleans in a core schema that would also be parsed from text."""
    if isinstance(part, dict):
        if part.get("type") in ("int", "float", "bool") and not part.get("strict"):
            yield part["type"]
        part = list(part.values())
    if isinstance(part, list | tuple):
        for child in part:
            yield from lax_types(child)


BODIES = {body.__qualname__: body for body in all_bodies()}


@pytest.mark.parametrize("name", sorted(BODIES))
def test_a_body_has_strict_numbers_and_booleans(name: str):
    assert list(lax_types(BODIES[name].__pydantic_core_schema__)) == []


def test_a_lax_field_is_found():
    class Lax(RequestBody):
        count: int

    assert list(lax_types(Lax.__pydantic_core_schema__)) == ["int"]
