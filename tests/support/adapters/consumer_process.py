"""A consumer process that prints the records it receives, until it is killed."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

from shared.eventlog.kafka.connection import Topic
from shared.eventlog.kafka.log import KafkaEventLog
from shared.eventlog.port import LogRecord


async def report(records: Sequence[LogRecord]) -> None:
    await asyncio.sleep(0.01)
    lines = [f"{record.key} {record.value.decode()}\n" for record in records]
    os.write(1, "".join(lines).encode())


if __name__ == "__main__":
    address, topic, group = sys.argv[1:]
    asyncio.run(KafkaEventLog(address, Topic(topic)).consume(group, report, max_records=20))
