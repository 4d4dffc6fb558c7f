"""The documents of past requests: their own while they are looked at, samples that all others share after that."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from datetime import date
from functools import cache

from shared.contracts.facts import DocumentKind, DocumentRef
from simpul.client_types import RequestForm, Upload
from simpul.demo import sample_documents
from simpul.demo.sample_requests import SampleRequest, sample_request
from simpul.generate.lifecycle_simulator import NAMESPACE

SAMPLE_FORM: RequestForm = {
    "name": "Pemohon Contoh",
    "unit": "Unit Kerja Contoh",
    "position": "Jabatan Contoh",
    "description": "Dokumen ini sama untuk semua permohonan contoh yang telah diperiksa.",
}


class PastDocuments:
    """The documents of one request; `contents` has the bytes of those that were made, by storage key."""

    def __init__(self, sample: SampleRequest, request_id: str, *, shared: bool) -> None:
        self.contents: dict[str, bytes] = {}
        self._sample = sample
        self.request_id = request_id
        self._shared = shared

    def letter(self, round_number: int = 1) -> DocumentRef:
        return self.make(DocumentKind.LETTER, sample_documents.letter, round_number)

    def requirements(self, count: int, round_number: int = 1) -> tuple[DocumentRef, ...]:
        """Make the first `count` of the sample requirements."""
        makers = sample_documents.REQUIREMENTS[:count]
        return tuple(self.make(DocumentKind.REQUIREMENT, make, round_number) for make in makers)

    def upload(self, make: Callable[[SampleRequest], Upload], round_number: int) -> Upload:
        """Return the file of a document; the shared one is the same in every round."""
        del round_number
        return _shared_sample(make) if self._shared else make(self._sample)

    def make(self, kind: DocumentKind, make: Callable[[SampleRequest], Upload], round_number: int) -> DocumentRef:
        """Make a document of this round, or of this handover, and keep its content."""
        upload = self.upload(make, round_number)
        name = f"{make.__name__}:{'' if self._shared else self.request_id}:{round_number}"
        key = str(uuid.uuid5(NAMESPACE, name))
        self.contents[key] = upload.content
        return DocumentRef(
            id=str(uuid.uuid5(NAMESPACE, f"{self.request_id}:{make.__name__}:{round_number}")),
            kind=kind,
            name=upload.name,
            size=len(upload.content),
            media_type=upload.media_type,
            sha256=hashlib.sha256(upload.content).hexdigest(),
            key=key,
            round=round_number if kind in (DocumentKind.LETTER, DocumentKind.REQUIREMENT) else 1,
        )


@cache
def _shared_sample(make: Callable[[SampleRequest], Upload]) -> Upload:
    """Return the document that stands for those of all checked requests; making one for each would take minutes."""
    sample = sample_request(0, 0, date(2024, 1, 2))
    sample.form.update(SAMPLE_FORM)
    return make(sample)
