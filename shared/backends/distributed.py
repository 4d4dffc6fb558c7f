"""The distributed backend: events in Kafka, states and accounts in MongoDB, documents in an S3 store."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from ipaddress import ip_address
from ssl import SSLContext, create_default_context
from urllib.parse import quote, unquote, urlsplit

from pydantic import SecretStr
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from shared.backends.port import Backend
from shared.clock import Clock, NewId
from shared.documents.minio import MinioDocumentStore
from shared.documents.s3_address import InvalidS3Url, S3Address, parse_s3_url
from shared.eventlog.kafka.connection import Topic
from shared.eventlog.kafka.log import KafkaEventLog
from shared.eventlog.kafka.security import KafkaSecurity
from shared.identity.mongo import MongoAccountStore
from shared.office.mongo import MongoOfficeStore
from shared.secrets import read_secret, reject_weak_password
from shared.settings import LOOPBACK_HOSTS, InvalidSettings, Settings
from shared.storage.mongo.client import MongoDatabase
from shared.storage.mongo.store import MongoStateStore
from shared.storage.port import Column, StateStore


def open_backend(settings: Settings, clock: Clock, new_id: NewId) -> Backend:
    """Open the adapters without I/O: an engine that is down fails the calls that need it. Raises InvalidSettings."""
    topic = Topic(settings.kafka_topic, replication_factor=settings.kafka_copies)
    log = KafkaEventLog(_kafka_servers(settings), topic, security=kafka_security(settings))
    database = MongoDatabase(mongo_uri(settings))
    documents = MinioDocumentStore(s3_address(settings), new_id)
    accounts, office = MongoAccountStore(database), MongoOfficeStore(database, clock)

    def state_store(service: str, columns: Sequence[Column]) -> StateStore:
        return MongoStateStore(database, service, columns, clock)

    async def prepare() -> None:
        await documents.prepare()
        await log.prepare()
        await accounts.prepare()
        await office.prepare()

    async def close() -> None:
        await log.close()
        await database.close()
        await documents.close()

    async def check(_thorough: bool) -> list[str]:
        return []

    return Backend(log, documents, accounts, office, state_store, prepare, close, check, nullcontext, exclusive=False)


def s3_address(settings: Settings) -> S3Address:
    """Return the address of the document store. Raises InvalidSettings, also for a weak secret."""
    secret = _read_password_file(settings, "minio_password_file")
    try:
        address = parse_s3_url(settings.minio.get_secret_value(), secret)
    except InvalidS3Url as error:
        raise InvalidSettings(f"SIMPUL_MINIO: {error}") from error
    reject_weak_password(address.secret, "SIMPUL_MINIO")
    return address


def mongo_uri(settings: Settings) -> str:
    """Return the address with its password. Raises InvalidSettings, also for a remote server without authentication."""
    uri = _with_password(settings.mongo, _read_password_file(settings, "mongo_password_file"))
    try:
        found = parse_uri(uri, warn=False)
    except (PyMongoError, ValueError):
        # The library's message may quote a part of the address, which may be the password.
        raise InvalidSettings(
            "SIMPUL_MONGO: it must look like mongodb://user:password@host:27017/simpul?replicaSet=rs0,"
            " with / ? # @ in a password percent-encoded"
        ) from None
    if found["username"]:
        reject_weak_password(found["password"] or "", "SIMPUL_MONGO")
    elif not all(_is_loopback(host) for host, _ in found["nodelist"]):
        raise InvalidSettings("SIMPUL_MONGO: a user and a password are needed for a server on another machine")
    return uri


def _with_password(uri: SecretStr, password: str | None) -> str:
    """Return the URI with its password replaced, percent-encoded."""
    whole = uri.get_secret_value()
    if password is None:
        return whole
    scheme, _, rest = whole.partition("://")
    user, at, places = rest.rpartition("@")
    if not at:
        raise InvalidSettings("SIMPUL_MONGO_PASSWORD_FILE: SIMPUL_MONGO names no user whose password it could be")
    return f"{scheme}://{quote(unquote(user.partition(':')[0]), safe='')}:{quote(password, safe='')}@{places}"


def _kafka_servers(settings: Settings) -> str:
    servers = [server.strip() for server in settings.kafka.split(",") if server.strip()]
    for server in servers:
        try:
            valid = bool(urlsplit(f"//{server}").hostname and urlsplit(f"//{server}").port)
        except ValueError:
            valid = False
        if not valid or "/" in server or "@" in server:
            raise InvalidSettings("SIMPUL_KAFKA: it must look like host:9092, with others after commas")
    return ",".join(servers)


def kafka_security(settings: Settings) -> KafkaSecurity:
    """Return how Kafka is connected to. Raises InvalidSettings, also for a weak password or one sent in plain text."""
    user, password = settings.kafka_user, settings.kafka_password.get_secret_value()
    if settings.kafka_password_file:
        password = read_secret(settings.kafka_password_file, "SIMPUL_KAFKA_PASSWORD_FILE")
    if password and not user:
        raise InvalidSettings("SIMPUL_KAFKA_USER: whose is the password for Kafka?")
    if user:
        reject_weak_password(password, "SIMPUL_KAFKA_PASSWORD")
    if user and settings.kafka_sasl == "PLAIN" and not settings.kafka_tls:
        raise InvalidSettings(
            "SIMPUL_KAFKA_SASL: PLAIN shows the password to whoever listens: SIMPUL_KAFKA_TLS=true first"
        )
    return KafkaSecurity(_kafka_tls(settings), user, password, settings.kafka_sasl)


def _kafka_tls(settings: Settings) -> SSLContext | None:
    if not settings.kafka_tls:
        if settings.kafka_ca_file:
            raise InvalidSettings("SIMPUL_KAFKA_CA_FILE: there are certificates with SIMPUL_KAFKA_TLS=true alone")
        return None
    try:
        return create_default_context(cafile=settings.kafka_ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise InvalidSettings(
            f"SIMPUL_KAFKA_CA_FILE: {settings.kafka_ca_file} holds no certificates: {error}"
        ) from error


def _read_password_file(settings: Settings, name: str) -> str | None:
    path = getattr(settings, name)
    return read_secret(path, f"SIMPUL_{name.upper()}") if path else None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in LOOPBACK_HOSTS
