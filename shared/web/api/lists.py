"""Keyset pagination: query parameters, opaque cursors, and the response."""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import BaseModel, Field, field_validator, model_validator

from shared.runtime.executor import Loaded, LoadedPage
from shared.storage.port import Scalar
from shared.web.api.problems import validation_problem
from shared.web.api.validation import FieldError, InputModel

State = TypeVar("State")

MAX_PAGE_SIZE = 200
_MAX_CURSOR_LENGTH = 1000
_INVALID_CURSOR = "Penanda halaman ini tidak dikenal. Mulailah lagi dari awal daftar."
_OTHER_ORDER = "Penanda halaman ini milik urutan lain. Mulailah lagi dari awal daftar."

CursorText = Annotated[
    str,
    Field(
        max_length=_MAX_CURSOR_LENGTH,
        description="`next` or `previous` of a page that was answered",
        json_schema_extra={"pattern": "^[A-Za-z0-9_-]*$"},
    ),
]


class ListQuery(InputModel):
    """`limit`, `after` and `before` of a list; subclasses add filters. Use it as `Annotated[ListQuery, Query()]`."""

    limit: int = Field(50, ge=1, le=MAX_PAGE_SIZE)
    after: CursorText = ""
    before: CursorText = ""

    @field_validator("after", "before")
    @classmethod
    def _is_cursor(cls, value: str) -> str:
        if value and _parse_cursor(value, 2) is None and _parse_cursor(value, 3) is None:
            raise ValueError(_INVALID_CURSOR)
        return value

    @model_validator(mode="after")
    def _single_direction(self) -> Self:
        if self.after and self.before:
            raise ValueError("Pilih salah satu: after atau before.")
        if (cursor := self.after or self.before) and _order_of(cursor) != self.order_name:
            raise ValueError(_OTHER_ORDER)
        return self

    @property
    def order_name(self) -> str:
        """The order that cursors belong to, "" for the usual one."""
        return ""

    @property
    def after_key(self) -> tuple[Scalar, str] | None:
        return _decode_key(self.after)

    @property
    def before_key(self) -> tuple[Scalar, str] | None:
        return _decode_key(self.before)


def _decode_key(cursor: str) -> tuple[Scalar, str] | None:
    if not cursor:
        return None
    order, record_id, *_ = decode_cursor(cursor, 3 if _order_of(cursor) else 2)
    return order, str(record_id)


def _order_of(cursor: str) -> str:
    key = _parse_cursor(cursor, 3)
    return str(key[2]) if key else ""


def encode_cursor(key: Sequence[Scalar]) -> str:
    """Encode the parts of a key as URL-safe text."""
    return urlsafe_b64encode(json.dumps(list(key), separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, parts: int = 2) -> tuple[Scalar, ...]:
    """Decode the parts of a key. Raises Problem 422 for text that `encode_cursor` did not produce."""
    key = _parse_cursor(cursor, parts)
    if key is None:
        raise validation_problem([FieldError("after", _INVALID_CURSOR)])
    return key


def _parse_cursor(cursor: str, parts: int) -> tuple[Scalar, ...] | None:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        key = json.loads(urlsafe_b64decode(padded)) if len(cursor) <= _MAX_CURSOR_LENGTH else None
    except (binascii.Error, ValueError, RecursionError):
        return None
    if not isinstance(key, list) or len(key) != parts or encode_cursor(key) != cursor:
        return None
    return tuple(key) if all(part is None or _is_scalar(part) for part in key) else None


def _is_scalar(part: object) -> bool:
    if isinstance(part, str):
        return "\0" not in part and not any("\ud800" <= character <= "\udfff" for character in part)
    return isinstance(part, int) and abs(part) < 2**63


def drop_blank_values(data: Any) -> Any:
    """Treat blank fields of a search form as absent. For use as a `model_validator(mode="before")`."""
    return {name: value for name, value in data.items() if value != ""} if isinstance(data, dict) else data


Item = TypeVar("Item")


class PageResponse(BaseModel, Generic[Item]):
    """A page of a list; `next` and `previous` are the values of `after` and `before` for the adjacent pages."""

    items: list[Item]
    next: str | None
    previous: str | None


class CountedPageResponse(PageResponse[Item], Generic[Item]):
    """A page of a list, and the number of all its items if that was asked for."""

    total: int = 0


def page_response(page: LoadedPage[State], to_item: Callable[[Loaded[State]], Any], order: str = "") -> dict[str, Any]:
    """`{items, next, previous}`, the latter two being the cursors for `after` and `before`, or None.

    `order` is that of the list, "" for the usual one.
    """

    def cursor(key: tuple[Scalar, str] | None) -> str | None:
        return encode_cursor((*key, order) if order else key) if key else None

    return {
        "items": [to_item(loaded) for loaded in page.items],
        "next": cursor(page.next),
        "previous": cursor(page.previous),
    }
