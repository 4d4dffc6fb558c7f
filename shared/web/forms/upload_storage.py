"""Storage of uploads as documents: all files of a form, or none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from shared.clock import NewId
from shared.contracts.facts import DocumentKind, DocumentRef
from shared.documents.media_types import stored_name
from shared.documents.port import DocumentRefused, DocumentStore
from shared.web.api.problems import document_refused
from shared.web.forms.multipart import DEFAULT_LIMITS, FormLimits
from shared.web.forms.uploads import ParsedForm, Upload


async def store_uploads(
    form: ParsedForm[Any],
    store: DocumentStore,
    new_id: NewId,
    round_number: int,
    kinds: Mapping[str, DocumentKind],
    limits: FormLimits = DEFAULT_LIMITS,
) -> tuple[DocumentRef, ...]:
    """Store all files of the form concurrently, in the order of `kinds` (field to kind) and of the form.

    On failure nothing of the form stays in the store. Raises: Problem 413 or 415, StoreUnavailable.
    """
    uploads = [(kind, upload) for field, kind in kinds.items() for upload in form.files.get(field, ())]
    writes = (store_upload(upload, kind, store, new_id, round_number, limits.file) for kind, upload in uploads)
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    stored = tuple(outcome for outcome in outcomes if isinstance(outcome, DocumentRef))
    failed = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    if not failed:
        return stored
    await discard_documents(store, stored)
    index = next(index for index, outcome in enumerate(outcomes) if outcome is failed[0])
    if isinstance(failed[0], DocumentRefused):
        raise document_refused(failed[0], uploads[index][1].field) from failed[0]
    raise failed[0]


async def discard_documents(store: DocumentStore, documents: Iterable[DocumentRef]) -> None:
    """Delete documents that no request will reference; the orphan sweep removes those that cannot be deleted now."""
    await asyncio.gather(*(store.delete(document.key) for document in documents), return_exceptions=True)


async def store_upload(
    upload: Upload, kind: DocumentKind, store: DocumentStore, new_id: NewId, round_number: int, limit: int
) -> DocumentRef:
    """Store one inspected file. Raises: TooLarge, StoreUnavailable."""
    stored = await store.put(upload.file, lambda _file: upload.media_type, limit=limit)
    return DocumentRef(
        id=new_id(),
        kind=kind,
        name=stored_name(upload.filename, stored.media_type),
        size=stored.size,
        media_type=stored.media_type,
        sha256=stored.sha256,
        key=stored.key,
        round=round_number,
    )
