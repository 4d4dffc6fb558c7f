"""Kafka over TLS and for users alone: all that a service does there is done as that user, and nobody else gets in."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from shared.eventlog.kafka import KafkaEventLog
from shared.eventlog.kafka_connection import Topic
from shared.eventlog.kafka_security import OPEN, Mechanism, Security
from shared.eventlog.port import LogUnavailable
from tests.contracts.listening import Listener, everything, listening, no_lag, numbered
from tests.engines import kafka
from tests.engines.engine import Unavailable, serving, skip
from tests.engines.guard import Guard
from tests.engines.guard import guard as made_guard

pytestmark = pytest.mark.slow

MECHANISMS: tuple[Mechanism, ...] = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Guard:
    return made_guard(tmp_path_factory.mktemp("guard"))


@pytest.fixture(scope="module")
def guarded(guard: Guard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Kafka that lets users in."""
    try:
        server = kafka.server(tmp_path_factory.mktemp("kafka"), guard)
    except Unavailable as reason:
        skip(reason)
    with serving(server):
        yield server.address


@pytest.fixture(scope="module")
def security(guard: Guard) -> Security:
    return Security(ssl.create_default_context(cafile=guard.authority), guard.user, guard.password)


@asynccontextmanager
async def log_of(address: str, security: Security, topic: str, patience: float = 10) -> AsyncIterator[KafkaEventLog]:
    log = KafkaEventLog(address, Topic(topic, partitions=6), security=security, patience=patience)
    try:
        yield log
    finally:
        await log.close()


@pytest.mark.parametrize("mechanism", MECHANISMS)
async def test_a_user_does_all_that_a_service_does(
    guard: Guard, guarded: str, security: Security, mechanism: Mechanism
):
    async with log_of(guarded, replace(security, mechanism=mechanism), f"{guard.name}-{mechanism}") as log:
        await log.prepare()
        await log.ready()
        await log.append(numbered(20))
        assert len(await everything(log)) == 20
        assert [record.value for record in await log.of_key("key-7")] == [b"7"]
        await log.pass_over("notification", await log.end())
        assert await log.lag("notification") == 0
        listener = Listener()
        async with listening(log, "intake", listener):
            await listener.until(lambda: len(listener.values) == 20)
            await no_lag(log, "intake")


@pytest.mark.parametrize("wrong", ["password", "user", "authority", "nobody", "plain text", "topic"])
async def test_nobody_else_gets_in(
    guard: Guard, guarded: str, security: Security, wrong: str, caplog: pytest.LogCaptureFixture
):
    strangers = {
        "password": replace(security, password=guard.password + "!"),
        "user": replace(security, user="lain"),
        "authority": replace(security, tls=ssl.create_default_context()),
        "nobody": Security(security.tls),
        "plain text": OPEN,
    }
    topic = "of-somebody-else" if wrong == "topic" else f"{guard.name}-strangers"
    async with log_of(guarded, strangers.get(wrong, security), topic, patience=4) as log:
        for ask in (log.prepare, log.ready, lambda: log.append(numbered(1)), lambda: log.lag("intake")):
            with pytest.raises(LogUnavailable):
                await ask()
        async with listening(log, "intake", Listener()):
            await asyncio.sleep(0.5)
    assert guard.password not in caplog.text
    assert guard.password not in repr(security)
