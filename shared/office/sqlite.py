"""The office store in the SQLite file of the embedded mode."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import apsw

from shared.clock import Clock
from shared.office.port import EntryConflict, OfficeEntry, check_collection
from shared.storage.sqlite.database import SqliteDatabase

_SCHEMA = """
CREATE TABLE IF NOT EXISTS office (
    collection TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL, expires_at REAL,
    PRIMARY KEY (collection, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS office_expiring ON office (expires_at) WHERE expires_at IS NOT NULL;
"""
_GET = """
SELECT collection, key, version, body, expires_at FROM office
WHERE collection=:collection AND key=:key AND coalesce(expires_at > :now, TRUE)
"""
_LIST = """
SELECT collection, key, version, body, expires_at FROM office
WHERE collection=:collection AND key>=:prefix AND substr(key, 1, length(:prefix))=:prefix AND coalesce(expires_at > :now, TRUE)
ORDER BY key
"""
_LIST_ALL = """
SELECT collection, key, version, body, expires_at FROM office WHERE expires_at IS NULL ORDER BY collection, key
"""
_LIST_UNREADABLE = """
SELECT collection, key FROM office WHERE CASE WHEN json_valid(body) THEN json_type(body) ELSE '' END <> 'object'
ORDER BY collection, key
"""
_PUT = """
INSERT INTO office VALUES (:collection, :key, 1, :body, :expires_at)
ON CONFLICT DO UPDATE SET version=version+1, body=excluded.body, expires_at=excluded.expires_at
RETURNING collection, key, version, body, expires_at
"""
_DELETE = "DELETE FROM office WHERE collection=:collection AND key=:key"


class SqliteOfficeStore:
    """OfficeStore of one process, or of several on one machine."""

    def __init__(self, file: SqliteDatabase, clock: Clock) -> None:
        self._file, self._clock = file, clock

    async def prepare(self) -> None:
        await self._file.write(lambda db: list(db.execute(_SCHEMA)))

    async def get(self, collection: str, key: str) -> OfficeEntry | None:
        rows = self._file.read(_GET, self._bindings(collection, key=key))
        return _entry(rows[0]) if rows else None

    async def put(
        self,
        collection: str,
        key: str,
        body: Mapping[str, Any],
        *,
        expected: int | None = None,
        expires_at: datetime | None = None,
    ) -> OfficeEntry:
        bindings = self._bindings(collection, key=key)
        row = {"body": json.dumps(body), "expires_at": expires_at and expires_at.timestamp()}

        def work(db: apsw.Connection) -> OfficeEntry:
            db.execute("DELETE FROM office WHERE expires_at<=:now", bindings)
            _check_version(db, bindings, expected)
            return _entry(_fetch_one(db, _PUT, {**bindings, **row}))

        return await self._file.write(work)

    async def entries(self, collection: str, prefix: str = "") -> list[OfficeEntry]:
        return [_entry(row) for row in await self._file.query(_LIST, self._bindings(collection, prefix=prefix))]

    async def delete(self, collection: str, key: str, *, expected: int | None = None) -> bool:
        bindings = self._bindings(collection, key=key)

        def work(db: apsw.Connection) -> bool:
            found = _fetch_one(db, _GET, bindings) is not None
            if found:
                _check_version(db, bindings, expected)
            db.execute(_DELETE, bindings)
            return found

        return await self._file.write(work)

    async def all_entries(self) -> list[OfficeEntry]:
        return [_entry(row) for row in await self._file.query(_LIST_ALL)]

    async def unreadable_entries(self) -> list[str]:
        return [f"{collection}/{key}" for collection, key in await self._file.query(_LIST_UNREADABLE)]

    def _bindings(self, collection: str, **values: str) -> dict[str, Any]:
        return {"collection": check_collection(collection), "now": self._clock().timestamp(), **values}


def _check_version(db: apsw.Connection, bindings: dict[str, Any], expected: int | None) -> None:
    if expected is None:
        return
    row = _fetch_one(db, _GET, bindings)
    if (_entry(row).version if row else 0) != expected:
        raise EntryConflict(f"{bindings['collection']}/{bindings['key']}")


def _fetch_one(db: apsw.Connection, sql: str, bindings: dict[str, Any]) -> Any:
    return db.execute(sql, bindings).fetchone()


def _entry(row: tuple[Any, ...]) -> OfficeEntry:
    collection, key, version, body, expires_at = row
    expires = None if expires_at is None else datetime.fromtimestamp(expires_at, UTC)
    return OfficeEntry(collection, key, version, json.loads(body), expires)
