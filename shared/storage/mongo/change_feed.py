"""Changes of one service's documents: one change stream per process feeds all who listen (docs/decisions/0018)."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bson import Timestamp
from pymongo.errors import OperationFailure, PyMongoError

from shared.storage.mongo.client import Collection, Fields, MongoDatabase, is_transient
from shared.storage.notifier import Notifier
from shared.storage.port import StateChange, StoreUnavailable, Write

logger = logging.getLogger(__name__)

LOOKBACK_SECONDS, SHORT_LOOKBACK_SECONDS = 60, 5
"""Seconds of changes that a process reads again when it begins to listen, and when the server has lost what it wanted to read."""
MAX_REMEMBERED_CHANGES = 50_000
"""Documents of which it is remembered when they last changed."""
OVERLAP_SECONDS = 1
"""Seconds before a cursor that is older than what is remembered: writes at one time may have become visible in another order."""
CATCH_UP_TIMEOUT_SECONDS = 5.0
NO_WAIT_MS, LISTEN_WAIT_MS = 1, 500
"""Milliseconds that the server waits for news before it answers that there is none."""
RETRY_DELAY_SECONDS = 0.3

_VERSION = {"$ifNull": ["$updateDescription.updatedFields.version", "$fullDocument.version"]}
_PIPELINE: list[Fields] = [
    {
        "$match": {
            "$or": [
                {"updateDescription.updatedFields.version": {"$exists": True}},
                {"fullDocument.version": {"$exists": True}},
            ]
        }
    },
    {"$project": {"clusterTime": 1, "documentKey._id": 1, "version": _VERSION}},
]
_CURSOR = re.compile(r"(w?)([0-9]{1,10})\.([0-9]{1,10})", re.ASCII)


@dataclass(frozen=True, slots=True)
class FeedPosition:
    """A point in time of the cluster up to which changes are known.

    `walked`: it is the time that a document says it was written at, met on a walk through all documents in that order, and not
    the time at which the stream told of it.
    """

    time: Timestamp
    walked: bool = False

    def __str__(self) -> str:
        return f"{'w' * self.walked}{self.time.time}.{self.time.inc}"


BEGINNING = FeedPosition(Timestamp(0, 0), walked=True)


def parse_cursor(cursor: str) -> FeedPosition:
    """The place of a cursor; what is none, as a client may send it, stands for the beginning."""
    found = _CURSOR.fullmatch(cursor)
    if found is None or max(int(found[2]), int(found[3])) >= 2**32:
        return BEGINNING
    return FeedPosition(Timestamp(int(found[2]), int(found[3])), found[1] == "w")


class ChangeFeed:
    """When each document last changed, as the change stream tells it; starts to listen when it is first asked.

    All changes after `_floor` are in `_recent`, in the order in which they became visible to everybody.
    """

    def __init__(self, database: MongoDatabase, records: Collection) -> None:
        self._database, self._documents = database, records
        self._recent: OrderedDict[str, StateChange] = OrderedDict()
        self._floor = self._newest = Timestamp(0, 0)
        self._expected: dict[str, int] = {}
        self._notifier = Notifier()
        self._listening: asyncio.Task[None] | None = None
        self._up_to_date, self._stopped, self._trouble = False, False, ""
        self._token: Any = None
        database.on_close(self.stop)

    def saved(self, writes: Sequence[Write]) -> None:
        """These were saved here: nobody is told of changes before the stream has told of them."""
        for write in writes:
            told = self._recent.get(write.record.id)
            if self._up_to_date and (told is None or told.version < write.record.version):
                self._expected[write.record.id] = write.record.version

    async def latest(self) -> str:
        await self._wait_until_caught_up()
        return str(FeedPosition(max(self._newest, self._floor)))

    async def changes(self, after: str, limit: int) -> list[StateChange]:
        await self._wait_until_caught_up()
        known = parse_cursor(after)
        older = await self._walk(known, limit) if known.time < self._floor else []
        return older + self._since(known.time, limit - len(older))

    async def wait(self, after: str, timeout: float) -> None:
        known = parse_cursor(after)
        if known.time < self._floor and await self.changes(after, 1):
            return
        self._listen()
        floor = self._floor
        await self._notifier.wait_for(lambda: self._newest > known.time or self._floor != floor, timeout)

    def _since(self, time: Timestamp, limit: int) -> list[StateChange]:
        news: list[StateChange] = []
        for change in reversed(self._recent.values()):
            if parse_cursor(change.cursor).time <= time:
                break
            news.append(change)
        return news[::-1][:limit]

    async def _walk(self, known: FeedPosition, limit: int) -> list[StateChange]:
        """What changed before all that is remembered, in the order of the times that the documents say."""
        after = known.time if known.walked else Timestamp(max(known.time.time - OVERLAP_SECONDS, 0), 0)
        met: list[StateChange] = []
        while len(met) < limit:
            cursor = self._documents.find(
                {"change": {"$gt": after, "$lte": self._floor}}, {"change": 1, "version": 1}, sort=[("change", 1)]
            )
            async with self._database.operation():
                rows = await cursor.limit(limit).batch_size(limit).to_list(limit)
            rest = [row for row in rows if row["_id"] not in self._recent]
            met += [StateChange(str(FeedPosition(row["change"], True)), row["_id"], row["version"]) for row in rest]
            if len(rows) < limit:
                break
            after = rows[-1]["change"]
        return met[:limit]

    async def _wait_until_caught_up(self) -> None:
        """Return once the stream has told of all that was saved here. Raises StoreUnavailable."""
        self._listen()
        expected = dict(self._expected)

        def told() -> bool:
            return self._up_to_date and not any(self._expected.get(one, 0) >= n for one, n in expected.items())

        if not told() and not await self._notifier.wait_for(told, CATCH_UP_TIMEOUT_SECONDS):
            if not self._up_to_date:
                raise StoreUnavailable(self._trouble or "the change stream does not begin")
            # What it is late with, whoever waits is told of when it comes.
            self._expected.clear()

    def _listen(self) -> None:
        if self._listening is None or self._listening.done():
            self._listening = asyncio.get_running_loop().create_task(self._listen_forever())

    async def _listen_forever(self) -> None:
        lookback_seconds = LOOKBACK_SECONDS
        while not self._stopped:
            try:
                await self._follow(lookback_seconds)
            except (PyMongoError, StoreUnavailable) as error:
                self._trouble, self._up_to_date = str(error)[:300], False
                self._expected.clear()
                logger.warning("the change stream of %s broke: %s", self._documents.name, self._trouble)
                if isinstance(error, PyMongoError) and not is_transient(error):
                    # Its history is lost: whoever listens finds what it missed in the documents.
                    self._token, lookback_seconds = None, SHORT_LOOKBACK_SECONDS
            except Exception:
                self._up_to_date = False
                self._expected.clear()
                logger.exception("the change stream of %s told something strange", self._documents.name)
            await asyncio.sleep(RETRY_DELAY_SECONDS)

    async def _follow(self, lookback_seconds: int) -> None:
        """First to the end of what there is, which an answer without waiting shows, and then on as it comes."""
        if self._token is None:
            start = {"start_at_operation_time": await self._begin(lookback_seconds)}
            await self._read(NO_WAIT_MS, **start)
        else:
            await self._read(NO_WAIT_MS, resume_after=self._token)
        self._up_to_date, self._trouble = True, ""
        self._notifier.notify()
        await self._read(LISTEN_WAIT_MS, resume_after=self._token)

    async def _read(self, wait: int, **start: Any) -> None:
        """Take what the stream tells from there; one that does not wait ends when there is nothing more."""
        async with self._documents.watch(_PIPELINE, max_await_time_ms=wait, **start) as stream:
            while stream.alive and not self._stopped:
                event = await stream.try_next()
                self._token = stream.resume_token
                if event is not None:
                    self._take(event)
                elif wait == NO_WAIT_MS:
                    return
        if not self._stopped:
            raise OperationFailure("the collection is gone")

    async def _begin(self, lookback_seconds: int) -> Timestamp:
        now = await self._database.time()
        self._recent.clear()
        self._floor, self._newest = Timestamp(now.time - lookback_seconds, 0), Timestamp(0, 0)
        return Timestamp(now.time - lookback_seconds, 1)

    def _take(self, event: Any) -> None:
        name, version, time = event["documentKey"]["_id"], event["version"], event["clusterTime"]
        self._recent[name] = StateChange(str(FeedPosition(time)), name, version)
        self._recent.move_to_end(name)
        self._newest = time
        if self._expected.get(name, 0) <= version:
            self._expected.pop(name, None)
        if len(self._recent) > MAX_REMEMBERED_CHANGES:
            _, oldest = self._recent.popitem(last=False)
            self._floor = parse_cursor(oldest.cursor).time
        if self._up_to_date:
            self._notifier.notify()

    async def stop(self) -> None:
        self._stopped = True
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
