"""Kafka over TLS and for users alone: all that a service does there is done as that user, and nobody else gets in."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import uuid4

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from shared.eventlog.kafka import KafkaEventLog
from shared.eventlog.kafka_connection import Topic
from shared.eventlog.kafka_security import OPEN, Mechanism, Security
from shared.eventlog.port import LogUnavailable
from tests.contracts.listening import Listener, everything, listening, no_lag, numbered
from tests.engines import kafka
from tests.engines.engine import Unavailable, skip

pytestmark = pytest.mark.slow

USER, PASSWORD = "simpul-layanan", "Ombak7-Biru-di-Maba"
MECHANISMS: tuple[Mechanism, ...] = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def guarded(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Kafka that lets users in."""
    folder = tmp_path_factory.mktemp("kafka")
    certificate = folder / "server.pem"
    certificate.write_bytes(with_pkcs8_key(authority.issue_cert("127.0.0.1")))
    try:
        server = kafka.server(folder / "data", kafka.Guard(certificate, USER, PASSWORD))
    except Unavailable as reason:
        skip(reason)
    server.start()
    yield server.address
    server.stop()


def with_pkcs8_key(certificate: trustme.LeafCert) -> bytes:
    """Key and chain in PEM, as Java reads them: it knows no key in the older form."""
    key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form) + b"".join(blob.bytes() for blob in certificate.cert_chain_pems)


@pytest.fixture(scope="module")
def security(authority: trustme.CA) -> Security:
    tls = ssl.create_default_context()
    authority.configure_trust(tls)
    return Security(tls, USER, PASSWORD)


@asynccontextmanager
async def log_of(address: str, security: Security, patience: float = 10) -> AsyncIterator[KafkaEventLog]:
    log = KafkaEventLog(address, Topic(f"test-{uuid4().hex}", partitions=6), security=security, patience=patience)
    try:
        yield log
    finally:
        await log.close()


@pytest.mark.parametrize("mechanism", MECHANISMS)
async def test_a_user_does_all_that_a_service_does(guarded: str, security: Security, mechanism: Mechanism):
    async with log_of(guarded, replace(security, mechanism=mechanism)) as log:
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


@pytest.mark.parametrize("wrong", ["password", "user", "authority", "nobody", "plain text"])
async def test_nobody_else_gets_in(guarded: str, security: Security, wrong: str, caplog: pytest.LogCaptureFixture):
    strangers = {
        "password": replace(security, password=PASSWORD + "!"),
        "user": replace(security, user="lain"),
        "authority": replace(security, tls=ssl.create_default_context()),
        "nobody": Security(security.tls),
        "plain text": OPEN,
    }
    async with log_of(guarded, strangers[wrong], patience=4) as log:
        for ask in (log.prepare, log.ready, lambda: log.append(numbered(1)), lambda: log.lag("intake")):
            with pytest.raises(LogUnavailable):
                await ask()
        async with listening(log, "intake", Listener()):
            await asyncio.sleep(0.5)
    assert PASSWORD not in caplog.text
    assert PASSWORD not in repr(strangers[wrong])
