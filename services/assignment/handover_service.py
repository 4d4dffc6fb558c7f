"""Completion: results and their handover record are stored first, and kept only if the event came to name them."""

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
from services.assignment.schemas import Summary
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
    """Hands over what a lead has uploaded."""

    def __init__(self, executor: Executor[State], platform: Platform) -> None:
        self._executor, self._platform = executor, platform
        self.limits = FormLimits(file=platform.settings.file_limit)

    async def complete(
        self, loaded: Loaded[State], lead: Staff, form: ParsedForm[Summary], key: CommandKey
    ) -> CommandResult:
        """Hand over the files of a form that came whole; they are stored first.

        Raises Refusal, KeyReused and StoreUnavailable of either store, Problem 413 and 415.
        """
        platform, round = self._platform, loaded.state.course.round
        results: tuple[DocumentRef, ...] = ()
        if loaded.state.status is Status.IN_PROGRESS:
            # Else nothing but a repeat is answered, and a repeat needs no files.
            results = await store_uploads(form, platform.documents, platform.new_id, round, DOCUMENT_KINDS, self.limits)
        return await self.hand_over(loaded, CompleteWork(lead, form.fields.summary, results, ""), key, results)

    async def hand_over(
        self, loaded: Loaded[State], command: CompleteWork, key: CommandKey, own_results: Sequence[DocumentRef] = ()
    ) -> CommandResult:
        """Hand over stored results, to which the record is added. `ours` are deleted when no event came to name them;
        other results may wait for another try, or be those that the first of two equal calls handed over.

        Raises Refusal, KeyReused and StoreUnavailable of either store.
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
            answer = await self._executor.execute(loaded.id, complete_command, key)
        except (Refusal, IdempotencyKeyReused) as refused:
            if isinstance(refused, Refusal) and refused.code == "record_outdated":
                await discard_documents(store, [record])
                return await self.hand_over(await self._reload(loaded), command, key, own_results)
            await discard_documents(store, [*own_results, record])
            raise
        if answer.repeated:
            await discard_documents(store, [*own_results, record])
        return answer

    async def _reload(self, loaded: Loaded[State]) -> Loaded[State]:
        return await self._executor.read(loaded.id) or loaded

    async def _record(self, state: State, command: CompleteWork, number: str) -> DocumentRef:
        """The handover record, drawn and stored."""
        platform = self._platform
        facts = self._record_content(state, command, number)
        pdf = await asyncio.to_thread(handover_record, facts)
        stored = await platform.documents.put(BytesIO(pdf), lambda file: PDF, limit=len(pdf))
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
            raise ValueError("there is no record of a request that was never sent")
        return HandoverRecord(
            number=number,
            request_number=state.number,
            scope=SCOPE_LABELS[scope],
            letter_number=letter.number,
            letter_date=letter.date,
            handed_over_on=today(self._platform.clock()),
            first=Party(command.by.name, "", ROLE_LABELS["technical"], OFFICE.name),
            second=Party(applicant.name, group_digits(applicant.employee_number), applicant.position, applicant.unit),
            documents=tuple(HandoverDocument(each.name, each.size, each.sha256) for each in command.documents),
            verification_url=self.verification_url(number),
            summary=command.summary,
            office=OFFICE,
        )

    def verification_url(self, number: str) -> str:
        """Where anybody may ask whether the record of this number is valid."""
        platform = self._platform
        return (
            f"{platform.settings.origin}/periksa/{file_name_form(number)}?kode={platform.tracking.record_code(number)}"
        )


def file_name_form(number: str) -> str:
    """A record's number as it stands in an address or a file name."""
    return number.replace("/", "-")


async def digest_parts(form: ParsedForm[Summary]) -> tuple[Summary | str, ...]:
    """What the form says, for telling a repeat from another call; nothing that the server adds to it."""
    uploads = form.files["documents"]
    digests = [await asyncio.to_thread(_sha256, upload.file) for upload in uploads]
    named = [_digest_part(safe_name(upload.filename), sha256) for upload, sha256 in zip(uploads, digests, strict=True)]
    return (form.fields, *named)


def digest_parts_of_stored(summary: Summary, results: Iterable[DocumentRef]) -> tuple[Summary | str, ...]:
    """The same of files that are stored already."""
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
