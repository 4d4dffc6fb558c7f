"""Changes of the records of one service: one change stream per process feeds all its listeners (docs/decisions/0018)."""

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
"""Age of the changes that are read when the listener starts, and after the server has lost its resume point."""
MAX_REMEMBERED_CHANGES = 50_000
"""Records whose last change is kept in memory."""
OVERLAP_SECONDS = 1
"""Time before an old cursor that is scanned again, because writes may become visible in another order than their times."""
CATCH_UP_TIMEOUT_SECONDS = 5.0
NO_WAIT_MS, LISTEN_WAIT_MS = 1, 500
"""How long the server waits for a change before it answers that there is none."""
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
    """A cluster time up to which changes are known.

    `from_scan`: it is the time stored in a document, found by a scan in that order, and not that of a change event.
    """

    time: Timestamp
    from_scan: bool = False

    def __str__(self) -> str:
        return f"{'w' * self.from_scan}{self.time.time}.{self.time.inc}"


BEGINNING = FeedPosition(Timestamp(0, 0), from_scan=True)


def parse_cursor(cursor: str) -> FeedPosition:
    """Parse a cursor; an invalid one, which a client may send, means the beginning."""
    match = _CURSOR.fullmatch(cursor)
    if match is None or max(int(match[2]), int(match[3])) >= 2**32:
        return BEGINNING
    return FeedPosition(Timestamp(int(match[2]), int(match[3])), match[1] == "w")


class ChangeFeed:
    """The last change of each record, from the change stream; the listener starts with the first call.

    All changes after `_floor` are in `_recent`, in the order in which they became visible.
    """

    def __init__(self, database: MongoDatabase, records: Collection) -> None:
        self._database, self._records = database, records
        self._recent: OrderedDict[str, StateChange] = OrderedDict()
        self._floor = self._newest = Timestamp(0, 0)
        self._saved_versions: dict[str, int] = {}
        self._notifier = Notifier()
        self._listener: asyncio.Task[None] | None = None
        self._up_to_date, self._stopped, self._last_error = False, False, ""
        self._token: Any = None
        database.on_close(self.stop)

    def on_saved(self, writes: Sequence[Write]) -> None:
        """Note the versions saved by this process, for which `changes` waits."""
        for write in writes:
            change = self._recent.get(write.record.id)
            if self._up_to_date and (change is None or change.version < write.record.version):
                self._saved_versions[write.record.id] = write.record.version

    async def latest(self) -> str:
        """Return the cursor of the newest change."""
        await self._wait_until_caught_up()
        return str(FeedPosition(max(self._newest, self._floor)))

    async def changes(self, after: str, limit: int) -> list[StateChange]:
        """Return the changes after a cursor. Raises StoreUnavailable."""
        await self._wait_until_caught_up()
        position = parse_cursor(after)
        older = await self._scan_records(position, limit) if position.time < self._floor else []
        return older + self._since(position.time, limit - len(older))

    async def wait_for_change(self, after: str, timeout: float) -> None:
        """Wait for a change after a cursor, for at most `timeout` seconds."""
        position = parse_cursor(after)
        if position.time < self._floor and await self.changes(after, 1):
            return
        self._start_listener()
        floor = self._floor
        await self._notifier.wait_for(lambda: self._newest > position.time or self._floor != floor, timeout)

    def _since(self, time: Timestamp, limit: int) -> list[StateChange]:
        newer: list[StateChange] = []
        for change in reversed(self._recent.values()):
            if parse_cursor(change.cursor).time <= time:
                break
            newer.append(change)
        return newer[::-1][:limit]

    async def _scan_records(self, position: FeedPosition, limit: int) -> list[StateChange]:
        """Find changes older than those in memory, in the order of the times stored in the documents."""
        after = position.time if position.from_scan else Timestamp(max(position.time.time - OVERLAP_SECONDS, 0), 0)
        changes_found: list[StateChange] = []
        while len(changes_found) < limit:
            cursor = self._records.find(
                {"change": {"$gt": after, "$lte": self._floor}}, {"change": 1, "version": 1}, sort=[("change", 1)]
            )
            async with self._database.operation():
                rows = await cursor.limit(limit).batch_size(limit).to_list(limit)
            new_rows = [row for row in rows if row["_id"] not in self._recent]
            changes_found += [
                StateChange(str(FeedPosition(row["change"], True)), row["_id"], row["version"]) for row in new_rows
            ]
            if len(rows) < limit:
                break
            after = rows[-1]["change"]
        return changes_found[:limit]

    async def _wait_until_caught_up(self) -> None:
        """Wait until the stream has reported what this process saved. Raises StoreUnavailable."""
        self._start_listener()
        expected = dict(self._saved_versions)

        def is_caught_up() -> bool:
            return self._up_to_date and not any(self._saved_versions.get(one, 0) >= n for one, n in expected.items())

        if not is_caught_up() and not await self._notifier.wait_for(is_caught_up, CATCH_UP_TIMEOUT_SECONDS):
            if not self._up_to_date:
                raise StoreUnavailable(self._last_error or "the change stream does not start")
            # Late changes are reported to those who wait when they arrive.
            self._saved_versions.clear()

    def _start_listener(self) -> None:
        if self._listener is None or self._listener.done():
            self._listener = asyncio.get_running_loop().create_task(self._listen_forever())

    async def _listen_forever(self) -> None:
        lookback_seconds = LOOKBACK_SECONDS
        while not self._stopped:
            try:
                await self._follow(lookback_seconds)
            except (PyMongoError, StoreUnavailable) as error:
                self._last_error, self._up_to_date = str(error)[:300], False
                self._saved_versions.clear()
                logger.warning("the change stream of %s failed: %s", self._records.name, self._last_error)
                if isinstance(error, PyMongoError) and not is_transient(error):
                    # The resume point is lost; listeners find what they missed in the documents.
                    self._token, lookback_seconds = None, SHORT_LOOKBACK_SECONDS
            except Exception:
                self._up_to_date = False
                self._saved_versions.clear()
                logger.exception("the change stream of %s sent an unexpected event", self._records.name)
            await asyncio.sleep(RETRY_DELAY_SECONDS)

    async def _follow(self, lookback_seconds: int) -> None:
        """Read up to the present, which an answer without waiting marks, and then follow the stream."""
        if self._token is None:
            start = {"start_at_operation_time": await self._start_time(lookback_seconds)}
            await self._read(NO_WAIT_MS, **start)
        else:
            await self._read(NO_WAIT_MS, resume_after=self._token)
        self._up_to_date, self._last_error = True, ""
        self._notifier.notify()
        await self._read(LISTEN_WAIT_MS, resume_after=self._token)

    async def _read(self, wait_ms: int, **start: Any) -> None:
        """Read the stream from a start point; with NO_WAIT_MS, until there is nothing more."""
        async with self._records.watch(_PIPELINE, max_await_time_ms=wait_ms, **start) as stream:
            while stream.alive and not self._stopped:
                event = await stream.try_next()
                self._token = stream.resume_token
                if event is not None:
                    self._record(event)
                elif wait_ms == NO_WAIT_MS:
                    return
        if not self._stopped:
            raise OperationFailure("the collection is gone")

    async def _start_time(self, lookback_seconds: int) -> Timestamp:
        now = await self._database.time()
        self._recent.clear()
        self._floor, self._newest = Timestamp(now.time - lookback_seconds, 0), Timestamp(0, 0)
        return Timestamp(now.time - lookback_seconds, 1)

    def _record(self, event: Any) -> None:
        name, version, time = event["documentKey"]["_id"], event["version"], event["clusterTime"]
        self._recent[name] = StateChange(str(FeedPosition(time)), name, version)
        self._recent.move_to_end(name)
        self._newest = time
        if self._saved_versions.get(name, 0) <= version:
            self._saved_versions.pop(name, None)
        if len(self._recent) > MAX_REMEMBERED_CHANGES:
            _, oldest = self._recent.popitem(last=False)
            self._floor = parse_cursor(oldest.cursor).time
        if self._up_to_date:
            self._notifier.notify()

    async def stop(self) -> None:
        self._stopped = True
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
