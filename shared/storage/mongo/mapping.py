"""State records as MongoDB documents: each write as one update with an outcome of its own, and the indexes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bson import Timestamp
from pymongo import ASCENDING, IndexModel, UpdateOne

from shared.storage.mongo.client import Fields, is_transient_code
from shared.storage.mongo.word_index import INDEX, SEARCH, WORDS, WORDS_OF, WordFields
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
from shared.storage.subsets import SubsetIndex, subset_indexes

LEAST: dict[str, Scalar | float] = {"text": "", "integer": float("-inf")}
"""The lower bound of stored values, by the kind of column; to the server it is also a condition on the type."""

OUTBOX = "outbox"
IS_DUE = {"$gt": 0}
HAS_OUTBOX = {"outbox.id": {"$gte": ""}}
PROJECTION: Fields = {"version": 1, "latest": 1, "seen": 1, "commands": 1, "body": 1}

_RESERVED_NAMES = {
    "id",
    "_id",
    "version",
    "latest",
    "body",
    "seen",
    "outbox",
    "commands",
    "due_at",
    "change",
    WORDS,
    WORDS_OF,
    COLUMNS_OF,
}
_DUPLICATE, _CANNOT_CREATE = 11000, 28

# An id cannot have fields: an upsert that finds no document fails with this instead of inserting one.
_FAIL_INSERT = {"_id.lost": True}
_NOW = {"change": {"$type": "timestamp"}}


class RecordMapping:
    """Maps the records of one service to documents."""

    def __init__(self, service: str, columns: Sequence[Column]) -> None:
        names = [service, *(name for column in columns for name in (column.name, *column.ordered_by))]
        if not all(name.isidentifier() for name in names) or _RESERVED_NAMES.intersection(names[1:]):
            raise ValueError(f"not all of these are valid names of collections and columns: {names}")
        self.service, self.columns = service, tuple(columns)
        self.records, self.dead_letters = f"{service}_documents", f"{service}_letters"
        self._names = tuple(column.name for column in columns)
        self._words = WordFields() if SEARCH in self._names else None

    def check_column(self, name: str) -> str:
        """Return the name of a declared column. Raises ValueError for any other."""
        if name not in self._names:
            raise ValueError(f"{self.records} has no column {name}")
        return name

    def update(self, write: Write) -> UpdateOne:
        """Return the update that saves a write if the preceding version is stored, and fails otherwise."""
        record = write.record
        fields: Fields = {name: to_bson(write.columns.get(name)) for name in self._names}
        fields |= {
            "version": record.version,
            "latest": record.latest,
            "seen": dict(record.seen),
            "commands": [[command.id, command.digest, command.status, command.version] for command in record.commands],
            "body": record.body,
            "due_at": write.due_at.timestamp() if write.due_at else None,
        }
        if self._words is not None:
            fields |= self._words.of(write)
        update: Fields = {"$set": fields, "$currentDate": _NOW}
        if write.migrated or record.version == 1:
            fields[COLUMNS_OF] = record.version
        else:
            # Columns that an older program wrote or left stay recognizable.
            fields.pop(COLUMNS_VERSION, None)
            update["$inc"] = {COLUMNS_OF: 1}
        if write.outbox:
            to_outbox_entries = [{"id": entry.event_id, "event": entry.event} for entry in write.outbox]
            update["$push"] = {OUTBOX: {"$each": to_outbox_entries}}
        if record.version > 1:
            update["$setOnInsert"] = _FAIL_INSERT
        return UpdateOne({"_id": record.id, "version": record.version - 1}, update, upsert=True)

    def on_saved(self, writes: Sequence[Write]) -> None:
        """Remember which entries of words are stored."""
        if self._words is not None:
            self._words.on_saved(writes)

    def overwritten(self, since: datetime | None) -> Fields:
        """Return the filter for documents written at this time or later by a program that does not know COLUMNS_VERSION."""
        condition: Fields = {
            self.check_column(COLUMNS_VERSION): {"$gte": LEAST["integer"]},
            "$expr": {"$ne": [f"${COLUMNS_OF}", "$version"]},
        }
        return condition if since is None else {**condition, "change": {"$gte": Timestamp(int(since.timestamp()), 0)}}

    def indexes(self) -> list[IndexModel]:
        """Return the indexes of the collection."""
        return [
            IndexModel(
                [("due_at", ASCENDING), ("_id", ASCENDING)], name="due", partialFilterExpression={"due_at": IS_DUE}
            ),
            IndexModel(
                [("_id", ASCENDING), ("outbox.id", ASCENDING)], name="waiting", partialFilterExpression=HAS_OUTBOX
            ),
            IndexModel([("change", ASCENDING)], name="change"),
            *([INDEX] if self._words is not None else []),
            *(index for column in self.columns for index in self._column_indexes(column)),
            *map(_subset_index, subset_indexes(self.columns)),
        ]

    def _column_indexes(self, column: Column) -> list[IndexModel]:
        name = column.name
        if column.filtered_with:
            keys = [(key, ASCENDING) for key in (name, *column.filtered_with)]
            with_others = [IndexModel(keys, name=f"with_{name}")]
        else:
            with_others = []
        if name == SEARCH or not column.indexed:
            return with_others
        if column.unique:
            held = {name: {"$gte": LEAST[column.kind]}}
            return [IndexModel([(name, ASCENDING)], name=f"by_{name}", unique=True, partialFilterExpression=held)]
        return [*with_others, *(self._index(name, order) for order in column.ordered_by or ("",))]

    def _index(self, *columns: str) -> IndexModel:
        keys = [name for name in columns if name]
        return IndexModel([(key, ASCENDING) for key in (*keys, "_id")], name=index_name(*keys))


def _subset_index(index: SubsetIndex) -> IndexModel:
    keys = [("_id" if key == "id" else key, ASCENDING) for key in index.stored_keys]
    return IndexModel(keys, name=index.name, partialFilterExpression={index.column: 1})


def index_name(*columns: str) -> str:
    return "_".join(("by", *columns))


def to_bson(value: Scalar) -> Scalar:
    """Return a value as it is stored and compared; to MongoDB, true does not equal 1."""
    return int(value) if isinstance(value, bool) else value


def record(fields: Fields) -> StateRecord:
    commands = tuple(ProcessedCommand(*processed) for processed in fields["commands"])
    return StateRecord(fields["_id"], fields["version"], fields["body"], fields["seen"], commands, fields["latest"])


def to_outbox_entries(fields: Fields) -> list[OutboxEntry]:
    return [OutboxEntry(fields["_id"], entry["id"], entry["event"]) for entry in fields[OUTBOX]]


def outcome_of(error: Fields) -> SaveOutcome | None:
    """Return the outcome of a failed write, None if its error is unexpected. Raises StoreUnavailable."""
    code = error["code"]
    if code == _DUPLICATE:
        return SaveOutcome.CONFLICT if "_id" in error["keyPattern"] else SaveOutcome.UNIQUE_VIOLATION
    if code == _CANNOT_CREATE:
        return SaveOutcome.CONFLICT
    if is_transient_code(code):
        raise StoreUnavailable(str(error.get("errmsg", code)))
    return None


def split_into_rounds(writes: Sequence[Write]) -> list[list[int]]:
    """Return the indexes of the writes in rounds with each record at most once, so that its writes stay in order."""
    rounds: list[list[int]] = []
    writes_of: dict[str, int] = {}
    for index, write in enumerate(writes):
        number = writes_of.get(write.record.id, 0)
        writes_of[write.record.id] = number + 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(index)
    return rounds
