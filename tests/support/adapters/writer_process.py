"""A process that saves and appends in a loop and prints what was acknowledged, until it is killed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from pathlib import Path

from shared.eventlog.sqlite.log import SqliteEventLog
from shared.storage.port import OutboxEntry, SaveOutcome, StateRecord, Write
from shared.storage.sqlite.database import SqliteDatabase
from shared.storage.sqlite.store import SqliteStateStore
from tests.support.adapters.state_records import COLUMNS, NOW

WRITERS = 10


def body(name: str, version: int) -> bytes:
    """Return a body of several database pages that shows whether it is complete."""
    text = f"{name} {version} " * 700
    return json.dumps({"text": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}).encode()


async def write_forever(store: SqliteStateStore, log: SqliteEventLog, name: str) -> None:
    known = (await store.load([name])).get(name)
    version = known.version if known else 0
    while True:
        version += 1
        event = f"{name}-{version}"
        record = StateRecord(name, version, body(name, version), {"intake": version})
        write = Write(record, {"number": name}, None, (OutboxEntry(name, event, event.encode()),))
        assert await store.save([write]) == [SaveOutcome.SAVED]
        os.write(1, f"saved {name} {version}\n".encode())
        await log.append([(name, event.encode())])
        os.write(1, f"appended {name} {version}\n".encode())


async def main() -> None:
    file = SqliteDatabase(Path(sys.argv[1]))
    store, log = SqliteStateStore(file, "intake", COLUMNS, lambda: NOW), SqliteEventLog(file)
    await store.prepare()
    await log.prepare()
    os.write(1, b"ready\n")
    await asyncio.gather(*(write_forever(store, log, f"request-{number}") for number in range(WRITERS)))


if __name__ == "__main__":
    asyncio.run(main())
