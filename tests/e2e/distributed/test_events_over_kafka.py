"""Services connected by Kafka, which is killed under load: no event is lost or out of order."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.eventlog.kafka.log import KafkaEventLog
from shared.runtime.decider import Decider
from shared.runtime.executor import CommandKey
from shared.runtime.rebuild import Rebuild
from shared.runtime.service_runtime import ServiceRuntime
from tests.support.engines import kafka
from tests.support.engines.engine_process import EngineProcess, EngineUnavailable, skip
from tests.support.services.runtime_harness import (
    INTAKE,
    NOTIFICATION,
    VERIFICATION,
    VERIFY,
    RuntimeHarness,
    status,
    submit,
    until,
)

pytestmark = [pytest.mark.slow, pytest.mark.engines("kafka")]

REQUESTS = [f"00000000-0000-4000-8000-{number:012d}" for number in range(1, 81)]
DECIDERS: tuple[Decider[Any], ...] = (INTAKE, VERIFICATION, NOTIFICATION)
KILLED_AT = 30
"""Number of requests submitted before Kafka is killed."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EngineProcess]:
    try:
        made = kafka.server(tmp_path / "kafka")
        made.start()
    except EngineUnavailable as reason:
        skip(reason)
    yield made
    made.stop()


class KafkaHarness(RuntimeHarness):
    """Services with state in SQLite and events in Kafka."""

    def __init__(self, folder: Path, address: str) -> None:
        super().__init__(folder)
        self.log: Any = KafkaEventLog(address, request_timeout=3)

    async def close(self) -> None:
        await super().close()
        await self.log.close()


@asynccontextmanager
async def open_services(folder: Path, address: str) -> AsyncIterator[KafkaHarness]:
    opened = KafkaHarness(folder, address)
    try:
        yield opened
    finally:
        await opened.close()


async def verify(verification: ServiceRuntime[Any], number: int) -> None:
    """Verify a request once the service has consumed its submission."""
    request = REQUESTS[number]
    await until(lambda: verification.executor.read(request), 60)
    await verification.executor.execute(request, VERIFY, CommandKey(f"00000000-0000-4000-9000-{number:012d}", "same"))


async def test_events_survive_a_kill_of_kafka_in_order(server: EngineProcess, tmp_path: Path):
    async with open_services(tmp_path, server.address) as harness:
        services = [await harness.service(each, started=True) for each in DECIDERS]
        intake, verification, _ = services
        verifying = asyncio.gather(*(verify(verification, number) for number in range(len(REQUESTS))))
        for number, request in enumerate(REQUESTS):
            await submit(intake, request, number + 1)
            if number == KILLED_AT:
                server.kill()
            await asyncio.sleep(0.02)
        assert not intake.relay.is_idle, "what was submitted while Kafka was away waits in the outbox"
        await asyncio.to_thread(server.start)
        await verifying
        await until(lambda: all_verified(intake), 60)
        reports = [
            await Rebuild(each, one.store, harness.log).compare() for each, one in zip(DECIDERS, services, strict=True)
        ]
        assert [report.clean for report in reports] == [True, True, True], reports
        assert {report.documents for report in reports} == {len(REQUESTS)}
        assert await out_of_order(harness) == {}


async def all_verified(intake: ServiceRuntime[Any]) -> bool:
    return all([await status(intake, request) == "verified" for request in REQUESTS])


async def out_of_order(harness: RuntimeHarness) -> dict[tuple[str, str], list[int]]:
    """Return the sequences per source and request that are not 1, 2, 3 ... in the log, ignoring repeats."""
    lines: dict[tuple[str, str], list[int]] = defaultdict(list)
    for event in await harness.events():
        lines[event.source, event.subject].append(event.sequence)
    firsts = {place: list(dict.fromkeys(line)) for place, line in lines.items()}
    return {place: line for place, line in firsts.items() if line != list(range(1, len(line) + 1))}
