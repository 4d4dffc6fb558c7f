"""Document downloads: always an attachment under the original file name, with range requests, and logged."""

from __future__ import annotations

import logging

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from shared.contracts.facts import DocumentRef
from shared.documents.file_names import content_disposition
from shared.documents.port import DocumentMissing, DocumentStore
from shared.web.api.problems import Problem
from shared.web.http.byte_ranges import ByteRange, requested_range
from shared.web.http.methods import wants_headers_only

logger = logging.getLogger(__name__)


async def download(request: Request, documents: DocumentStore, document: DocumentRef | None, actor: str) -> Response:
    """Stream the document, or the range that was requested, to a caller who may read it; `actor` is named in the log.

    Raises: Problem 404 if there is no such document, 416 for a range outside it.
    """
    if document is None:
        raise Problem(404, "Dokumen itu tidak ditemukan pada permohonan ini.")
    try:
        if wants_headers_only(request):
            return await _headers_only(documents, document, actor)
        byte_range = requested_range(request, _etag(document), document.size)
        chunks = (
            await documents.open(document.key, byte_range.offset, byte_range.length)
            if byte_range
            else await documents.open(document.key)
        )
    except DocumentMissing as error:
        logger.error("document %s is referenced but missing in the document store", document.id)
        raise Problem(404, "Dokumen itu tidak ditemukan di penyimpanan.") from error
    logger.info("%s opened document %s%s", actor, document.id, f", {byte_range.content_range}" if byte_range else "")
    return StreamingResponse(chunks, 206 if byte_range else 200, _headers(document, byte_range), document.media_type)


async def _headers_only(documents: DocumentStore, document: DocumentRef, actor: str) -> Response:
    # RFC 9110 defines Range for GET only.
    await documents.stat(document.key)
    logger.info("%s asked for the size of document %s", actor, document.id)
    return Response(headers=_headers(document, None), media_type=document.media_type)


def _headers(document: DocumentRef, byte_range: ByteRange | None) -> dict[str, str]:
    headers = {
        "Content-Disposition": content_disposition(document.name),
        "Content-Length": str(byte_range.length if byte_range else document.size),
        "X-Content-Type-Options": "nosniff",
        "Accept-Ranges": "bytes",
        "ETag": _etag(document),
    }
    return {**headers, "Content-Range": byte_range.content_range} if byte_range else headers


def _etag(document: DocumentRef) -> str:
    """A strong validator, because it is the hash of the content."""
    return f'"{document.sha256}"'
