"""State documents in MongoDB: one write as one update that loses as an error of its own, and the indexes that documents need."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bson import Timestamp
from pymongo import ASCENDING, IndexModel, UpdateOne

from shared.storage.mongo.client import Fields, is_transient_code
from shared.storage.port import (
    COLUMNS_OF,
    COLUMNS_VERSION,
    Column,
    OutboxEntry,
    ProcessedCommand,
    SaveOutcome,
    Scalar,
    StateRecord,
    StoreUnavailable,
    Write,
)

SEARCH = "search"
LEAST: dict[str, Scalar | float] = {"text": "", "integer": float("-inf")}
"""Not less than this is what a column of each kind holds, if it holds anything: so the server reads it as a type as well."""

OUTBOX = "outbox"
DUE = {"$gt": 0}
WAITING = {"outbox.id": {"$gte": ""}}
DOCUMENT: Fields = {"version": 1, "latest": 1, "seen": 1, "commands": 1, "body": 1}

_TAKEN = {"id", "_id", "version", "latest", "body", "seen", "outbox", "commands", "due_at", "change", COLUMNS_OF}
_DUPLICATE, _CANNOT_CREATE = 11000, 28

# Nothing can be put into an id, so that an update which finds no document ends as an error and inserts none.
_LOSE = {"_id.lost": True}
_NOW = {"change": {"$type": "timestamp"}}


class RecordMapping:
    """What the documents of one service look like."""

    def __init__(self, service: str, columns: Sequence[Column]) -> None:
        names = [service, *(name for column in columns for name in (column.name, column.ordered_by) if name)]
        if not all(name.isidentifier() for name in names) or _TAKEN.intersection(names[1:]):
            raise ValueError(f"not all of these can name collections and columns: {names}")
        self.service, self.columns = service, tuple(columns)
        self.records, self.dead_letters = f"{service}_documents", f"{service}_letters"
        self._names = tuple(column.name for column in columns)

    def known(self, name: str) -> str:
        if name not in self._names:
            raise ValueError(f"{self.records} has no column {name}")
        return name

    def update(self, write: Write) -> UpdateOne:
        """Saves the write if the version before it is stored, else fails with an error of its own."""
        record = write.record
        fields: Fields = {name: to_bson(write.columns.get(name)) for name in self._names}
        fields |= {
            "version": record.version,
            COLUMNS_OF: record.version,
            "latest": record.latest,
            "seen": dict(record.seen),
            "commands": [[one.id, one.digest, one.status, one.version] for one in record.commands],
            "body": record.body,
            "due_at": write.due_at.timestamp() if write.due_at else None,
        }
        update: Fields = {"$set": fields, "$currentDate": _NOW}
        if write.outbox:
            outbox_entries = [{"id": entry.event_id, "event": entry.event} for entry in write.outbox]
            update["$push"] = {OUTBOX: {"$each": outbox_entries}}
        if record.version > 1:
            update["$setOnInsert"] = _LOSE
        return UpdateOne({"_id": record.id, "version": record.version - 1}, update, upsert=True)

    def overwritten(self, since: datetime | None) -> Fields:
        """The filter of documents that a program wrote, at this time or later, which does not know COLUMNS_VERSION."""
        wanted: Fields = {
            self.known(COLUMNS_VERSION): {"$gte": LEAST["integer"]},
            "$expr": {"$ne": [f"${COLUMNS_OF}", "$version"]},
        }
        return wanted if since is None else {**wanted, "change": {"$gte": Timestamp(int(since.timestamp()), 0)}}

    def indexes(self) -> list[IndexModel]:
        return [
            IndexModel(
                [("due_at", ASCENDING), ("_id", ASCENDING)], name="due", partialFilterExpression={"due_at": DUE}
            ),
            IndexModel([("_id", ASCENDING), ("outbox.id", ASCENDING)], name="waiting", partialFilterExpression=WAITING),
            IndexModel([("change", ASCENDING)], name="change"),
            *(self._index(column) for column in self.columns if column.name != SEARCH),
        ]

    def _index(self, column: Column) -> IndexModel:
        name = column.name
        if column.unique:
            held = {name: {"$gte": LEAST[column.kind]}}
            return IndexModel([(name, ASCENDING)], name=f"by_{name}", unique=True, partialFilterExpression=held)
        keys = [key for key in (name, column.ordered_by) if key]
        return IndexModel([(key, ASCENDING) for key in (*keys, "_id")], name="_".join(("by", *keys)))


def to_bson(value: Scalar) -> Scalar:
    """A value as it is stored and compared: to MongoDB, true is not 1."""
    return int(value) if isinstance(value, bool) else value


def record(fields: Fields) -> StateRecord:
    commands = tuple(ProcessedCommand(*processed) for processed in fields["commands"])
    return StateRecord(fields["_id"], fields["version"], fields["body"], fields["seen"], commands, fields["latest"])


def outbox_entries(fields: Fields) -> list[OutboxEntry]:
    return [OutboxEntry(fields["_id"], entry["id"], entry["event"]) for entry in fields[OUTBOX]]


def outcome_of(error: Fields) -> SaveOutcome | None:
    """What the error of one update says about its write, None if that is not foreseen; raises StoreUnavailable."""
    code = error["code"]
    if code == _DUPLICATE:
        return SaveOutcome.CONFLICT if "_id" in error["keyPattern"] else SaveOutcome.UNIQUE_VIOLATION
    if code == _CANNOT_CREATE:
        return SaveOutcome.CONFLICT
    if is_transient_code(code):
        raise StoreUnavailable(str(error.get("errmsg", code)))
    return None


def in_rounds(writes: Sequence[Write]) -> list[list[int]]:
    """The places of the writes, in rounds in which each document occurs once, so that they are done in their order."""
    rounds: list[list[int]] = []
    met: dict[str, int] = {}
    for place, write in enumerate(writes):
        turn = met.get(write.record.id, 0)
        met[write.record.id] = turn + 1
        if turn == len(rounds):
            rounds.append([])
        rounds[turn].append(place)
    return rounds
