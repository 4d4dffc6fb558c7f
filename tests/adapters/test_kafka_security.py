"""Kafka with TLS and authentication: a user may do what a service does, and others are rejected."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from shared.eventlog.kafka.connection import Topic
from shared.eventlog.kafka.log import KafkaEventLog
from shared.eventlog.kafka.security import PLAINTEXT, KafkaSecurity, SaslMechanism
from shared.eventlog.port import LogUnavailable
from tests.support.adapters.log_listener import (
    RecordingConsumer,
    numbered_records,
    read_all,
    running_consumer,
    wait_for_commit,
)
from tests.support.engines import kafka
from tests.support.engines.engine_process import EngineUnavailable, serving, skip
from tests.support.engines.secured_engines import EngineAccess
from tests.support.engines.secured_engines import access as made_guard

pytestmark = [pytest.mark.slow, pytest.mark.engines("kafka")]

MECHANISMS: tuple[SaslMechanism, ...] = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> EngineAccess:
    return made_guard(tmp_path_factory.mktemp("guard"))


@pytest.fixture(scope="module")
def guarded(access: EngineAccess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Kafka that authenticates users."""
    try:
        server = kafka.server(tmp_path_factory.mktemp("kafka"), access)
    except EngineUnavailable as reason:
        skip(reason)
    with serving(server):
        yield server.address


@pytest.fixture(scope="module")
def security(access: EngineAccess) -> KafkaSecurity:
    return KafkaSecurity(ssl.create_default_context(cafile=access.authority), access.user, access.password)


@asynccontextmanager
async def log_of(
    address: str, security: KafkaSecurity, topic: str, request_timeout: float = 10
) -> AsyncIterator[KafkaEventLog]:
    log = KafkaEventLog(address, Topic(topic, partitions=6), security=security, request_timeout=request_timeout)
    try:
        yield log
    finally:
        await log.close()


@pytest.mark.parametrize("mechanism", MECHANISMS)
async def test_an_authenticated_user_can_do_what_a_service_does(
    access: EngineAccess, guarded: str, security: KafkaSecurity, mechanism: SaslMechanism
):
    async with log_of(guarded, replace(security, mechanism=mechanism), f"{access.name}-{mechanism}") as log:
        await log.prepare()
        await log.ready()
        await log.append(numbered_records(20))
        assert len(await read_all(log)) == 20
        assert [record.value for record in await log.read_key("key-7")] == [b"7"]
        await log.commit_offset("notification", await log.end())
        assert await log.lag("notification") == 0
        listener = RecordingConsumer()
        async with running_consumer(log, "intake", listener):
            await listener.wait_until(lambda: len(listener.values) == 20)
            await wait_for_commit(log, "intake")


@pytest.mark.parametrize("mistake", ["password", "user", "authority", "nobody", "plain text", "topic"])
async def test_invalid_credentials_are_rejected(
    access: EngineAccess, guarded: str, security: KafkaSecurity, mistake: str, caplog: pytest.LogCaptureFixture
):
    invalid_credentials = {
        "password": replace(security, password=access.password + "!"),
        "user": replace(security, user="lain"),
        "authority": replace(security, tls=ssl.create_default_context()),
        "nobody": KafkaSecurity(security.tls),
        "plain text": PLAINTEXT,
    }
    topic = "of-somebody-else" if mistake == "topic" else f"{access.name}-strangers"
    async with log_of(guarded, invalid_credentials.get(mistake, security), topic, request_timeout=4) as log:
        for ask in (log.prepare, log.ready, lambda: log.append(numbered_records(1)), lambda: log.lag("intake")):
            with pytest.raises(LogUnavailable):
                await ask()
        async with running_consumer(log, "intake", RecordingConsumer()):
            await asyncio.sleep(0.5)
    assert access.password not in caplog.text
    assert access.password not in repr(security)
