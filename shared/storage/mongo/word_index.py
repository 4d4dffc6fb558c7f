"""The index of the words of records in MongoDB: a multikey index of what begins at each letter of each word.

A part of a word is the beginning of one of these entries, so that one range of the index finds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from bson import Timestamp
from cachetools import LRUCache
from pymongo import ASCENDING, IndexModel, UpdateOne

from shared.storage import search
from shared.storage.mongo.client import Collection, Fields, MongoDatabase
from shared.storage.port import Progress, Write

SEARCH, WORDS, WORDS_OF = "search", "words", "words_of"
"""The searched text, its entries, and the version of the record when they were made; an older program leaves an earlier one."""
INDEX = IndexModel([(WORDS, ASCENDING)], name=WORDS)
MAX_ENTRY_LENGTH = 16
MAX_CACHED_TEXTS = 5_000
INDEXED_AT_ONCE = 200
OVERLAP_SECONDS = 3600
"""Writes that an older program may have begun before the last examination."""


def word_entries(text: str) -> list[str]:
    """Return each word with a space before it, and what begins at each of its letters up to the last but two."""
    entries: dict[str, None] = {}
    for word in text.split(" "):
        entries[f" {word}"[:MAX_ENTRY_LENGTH]] = None
        entries.update(dict.fromkeys(word[start : start + MAX_ENTRY_LENGTH] for start in range(len(word) - 2)))
    return list(entries)


def term_filter(term: str) -> Fields:
    """Return the filter for records with a term of a search, or a beginning of it that fits an entry."""
    if term.endswith(" "):
        return {WORDS: term[:-1]}
    return {WORDS: {"$regex": f"^{re.escape(term[:MAX_ENTRY_LENGTH])}"}}


class WordFields:
    """Builds the fields of an update; entries that are stored already are left out of it."""

    def __init__(self) -> None:
        self._texts: LRUCache[str, tuple[int, int]] = LRUCache(MAX_CACHED_TEXTS)

    def of(self, write: Write) -> Fields:
        record, text = write.record, str(write.columns.get(SEARCH) or "")
        if self._texts.get(record.id) == (record.version - 1, hash(text)):
            return {WORDS_OF: record.version}
        return {WORDS: word_entries(text), WORDS_OF: record.version}

    def on_saved(self, writes: Iterable[Write]) -> None:
        for write in writes:
            self._texts[write.record.id] = write.record.version, hash(str(write.columns.get(SEARCH) or ""))


class WordIndex:
    """The index of one service. A marker says since when it has been complete; without it, nothing is looked up."""

    def __init__(self, database: MongoDatabase, records: Collection) -> None:
        self._database, self._records = database, records
        self._markers = database.collection("word_indexes")
        self._is_known_complete = False

    async def prepare(self) -> None:
        """Note that the entries are complete if there are no records yet."""
        async with self._database.operation():
            is_new = await self._records.find_one({}, {"_id": 1}) is None
        if is_new:
            await self._mark(await self._database.time())

    async def complete(self, progress: Progress) -> None:
        """Add the entries of records that a program without them has written."""
        now, marker = await self._database.time(), await self._marker()
        condition: Fields = {"$expr": {"$ne": [f"${WORDS_OF}", "$version"]}}
        options: dict[str, Any] = {}
        if marker is not None:
            condition["change"] = {"$gte": Timestamp(max(0, marker["since"].time - OVERLAP_SECONDS), 0)}
            options["hint"] = "change"
        after = ""
        while rows := await self._outdated({**condition, "_id": {"$gt": after}}, options):
            async with self._database.operation():
                await self._records.bulk_write(list(map(_update, rows)), ordered=False)
            after = rows[-1]["_id"]
            progress(len(rows))
        await self._mark(now)

    async def _outdated(self, condition: Fields, options: dict[str, Any]) -> list[Fields]:
        cursor = self._records.find(condition, {"version": 1, SEARCH: 1}, sort=[("_id", ASCENDING)], **options)
        async with self._database.operation():
            return await cursor.limit(INDEXED_AT_ONCE).to_list(INDEXED_AT_ONCE)

    async def match(self, terms: Sequence[str]) -> Fields | None:
        """Return the filter of the rarest term, None if all are too common to be looked up."""
        if not terms or not await self._is_complete():
            return None
        fewest, rarest = search.MAX_CANDIDATES, None
        for term in terms:
            count = await self._count(term_filter(term), fewest)
            if count < fewest:
                fewest, rarest = count, term_filter(term)
            if not fewest:
                break
        return rarest

    async def _count(self, condition: Fields, limit: int) -> int:
        if not limit:
            return 0
        async with self._database.operation():
            return await self._records.count_documents(condition, limit=limit, hint=WORDS)

    async def _is_complete(self) -> bool:
        self._is_known_complete = self._is_known_complete or await self._marker() is not None
        return self._is_known_complete

    async def _marker(self) -> Fields | None:
        async with self._database.operation():
            return await self._markers.find_one({"_id": self._records.name})

    async def _mark(self, since: Timestamp) -> None:
        async with self._database.operation():
            await self._markers.update_one({"_id": self._records.name}, {"$set": {"since": since}}, upsert=True)


def _update(row: Fields) -> UpdateOne:
    fields = {WORDS: word_entries(row.get(SEARCH) or ""), WORDS_OF: row["version"]}
    return UpdateOne({"_id": row["_id"], "version": row["version"]}, {"$set": fields})
