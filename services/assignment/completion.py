"""Completion: results and their handover record are stored first, and kept only if the event came to name them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from io import BytesIO
from typing import BinaryIO

from services.assignment.domain import CompleteWork, next_record_number
from services.assignment.fields import Summary
from services.assignment.handover import HandedDocument, HandoverRecord, Office, Party, handover_record
from services.assignment.state import State
from shared.calendar import today
from shared.contracts.course import Status
from shared.contracts.facts import DocumentKind, DocumentRef, Staff
from shared.documents.file_names import safe_name
from shared.documents.media_types import PDF
from shared.documents.port import PIECE
from shared.platform import Platform
from shared.runtime.decider import Refusal
from shared.runtime.execution import Answer, CommandKey, Executor, Kept, KeyReused
from shared.web.employee_number import grouped
from shared.web.labels import ROLE_LABELS, SCOPE_LABELS
from shared.web.multipart import FormLimits
from shared.web.storing import discard, store_uploads
from shared.web.uploads import FileRule, ReadForm

FILES = {"documents": FileRule(1, 20)}
KINDS = {"documents": DocumentKind.RESULT}
OFFICE = Office()


class Completion:
    """Hands over what a lead has uploaded."""

    def __init__(self, executor: Executor[State], platform: Platform):
        self._executor, self._platform = executor, platform
        self.limits = FormLimits(file=platform.settings.file_limit)

    async def complete(self, kept: Kept[State], lead: Staff, form: ReadForm[Summary], key: CommandKey) -> Answer:
        """Hand over the files of a form that came whole; they are stored first.

        Raises Refusal, KeyReused and StoreUnavailable of either store, Problem 413 and 415.
        """
        platform, round = self._platform, kept.state.course.round
        results: tuple[DocumentRef, ...] = ()
        if kept.state.status is Status.IN_PROGRESS:
            # Else nothing but a repeat is answered, and a repeat needs no files.
            results = await store_uploads(form, platform.documents, platform.new_id, round, KINDS, self.limits)
        return await self.hand_over(kept, CompleteWork(lead, form.fields.summary, results, ""), key, results)

    async def hand_over(
        self, kept: Kept[State], work: CompleteWork, key: CommandKey, ours: Sequence[DocumentRef] = ()
    ) -> Answer:
        """Hand over stored results, to which the record is added. `ours` are deleted when no event came to name them;
        other results may wait for another try, or be those that the first of two equal calls handed over.

        Raises Refusal, KeyReused and StoreUnavailable of either store.
        """
        if kept.state.status is not Status.IN_PROGRESS:
            return await self._executor.execute(kept.id, replace(work, documents=()), key)
        number, store = next_record_number(kept.state), self._platform.documents
        try:
            record = await self._record(kept.state, work, number)
        except Exception:
            await discard(store, ours)
            raise
        whole = replace(work, documents=(*work.documents, record), record_number=number)
        try:
            answer = await self._executor.execute(kept.id, whole, key)
        except (Refusal, KeyReused) as refused:
            if isinstance(refused, Refusal) and refused.code == "record_outdated":
                await discard(store, [record])
                return await self.hand_over(await self._again(kept), work, key, ours)
            await discard(store, [*ours, record])
            raise
        if answer.repeated:
            await discard(store, [*ours, record])
        return answer

    async def _again(self, kept: Kept[State]) -> Kept[State]:
        return await self._executor.read(kept.id) or kept

    async def _record(self, state: State, work: CompleteWork, number: str) -> DocumentRef:
        """The handover record, drawn and stored."""
        platform = self._platform
        facts = self._facts(state, work, number)
        drawn = await asyncio.to_thread(handover_record, facts)
        stored = await platform.documents.put(BytesIO(drawn), lambda file: PDF, limit=len(drawn))
        return DocumentRef(
            id=platform.new_id(),
            kind=DocumentKind.HANDOVER_RECORD,
            name=f"{plain(number)}.pdf",
            size=stored.size,
            media_type=stored.media_type,
            sha256=stored.sha256,
            key=stored.key,
            round=state.course.round,
        )

    def _facts(self, state: State, work: CompleteWork, number: str) -> HandoverRecord:
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
            first=Party(work.by.name, "", ROLE_LABELS["technical"], OFFICE.name),
            second=Party(applicant.name, grouped(applicant.employee_number), applicant.position, applicant.unit),
            documents=tuple(HandedDocument(each.name, each.size, each.sha256) for each in work.documents),
            verification_url=self.address(number),
            summary=work.summary,
            office=OFFICE,
        )

    def address(self, number: str) -> str:
        """Where anybody may ask whether the record of this number is valid."""
        platform = self._platform
        return f"{platform.settings.origin}/periksa/{plain(number)}?kode={platform.tracking.record_code(number)}"


def plain(number: str) -> str:
    """A record's number as it stands in an address or a file name."""
    return number.replace("/", "-")


async def told(form: ReadForm[Summary]) -> tuple[Summary | str, ...]:
    """What the form says, for telling a repeat from another call; nothing that the server adds to it."""
    uploads = form.files["documents"]
    digests = [await asyncio.to_thread(_sha256, upload.file) for upload in uploads]
    named = [_named(safe_name(upload.filename), sha256) for upload, sha256 in zip(uploads, digests, strict=True)]
    return (form.fields, *named)


def told_stored(summary: Summary, results: Iterable[DocumentRef]) -> tuple[Summary | str, ...]:
    """The same of files that are stored already."""
    return (summary, *(_named(document.name, document.sha256) for document in results))


def _named(name: str, sha256: str) -> str:
    return f"{name}\0{sha256}"


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while piece := file.read(PIECE):
        digest.update(piece)
    file.seek(0)
    return digest.hexdigest()
