"""Behaviour of the S3 store alone: its URL and failures of its server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from shared.documents.minio import PART_BYTES, MinioDocumentStore
from shared.documents.port import DocumentMissing, StoreUnavailable
from shared.documents.s3_address import InvalidS3Url, S3Address, parse_s3_url
from tests.adapters.test_document_store import FAR_FUTURE, LIMIT, as_text, content_of, put
from tests.support.adapters.document_stores import bucket, new_keys, s3_servers
from tests.support.engines import minio
from tests.support.engines.engine_process import EngineProcess, EngineUnavailable, serving, skip
from tests.support.ports import free_port

__all__ = ["bucket", "s3_servers"]
NOWHERE = S3Address("127.0.0.1:1", "documents", "key", "secret")


@contextlib.asynccontextmanager
async def opened(address: S3Address) -> AsyncIterator[MinioDocumentStore]:
    store = MinioDocumentStore(address, new_keys())
    yield store
    await store.close()


def test_a_url_is_parsed():
    assert parse_s3_url("http://key:sec%2Fret@minio:9000/simpul-documents") == S3Address(
        "minio:9000", "simpul-documents", "key", "sec/ret"
    )
    assert parse_s3_url("https://key@s3.example/papers?region=ap-1", "from a file") == S3Address(
        "s3.example", "papers", "key", "from a file", secure=True, region="ap-1"
    )
    assert parse_s3_url("http://key:secret@[::1]:9000/papers").endpoint == "[::1]:9000"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("minio:9000/papers", "must look like"),
        ("ftp://key:hush@minio/papers", "must look like"),
        ("http://key:hu#sh@minio/papers", "must look like"),
        ("http://key:hush@minio:port/papers", "must look like"),
        ("http://key:hush@minio:9000", "bucket"),
        ("http://key:hush@minio:9000/Papers", "bucket"),
        ("http://key:hush@minio:9000/a/b", "bucket"),
        ("http://minio:9000/papers", "secret"),
        ("http://hush@minio:9000/papers", "secret"),
        ("http://key:hush@minio:9000/papers?tls=no", "region"),
    ],
)
def test_an_invalid_url_is_refused_without_repeating_it(url: str, said: str):
    with pytest.raises(InvalidS3Url, match=said) as refusal:
        parse_s3_url(url)
    assert "hush" not in str(refusal.value)


def test_a_secret_is_not_shown():
    assert "hush" not in repr(parse_s3_url("http://key:hush@minio:9000/papers"))


async def every_call_fails_plainly(store: MinioDocumentStore) -> None:
    with pytest.raises(StoreUnavailable):
        await put(store, b"isi")
    for call in (store.open, store.stat, store.delete):
        with pytest.raises(StoreUnavailable):
            await call("document-0001")
    with pytest.raises(StoreUnavailable):
        [key async for key in store.keys(FAR_FUTURE)]
    with pytest.raises(StoreUnavailable):
        await store.discard_unfinished(FAR_FUTURE)
    with pytest.raises(StoreUnavailable):
        await store.prepare()
    assert not await store.ready()


@pytest.mark.slow
async def test_an_unreachable_server_is_reported_quickly():
    async with opened(NOWHERE) as store:
        begun = time.monotonic()
        await every_call_fails_plainly(store)
        assert time.monotonic() - begun < 15


@pytest.fixture
def silent_server() -> Iterator[S3Address]:
    """A server that accepts connections and never responds."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))
        listener.listen()
        yield replace(NOWHERE, endpoint=f"127.0.0.1:{listener.getsockname()[1]}")


async def test_a_silent_server_is_not_ready_within_the_timeout(silent_server: S3Address):
    async with opened(silent_server) as store:
        begun = time.monotonic()
        assert not await store.ready()
        assert time.monotonic() - begun < 5


@pytest.mark.slow
async def test_a_wrong_secret_is_reported(bucket: S3Address):
    async with opened(bucket) as right:
        await right.prepare()
    async with opened(replace(bucket, secret="another-secret-altogether")) as store:
        await every_call_fails_plainly(store)


@pytest.mark.slow
async def test_a_missing_bucket_is_not_reported_as_a_missing_document(bucket: S3Address):
    async with opened(bucket) as store:
        assert not await store.ready()
        for call in (store.open, store.stat):
            with pytest.raises(StoreUnavailable):
                await call("document-0001")
        with pytest.raises(StoreUnavailable):
            await put(store, b"isi")
        await store.prepare()
        assert await store.ready()
        with pytest.raises(DocumentMissing):
            await store.stat("document-0009")


@pytest.mark.slow
async def test_nothing_is_public(bucket: S3Address):
    import httpx

    async with opened(bucket) as store, httpx.AsyncClient() as anybody:
        await store.prepare()
        key = await put(store, b"rahasia")
        for path in (bucket.bucket, f"{bucket.bucket}/{key}"):
            assert (await anybody.get(f"http://{bucket.endpoint}/{path}")).status_code == 403


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[EngineProcess]:
    """A MinIO server of this test, which may be killed."""
    try:
        with serving(minio.server(tmp_path)) as server:
            yield server
    except EngineUnavailable as reason:
        skip(reason)


class KillsInTheMiddle(BytesIO):
    """A file that kills the server in the middle of its upload."""

    server: EngineProcess

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() > PART_BYTES and self.server.alive:
            self.server.kill()
        return super().read(size)


@pytest.mark.slow
@pytest.mark.engines("minio")
async def test_a_server_killed_during_an_upload_keeps_only_complete_documents(own_server: EngineProcess):
    async with opened(parse_s3_url(own_server.address)) as store:
        await store.prepare()
        content = os.urandom(PART_BYTES + 1)
        kept = await put(store, content)
        broken = KillsInTheMiddle(b"x" * 2 * PART_BYTES)
        broken.server = own_server
        with pytest.raises(StoreUnavailable):
            await store.put(broken, as_text, limit=LIMIT)
        assert not await store.ready()
        await asyncio.to_thread(own_server.start)
        assert [key async for key in store.keys(FAR_FUTURE)] == [kept]
        assert await content_of(store, kept) == content
        await put(store, b"dan sesudahnya")


@pytest.mark.slow
@pytest.mark.engines("minio")
async def test_a_server_that_dies_during_a_read_is_reported(own_server: EngineProcess):
    async with opened(parse_s3_url(own_server.address)) as store:
        await store.prepare()
        pieces = await store.open(await put(store, os.urandom(LIMIT)))
        assert await anext(pieces)
        await asyncio.to_thread(own_server.kill)
        with pytest.raises(StoreUnavailable):
            [piece async for piece in pieces]
