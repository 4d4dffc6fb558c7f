"""Documents over HTTP: always an attachment, with the name it came with, and noted in the log."""

from __future__ import annotations

import logging

from starlette.responses import StreamingResponse

from shared.contracts.facts import DocumentRef
from shared.documents.media_types import content_disposition
from shared.documents.port import DocumentMissing, DocumentStore
from shared.web.problems import Problem

logger = logging.getLogger(__name__)


async def download(documents: DocumentStore, document: DocumentRef | None, who: str) -> StreamingResponse:
    """The document's bytes. Raises Problem 404 if there is none."""
    if document is None:
        raise Problem(404, "Dokumen itu tidak ditemukan pada permohonan ini.")
    try:
        pieces = await documents.open(document.key)
    except DocumentMissing as error:
        logger.error("document %s is named and missing", document.id)
        raise Problem(404, "Dokumen itu tidak ditemukan di penyimpanan.") from error
    logger.info("%s opened document %s", who, document.id)
    headers = {
        "Content-Disposition": content_disposition(document.name),
        "Content-Length": str(document.size),
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(pieces, headers=headers, media_type=document.media_type)
