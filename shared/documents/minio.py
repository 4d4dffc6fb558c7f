"""Documents as objects of an S3 bucket, through the minio SDK: plain S3 calls only, nothing public, no presigned links."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import islice
from typing import Any, BinaryIO, TypeVar, cast
from xml.etree.ElementTree import ParseError

import urllib3
from minio import Minio, S3Error
from minio.datatypes import ListMultipartUploadsResult, Object, Upload
from minio.error import MinioException
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry, Timeout

from shared.documents.ingestion import KEY_PATTERN, HashingReader, inspect_source, validate_key
from shared.documents.port import DocumentInfo, DocumentMissing, MediaTypeDetector, StoredDocument, StoreUnavailable
from shared.documents.s3_address import S3Address

T = TypeVar("T")

PART_BYTES = 5 * 1024**2
"""The smallest part that S3 allows; each upload holds one in memory. Smaller documents are uploaded in one request."""
READ_CHUNK_BYTES = 256 * 1024
LIST_PAGE_SIZE = 500
MAX_THREADS = 16
CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS = 3.0, 30.0
PROBE_TIMEOUT_SECONDS = 0.9
"""Shorter than the timeout of a health check."""
NOT_FOUND_CODES = frozenset({"NoSuchKey", "NoSuchUpload"})
BUCKET_EXISTS_CODES = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})


class MinioDocumentStore:
    """DocumentStore in one bucket; up to `threads` calls run concurrently.

    `new_key` generates random keys of letters, digits, `-` and `_`.
    """

    def __init__(self, address: S3Address, new_key: Callable[[], str], *, threads: int = MAX_THREADS) -> None:
        self._bucket, self._new_key = address.bucket, new_key
        retries = Retry(total=2, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504])
        self._client = _make_client(
            address, Timeout(connect=CONNECT_TIMEOUT_SECONDS, read=READ_TIMEOUT_SECONDS), retries, threads
        )
        self._prober = _make_client(
            address, Timeout(connect=PROBE_TIMEOUT_SECONDS, read=PROBE_TIMEOUT_SECONDS), Retry(total=False), 1
        )
        self._threads = ThreadPoolExecutor(threads, "documents")
        self._probing = ThreadPoolExecutor(1, "documents-ready")

    async def prepare(self) -> None:
        """Create the bucket if it does not exist. Raises: StoreUnavailable."""
        await self._run(self._make_bucket)

    async def put(self, source: BinaryIO, inspect: MediaTypeDetector, *, limit: int) -> StoredDocument:
        return await self._run(self._upload_new, source, inspect, limit)

    async def put_as(self, key: str, source: BinaryIO) -> None:
        await self._run(self._upload_from_start, validate_key(key), source)

    async def open(self, key: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        try:
            response, first = await self._run(self._get_object, validate_key(key), offset, length)
        except _RangeBeyondEnd:
            return _no_chunks()
        return self._chunks(response, first)

    async def stat(self, key: str) -> DocumentInfo:
        found = await self._run(self._stat_object, validate_key(key))
        return DocumentInfo(key, cast(int, found.size), cast(datetime, found.last_modified))

    async def delete(self, key: str) -> None:
        await self._run(self._client.remove_object, self._bucket, validate_key(key))

    async def keys(self, older_than: datetime) -> AsyncIterator[str]:
        listed = self._client.list_objects(self._bucket, recursive=True)
        while page := await self._run(_next_page, listed):
            for found in page:
                key = cast(str, found.object_name)
                if KEY_PATTERN.fullmatch(key) and found.last_modified is not None and found.last_modified < older_than:
                    yield key

    async def discard_unfinished(self, older_than: datetime) -> int:
        return await self._run(self._abort_stale_uploads, older_than)

    async def ready(self) -> bool:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._probing, self._bucket_exists)

    async def close(self) -> None:
        """Shut down threads and connections without waiting for running calls."""
        for pool in (self._threads, self._probing):
            pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, call: Callable[..., T], *given: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _translate_errors, call, given)

    def _make_bucket(self) -> None:
        try:
            if not self._client.bucket_exists(self._bucket):
                self._client.make_bucket(self._bucket)
        except S3Error as error:
            if error.code not in BUCKET_EXISTS_CODES:
                raise

    def _upload_new(self, source: BinaryIO, inspect: MediaTypeDetector, limit: int) -> StoredDocument:
        media_type = inspect_source(source, inspect, limit)
        key, reader = self._new_key(), HashingReader(source, limit)
        self._upload(key, cast(BinaryIO, reader))
        return StoredDocument(key=key, size=reader.size, sha256=reader.sha256, media_type=media_type)

    def _upload_from_start(self, key: str, source: BinaryIO) -> None:
        source.seek(0)
        self._upload(key, source)

    def _upload(self, key: str, source: BinaryIO) -> None:
        # Sequential parts: parallel ones would hold several parts of every upload in memory. No media type is set, because
        # only the service reads this bucket.
        self._client.put_object(self._bucket, key, source, length=-1, part_size=PART_BYTES, num_parallel_uploads=1)

    def _get_object(self, key: str, offset: int, length: int | None) -> tuple[BaseHTTPResponse, bytes]:
        try:
            # The SDK takes a length of 0 for no limit.
            response = self._client.get_object(self._bucket, key, offset=offset, length=length or 0)
        except S3Error as error:
            if error.code == "InvalidRange":
                raise _RangeBeyondEnd from error
            raise
        try:
            return response, response.read(READ_CHUNK_BYTES)
        except BaseException:
            response.close()
            raise

    async def _chunks(self, response: BaseHTTPResponse, first: bytes) -> AsyncIterator[bytes]:
        chunk = first
        try:
            while chunk:
                yield chunk
                chunk = await self._run(response.read, READ_CHUNK_BYTES)
        finally:
            # A response that was read to its end has released its connection already; any other connection is closed.
            response.close()

    def _stat_object(self, key: str) -> Object:
        try:
            return self._client.stat_object(self._bucket, key)
        except S3Error as error:
            # A response to HEAD has no body that distinguishes a missing bucket from a missing object.
            if error.code in NOT_FOUND_CODES and not self._client.bucket_exists(self._bucket):
                raise StoreUnavailable("the bucket is missing") from error
            raise

    def _abort_stale_uploads(self, older_than: datetime) -> int:
        stale = [upload for upload in self._list_unfinished() if _started_before(upload, older_than)]
        return sum(map(self._abort_upload, stale))

    def _abort_upload(self, upload: Upload) -> bool:
        """Abort an upload; False if it had ended in the meantime."""
        try:
            self._client.abort_upload(self._bucket, upload.object_name, cast(str, upload.upload_id))
        except S3Error as error:
            if error.code not in NOT_FOUND_CODES:
                raise
            return False
        return True

    def _list_unfinished(self) -> Iterator[Upload]:
        key: str | None = None
        upload: str | None = None
        while True:
            found = self._client.list_uploads(self._bucket, key, upload)
            yield from found.uploads
            if not found.is_truncated:
                return
            key, upload = found.next_key_marker, found.next_upload_id_marker

    def _bucket_exists(self) -> bool:
        try:
            return self._prober.bucket_exists(self._bucket)
        except (MinioException, HTTPError, OSError, ParseError):
            return False


class _Client(Minio):
    """Adds public names for two S3 calls that the SDK implements privately."""

    def abort_upload(self, bucket: str, key: str, upload_id: str) -> None:
        self._abort_multipart_upload(bucket, key, upload_id)

    def list_uploads(self, bucket: str, key: str | None, upload_id: str | None) -> ListMultipartUploadsResult:
        return self._list_multipart_uploads(bucket, key_marker=key, upload_id_marker=upload_id)


def _make_client(address: S3Address, timeout: Timeout, retries: Retry, connections: int) -> _Client:
    # A given region saves the request for it, which S3 servers answer in different ways.
    http = urllib3.PoolManager(timeout=timeout, retries=retries, maxsize=connections, cert_reqs="CERT_REQUIRED")
    return _Client(
        address.endpoint,
        access_key=address.key,
        secret_key=address.secret,
        secure=address.secure,
        region=address.region,
        http_client=http,
    )


def _translate_errors(call: Callable[..., T], given: tuple[Any, ...]) -> T:
    """Call it and translate all errors of the client into DocumentMissing or StoreUnavailable.

    Messages of the SDK are dropped, because they can contain a URL with its signature.
    """
    try:
        return call(*given)
    except S3Error as error:
        if error.code in NOT_FOUND_CODES:
            raise DocumentMissing(error.object_name) from error
        raise StoreUnavailable(f"the document store refused: {error.code}") from error
    except (MinioException, HTTPError, OSError, ParseError) as error:
        raise StoreUnavailable(f"the document store cannot be used: {type(error).__name__}") from error


class _RangeBeyondEnd(Exception):
    """The offset is at or behind the end of the object."""


async def _no_chunks() -> AsyncIterator[bytes]:
    nothing: tuple[bytes, ...] = ()
    for chunk in nothing:
        yield chunk


def _next_page(listed: Iterator[Object]) -> list[Object]:
    return list(islice(listed, LIST_PAGE_SIZE))


def _started_before(upload: Upload, moment: datetime) -> bool:
    return upload.initiated_time is not None and upload.initiated_time < moment
