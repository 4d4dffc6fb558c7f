"""Waves with a partition that does not accept records: the others get theirs once, and the error names them."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, cast

import pytest
from aiokafka.errors import NotLeaderForPartitionError

from shared.eventlog.kafka import log as kafka
from shared.eventlog.kafka.log import KafkaEventLog
from shared.eventlog.port import LogUnavailable
from tests.adapters.test_kafka_members import log_of
from tests.support.adapters.log_listener import read_all

WAVE = [("a", b"1"), ("dead", b"1"), ("b", b"1")]


class Publisher:
    """Acknowledges records at once, except those with the key `dead`, which wait until `mend` is called."""

    def __init__(self) -> None:
        self.sent: Counter[bytes] = Counter()
        self.refuses = False
        self.waiting: list[asyncio.Future[None]] = []

    async def publish(self, value: bytes, *, key: bytes, no_confirm: bool) -> asyncio.Future[None]:
        self.sent[key] += 1
        delivered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if key != b"dead":
            delivered.set_result(None)
        elif self.refuses:
            delivered.set_exception(NotLeaderForPartitionError())
        else:
            self.waiting.append(delivered)
        return delivered

    def mend(self) -> None:
        for delivered in self.waiting:
            delivered.set_result(None)


class ScriptedLog(KafkaEventLog):
    def __init__(self, publisher: Publisher) -> None:
        super().__init__("localhost:1", request_timeout=0.1)
        self._connection.connect = self.connected  # type: ignore[method-assign]
        self._publisher = cast(Any, publisher)

    async def connected(self) -> None: ...


async def refused(log: KafkaEventLog, records: list[tuple[str, bytes]]) -> frozenset[int]:
    with pytest.raises(LogUnavailable) as refusal:
        await log.append(records)
    return refusal.value.appended


@pytest.mark.parametrize("refuses", [False, True], ids=["is silent", "refuses"])
async def test_the_error_names_the_records_that_other_partitions_acknowledged(refuses: bool):
    publisher = Publisher()
    publisher.refuses = refuses
    assert await refused(ScriptedLog(publisher), WAVE) == {0, 2}


async def test_a_wave_that_is_appended_again_is_published_once():
    publisher = Publisher()
    log = ScriptedLog(publisher)
    for _ in range(5):
        assert await refused(log, WAVE) == {0, 2}
    publisher.mend()
    await log.append(WAVE)
    assert publisher.sent == {b"a": 1, b"dead": 1, b"b": 1}


async def test_an_unacknowledged_record_that_is_appended_again_is_published_once():
    publisher = Publisher()
    log = ScriptedLog(publisher)
    await refused(log, WAVE)
    assert await refused(log, WAVE[1:2]) == frozenset()
    publisher.mend()
    await log.append(WAVE[1:2])
    assert publisher.sent[b"dead"] == 1


async def test_an_acknowledged_wave_may_be_published_again():
    publisher = Publisher()
    log = ScriptedLog(publisher)
    await log.append([("a", b"1")])
    await log.append([("a", b"1")])
    assert publisher.sent[b"a"] == 2
    assert log._deliveries == {}


async def test_the_number_of_remembered_deliveries_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(kafka, "MAX_REMEMBERED_DELIVERIES", 4)
    log = ScriptedLog(Publisher())
    for number in range(10):
        await refused(log, [(f"a{number}", b"1"), ("dead", b"1")])
    assert len(log._deliveries) <= 5


@pytest.mark.slow
@pytest.mark.engines("kafka")
async def test_a_rejected_record_does_not_affect_its_wave(kafka_address: str):
    async with log_of(kafka_address) as log:
        wave = [("a", b"1"), ("b", b"x" * 2_000_000), ("c", b"1")]
        assert await refused(log, wave) == {0, 2}
        await refused(log, wave)
        assert sorted(record.key for record in await read_all(log)) == ["a", "c"]
