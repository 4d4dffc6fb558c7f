"""Handovers: results and the handover record are stored first, and removed unless the event refers to them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from io import BytesIO
from typing import BinaryIO

from services.assignment.domain.commands import CompleteWork
from services.assignment.domain.decisions import next_record_number
from services.assignment.domain.state import State
from services.assignment.handover_record.record import HandoverDocument, HandoverRecord, Office, Party, handover_record
from services.assignment.schemas import HandoverFields
from shared.backends.platform import Platform
from shared.calendar import today
from shared.contracts.facts import DocumentKind, DocumentRef, Staff
from shared.contracts.lifecycle import Status
from shared.documents.file_names import safe_name
from shared.documents.media_types import PDF
from shared.documents.port import CHUNK_BYTES
from shared.runtime.decider import Refusal
from shared.runtime.executor import CommandKey, CommandResult, Executor, IdempotencyKeyReused, Loaded
from shared.web.forms.multipart import FormLimits
from shared.web.forms.upload_storage import discard_documents, store_uploads
from shared.web.forms.uploads import FileRule, ParsedForm
from shared.web.views.employee_number import group_digits
from shared.web.views.labels import ROLE_LABELS, SCOPE_LABELS

FILE_RULES = {"documents": FileRule(1, 20)}
DOCUMENT_KINDS = {"documents": DocumentKind.RESULT}
OFFICE = Office()


class HandoverService:
    """Hands over the results that a lead uploaded."""

    def __init__(self, executor: Executor[State], platform: Platform) -> None:
        self._executor, self._platform = executor, platform
        self.limits = FormLimits(file=platform.settings.file_limit)

    async def complete(
        self, loaded: Loaded[State], lead: Staff, form: ParsedForm[HandoverFields], key: CommandKey
    ) -> CommandResult:
        """Store the files of a form and hand them over.

        Raises Refusal, IdempotencyKeyReused, StoreUnavailable of either store, and Problem 413 and 415.
        """
        platform, round_number = self._platform, loaded.state.course.round
        results: tuple[DocumentRef, ...] = ()
        if loaded.state.status is Status.IN_PROGRESS:
            # In other statuses the command is refused or a repeat, neither of which needs the files.
            results = await store_uploads(
                form, platform.documents, platform.new_id, round_number, DOCUMENT_KINDS, self.limits
            )
        return await self.hand_over(loaded, CompleteWork(lead, form.fields.summary, results, ""), key, results)

    async def hand_over(
        self, loaded: Loaded[State], command: CompleteWork, key: CommandKey, own_results: Sequence[DocumentRef] = ()
    ) -> CommandResult:
        """Hand over stored results together with the handover record.

        `own_results` are removed unless the event refers to them; other results may be held for another attempt, or belong to
        the first of two equal calls. Raises Refusal, IdempotencyKeyReused and StoreUnavailable of either store.
        """
        if loaded.state.status is not Status.IN_PROGRESS:
            return await self._executor.execute(loaded.id, replace(command, documents=()), key)
        number, store = next_record_number(loaded.state), self._platform.documents
        try:
            record = await self._record(loaded.state, command, number)
        except Exception:
            await discard_documents(store, own_results)
            raise
        complete_command = replace(command, documents=(*command.documents, record), record_number=number)
        try:
            result = await self._executor.execute(loaded.id, complete_command, key)
        except (Refusal, IdempotencyKeyReused) as refused:
            if isinstance(refused, Refusal) and refused.code == "record_outdated":
                await discard_documents(store, [record])
                return await self.hand_over(await self._reload(loaded), command, key, own_results)
            await discard_documents(store, [*own_results, record])
            raise
        if result.repeated:
            await discard_documents(store, [*own_results, record])
        return result

    async def _reload(self, loaded: Loaded[State]) -> Loaded[State]:
        return await self._executor.read(loaded.id) or loaded

    async def _record(self, state: State, command: CompleteWork, number: str) -> DocumentRef:
        """Render and store the handover record."""
        platform = self._platform
        content = self._record_content(state, command, number)
        pdf = await asyncio.to_thread(handover_record, content)
        stored = await platform.documents.put(BytesIO(pdf), lambda _file: PDF, limit=len(pdf))
        return DocumentRef(
            id=platform.new_id(),
            kind=DocumentKind.HANDOVER_RECORD,
            name=f"{file_name_form(number)}.pdf",
            size=stored.size,
            media_type=stored.media_type,
            sha256=stored.sha256,
            key=stored.key,
            round=state.course.round,
        )

    def _record_content(self, state: State, command: CompleteWork, number: str) -> HandoverRecord:
        applicant, letter, scope = state.applicant, state.letter, state.scope
        if applicant is None or letter is None or scope is None:
            raise ValueError("a request without a submission has no handover record")
        return HandoverRecord(
            number=number,
            request_number=state.number,
            scope=SCOPE_LABELS[scope],
            letter_number=letter.number,
            letter_date=letter.date,
            handed_over_on=today(self._platform.clock()),
            first=Party(command.by.name, "", ROLE_LABELS["technical"], OFFICE.name),
            second=Party(applicant.name, group_digits(applicant.employee_number), applicant.position, applicant.unit),
            documents=tuple(
                HandoverDocument(document.name, document.size, document.sha256) for document in command.documents
            ),
            verification_url=self.verification_url(number),
            summary=command.summary,
            office=OFFICE,
        )

    def verification_url(self, number: str) -> str:
        """Return the URL that shows whether the record is valid."""
        platform = self._platform
        return (
            f"{platform.settings.origin}/periksa/{file_name_form(number)}?kode={platform.tracking.record_code(number)}"
        )


def file_name_form(number: str) -> str:
    """Return the number of a record in the form used in URLs and file names."""
    return number.replace("/", "-")


async def digest_parts(form: ParsedForm[HandoverFields]) -> tuple[HandoverFields | str, ...]:
    """Return the content of a form, which distinguishes a repeat from another call."""
    uploads = form.files["documents"]
    digests = [await asyncio.to_thread(_sha256, upload.file) for upload in uploads]
    named = [_digest_part(safe_name(upload.filename), sha256) for upload, sha256 in zip(uploads, digests, strict=True)]
    return (form.fields, *named)


def digest_parts_of_stored(summary: HandoverFields, results: Iterable[DocumentRef]) -> tuple[HandoverFields | str, ...]:
    """Return the same for files that are stored already."""
    return (summary, *(_digest_part(document.name, document.sha256) for document in results))


def _digest_part(name: str, sha256: str) -> str:
    return f"{name}\0{sha256}"


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while piece := file.read(CHUNK_BYTES):
        digest.update(piece)
    file.seek(0)
    return digest.hexdigest()
