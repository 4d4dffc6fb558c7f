"""Port of the office store."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

_COLLECTION = re.compile(r"[a-z][a-z_]*", re.ASCII)


class EntryConflict(Exception):
    """The stored version of an entry is not the expected one."""


@dataclass(frozen=True, slots=True)
class OfficeEntry:
    """A stored JSON object; its first version is 1. After `expires_at` it is no longer found."""

    collection: str
    key: str
    version: int
    body: Mapping[str, Any] = field(default_factory=dict)
    expires_at: datetime | None = None


class OfficeStore(Protocol):
    """Store of small JSON objects by (collection, key).

    A collection is named in lower case letters and underscores; a key is any text, and a prefix of keys selects entries that belong
    together. Every method may raise StoreUnavailable. Conformance suite: tests/adapters/test_office_store.py.
    """

    async def prepare(self) -> None:
        """Create what the store needs; it may be called again."""

    async def get(self, collection: str, key: str) -> OfficeEntry | None:
        """Return an entry, None if there is none or it has expired."""

    async def put(
        self,
        collection: str,
        key: str,
        body: Mapping[str, Any],
        *,
        expected: int | None = None,
        expires_at: datetime | None = None,
    ) -> OfficeEntry:
        """Store the whole object and return the entry with its new version.

        `expected` is the version that it replaces, 0 if there must be none; without it the last writer wins. Raises: EntryConflict.
        """

    async def entries(self, collection: str, prefix: str = "") -> list[OfficeEntry]:
        """The entries of a collection whose keys begin with `prefix`, by key in the order of code points."""

    async def delete(self, collection: str, key: str, *, expected: int | None = None) -> bool:
        """Remove an entry; False if there is none. Raises: EntryConflict if it has another version than `expected`."""

    async def all_entries(self) -> list[OfficeEntry]:
        """The entries of all collections that do not expire, by collection and key."""

    async def unreadable_entries(self) -> list[str]:
        """The collection and key of every entry whose body is no JSON object."""


def check_collection(name: str) -> str:
    """Return the name of a collection. Raises ValueError if it is not valid."""
    if not _COLLECTION.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a collection")
    return name
