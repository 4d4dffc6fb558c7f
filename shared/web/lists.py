"""Lists by key: what may be asked of one, its cursors that say nothing to anybody else, and its shape."""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Self, TypeVar

from pydantic import Field, field_validator, model_validator

from shared.runtime.execution import Kept, KeptPage
from shared.storage.port import Scalar
from shared.web.bodies import FieldError, Fields
from shared.web.problems import invalid

State = TypeVar("State")

MOST = 200
_LONGEST = 1000
_UNKNOWN = "Penanda halaman ini tidak dikenal. Mulailah lagi dari awal daftar."


CursorText = Annotated[
    str,
    Field(
        max_length=_LONGEST,
        description="`next` or `previous` of a page that was answered",
        json_schema_extra={"pattern": "^[A-Za-z0-9_-]*$"},
    ),
]


class ListQuery(Fields):
    """`limit`, `after` and `before` of a list; a subclass adds its filters. Use: `Annotated[ListQuery, Query()]`."""

    limit: int = Field(50, ge=1, le=MOST)
    after: CursorText = ""
    before: CursorText = ""

    @field_validator("after", "before")
    @classmethod
    def _is_cursor(cls, value: str) -> str:
        if value and _read(value, 2) is None:
            raise ValueError(_UNKNOWN)
        return value

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.after and self.before:
            raise ValueError("Pilih salah satu: after atau before.")
        return self

    @property
    def after_key(self) -> tuple[Scalar, str] | None:
        return _key(self.after)

    @property
    def before_key(self) -> tuple[Scalar, str] | None:
        return _key(self.before)


def _key(cursor: str) -> tuple[Scalar, str] | None:
    if not cursor:
        return None
    order, id = decode_cursor(cursor)
    return order, str(id)


def encode_cursor(key: Sequence[Scalar]) -> str:
    """The parts of a key as text that is safe in an address."""
    return urlsafe_b64encode(json.dumps(list(key), separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, parts: int = 2) -> tuple[Scalar, ...]:
    """The parts of a key. Raises Problem 422 for anything that `encode_cursor` did not make."""
    key = _read(cursor, parts)
    if key is None:
        raise invalid([FieldError("after", _UNKNOWN)])
    return key


def _read(cursor: str, parts: int) -> tuple[Scalar, ...] | None:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        key = json.loads(urlsafe_b64decode(padded)) if len(cursor) <= _LONGEST else None
    except (binascii.Error, ValueError, RecursionError):
        return None
    if not isinstance(key, list) or len(key) != parts or encode_cursor(key) != cursor:
        return None
    return tuple(key) if all(part is None or _plain(part) for part in key) else None


def _plain(part: object) -> bool:
    if isinstance(part, str):
        return "\0" not in part and not any("\ud800" <= letter <= "\udfff" for letter in part)
    return isinstance(part, int) and abs(part) < 2**63


def without_blanks(given: Any) -> Any:
    """A form that asks says nothing by leaving a field blank. For a model's validator before all others."""
    return {name: value for name, value in given.items() if value != ""} if isinstance(given, dict) else given


def page_of(page: KeptPage[State], to_item: Callable[[Kept[State]], Any]) -> dict[str, Any]:
    """`{items, next, previous}`, where the latter are the `after` and `before` of the neighbouring pages, or None."""
    return {
        "items": [to_item(kept) for kept in page.items],
        "next": encode_cursor(page.next) if page.next else None,
        "previous": encode_cursor(page.previous) if page.previous else None,
    }
