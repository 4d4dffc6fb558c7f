"""Submissions of new, completed and corrected requests: files are stored first, then a command names them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

from services.intake.domain.commands import CorrectRequest, ResubmitRequest, SubmitRequest
from services.intake.domain.decisions import registration_count, registration_number, registration_number_prefix
from services.intake.domain.employee_number import employee_number_warnings
from services.intake.domain.state import State
from services.intake.recipient_limit import RecipientLimit
from services.intake.schemas import DOCUMENT_KINDS, ResubmissionForm, SubmissionForm
from shared.backends.platform import Platform
from shared.calendar import today
from shared.clock import Clock
from shared.contracts.facts import Applicant, DocumentRef, Letter
from shared.runtime.decider import Refusal
from shared.runtime.executor import CommandKey, CommandResult, Executor, IdempotencyKeyReused, Loaded, UniqueViolation
from shared.storage.port import StateStore, StoreUnavailable
from shared.web.api.idempotency import CommandContext, command_id, documents_digest, request_digest
from shared.web.api.problems import Problem
from shared.web.forms.multipart import FormLimits
from shared.web.forms.upload_storage import discard_documents, store_uploads
from shared.web.forms.uploads import ParsedForm
from shared.web.http.upload_budget import UploadTarget
from shared.workers.group import WorkerGroup

Documents = tuple[DocumentRef, ...]
OrphanHandler = Callable[[Documents], None]
"""Called with stored documents when it is unknown whether a command that names them was saved."""

MAX_NUMBER_ATTEMPTS = 50
"""Each number that proves to be in use was taken by another process at the same moment."""
ORDERED_AS_TEXT = 999_999
"""Up to this count, registration numbers have six digits, and the greatest text is the latest number."""
SUBMISSION_PATH = "/"
"""Path of the submission page, part of the command id of a submission."""


class RegistrationNumberAllocator:
    """Allocates consecutive registration numbers.

    The unique column of the store guarantees that no number is given twice. Submissions of one process take turns, so that no
    number is skipped. With several workers, the last number is read each time, since it is often one of another worker.
    """

    def __init__(self, store: StateStore, clock: Clock, workers: WorkerGroup) -> None:
        self._store, self._clock, self._workers = store, clock, workers
        self._lock, self._last_number = asyncio.Lock(), ""

    async def allocate(self, submit: Callable[[str], Awaitable[CommandResult]]) -> CommandResult:
        """Submit with the next free number. Raises what `submit` raises, and StoreUnavailable if no number is free."""
        async with self._lock:
            for _ in range(MAX_NUMBER_ATTEMPTS):
                number = await self._next_number()
                self._last_number = ""
                try:
                    result = await submit(number)
                except UniqueViolation:
                    continue
                self._last_number = number if result.number == number and self._workers.size == 1 else ""
                return result
        raise StoreUnavailable("every registration number that was tried had just been taken")

    async def _next_number(self) -> str:
        prefix = registration_number_prefix(self._clock())
        if self._last_number.startswith(prefix):
            count = registration_count(self._last_number, prefix)
        else:
            count = registration_count(await self._store.greatest("number", prefix), prefix)
            if count >= ORDERED_AS_TEXT:
                count = await self._last_count(prefix, count)
        return registration_number(prefix, count + 1)

    async def _last_count(self, prefix: str, registered: int) -> int:
        """Return the last registered count from `registered` on by bisection, because numbers are consecutive."""

        async def is_registered(count: int) -> bool:
            return await self._store.find_one("number", registration_number(prefix, count)) is not None

        step = 1
        while await is_registered(registered + step):
            registered, step = registered + step, 2 * step
        free = registered + step
        while free - registered > 1:
            middle = (registered + free) // 2
            if await is_registered(middle):
                registered = middle
            else:
                free = middle
        return registered


class SubmissionService:
    """New requests and completions of returned ones.

    Every method that executes a command raises Refusal, IdempotencyKeyReused and StoreUnavailable.
    """

    def __init__(
        self, executor: Executor[State], store: StateStore, platform: Platform, recipient_limit: RecipientLimit
    ) -> None:
        self._executor, self._platform, self._recipient_limit = executor, platform, recipient_limit
        self._numbers = RegistrationNumberAllocator(store, platform.clock, platform.workers)
        self.limits = FormLimits(file=platform.settings.file_limit)

    async def submit(
        self, form: ParsedForm[SubmissionForm], context: CommandContext, network: str, on_orphaned: OrphanHandler
    ) -> CommandResult:
        """Store the files of a new request and register it. Raises Problem, also 429 over the recipient's limit."""

        async def store_and_register() -> CommandResult:
            stored = await self._store_files(form, round_number=1)
            execution = self._submit_with_next_number(form.fields, stored, context)
            return await self._discard_unused(execution, stored, on_orphaned)

        return await self._within_recipient_limit(form.fields.email, network, context, store_and_register)

    async def register(
        self, fields: SubmissionForm, stored: Documents, context: CommandContext, network: str
    ) -> CommandResult:
        """Register a new request whose files are stored. Raises Problem 429 over the recipient's limit."""
        register = partial(self._submit_with_next_number, fields, stored, context)
        return await self._within_recipient_limit(fields.email, network, context, register)

    async def find_submitted(self, context: CommandContext) -> Loaded[State] | None:
        """Return the request that was registered with this idempotency key, whatever its content."""
        return await self._executor.read(_request_id(self._command_key(context, "").id))

    async def resubmit(
        self,
        loaded: Loaded[State],
        form: ParsedForm[ResubmissionForm],
        context: CommandContext,
        on_orphaned: OrphanHandler,
    ) -> CommandResult:
        """Store the files of a completion and complete the request."""
        stored = await self._store_files(form, loaded.state.course.round + 1)
        execution = self.complete(loaded, form.fields, stored, context)
        return await self._discard_unused(execution, stored, on_orphaned)

    async def complete(
        self, loaded: Loaded[State], fields: ResubmissionForm, stored: Documents, context: CommandContext
    ) -> CommandResult:
        """Complete a returned request whose new files are stored."""
        key = self._change_key(loaded, fields, stored, context)
        return await self._change(ResubmitRequest, loaded, fields, stored, key)

    async def correct_with_files(
        self,
        loaded: Loaded[State],
        form: ParsedForm[ResubmissionForm],
        context: CommandContext,
        network: str,
        on_orphaned: OrphanHandler,
    ) -> CommandResult:
        """Store the files of a correction and correct the request. Raises Problem 429 over the recipient's limit."""
        stored = await self._store_files(form, loaded.state.course.round)
        execution = self.correct(loaded, form.fields, stored, context, network)
        return await self._discard_unused(execution, stored, on_orphaned)

    async def correct(
        self, loaded: Loaded[State], fields: ResubmissionForm, stored: Documents, context: CommandContext, network: str
    ) -> CommandResult:
        """Correct a request whose new files are stored; the email that this causes counts against the recipient's limit.

        Raises Problem 429 over this limit.
        """
        key = self._change_key(loaded, fields, stored, context)
        if (previous := await self._executor.find_result(loaded.id, key)) is not None:
            return previous
        address = fields.email or (loaded.state.form.applicant.email if loaded.state.form else "")
        change = partial(self._change, CorrectRequest, loaded, fields, stored, key)
        return await self._recipient_limit.count(address, network, change)

    async def _change(
        self,
        kind: type[ResubmitRequest | CorrectRequest],
        loaded: Loaded[State],
        fields: ResubmissionForm,
        stored: Documents,
        key: CommandKey,
    ) -> CommandResult:
        warnings = None if fields.employee_number is None else self.warnings(fields.employee_number)
        command = kind(**fields.model_dump(), documents=stored, warnings=warnings)
        return await self._executor.execute(loaded.id, command, key)

    def _change_key(
        self, loaded: Loaded[State], fields: ResubmissionForm, stored: Documents, context: CommandContext
    ) -> CommandKey:
        digest = request_digest(fields, documents_digest(stored))
        return context.command_key(f"{loaded.state.number}\n{loaded.id}", digest, self._platform.new_id)

    def warnings(self, employee_number: str) -> tuple[str, ...]:
        """Return today's warning codes of a normalized employee number."""
        return employee_number_warnings(employee_number, today(self._platform.clock()))

    def submission_target(self, form_key: str) -> UploadTarget:
        """Return the target of files whose form, once sent from the submission page, becomes a request."""
        return self.upload_target(_request_id(command_id(form_key, "", "POST", SUBMISSION_PATH)))

    def upload_target(self, request_id: str) -> UploadTarget:
        """Return the target of files that are to become part of this request."""
        return UploadTarget(request_id, self._document_keys)

    async def _document_keys(self, request_ids: Sequence[str]) -> set[str]:
        """Return the storage keys of the documents that these requests name. Raises StoreUnavailable."""
        forms = [loaded.state.form for loaded in await self._executor.read_many(request_ids)]
        return {document.key for form in forms if form for document in form.documents}

    async def _within_recipient_limit(
        self, address: str, network: str, context: CommandContext, register: Callable[[], Awaitable[CommandResult]]
    ) -> CommandResult:
        """Count the email of a new request before anything is stored; a repeat is not counted."""
        if context.idempotency_key is not None and await self.find_submitted(context) is not None:
            return await register()
        return await self._recipient_limit.count(address, network, register)

    async def _submit_with_next_number(
        self, fields: SubmissionForm, stored: Documents, context: CommandContext
    ) -> CommandResult:
        key = self._command_key(context, request_digest(fields, documents_digest(stored)))
        command = _submit_command(fields, stored, self.warnings(fields.employee_number))
        request_id = _request_id(key.id)

        async def submit(number: str) -> CommandResult:
            return await self._executor.execute(request_id, replace(command, number=number), key, new=True)

        return await self._numbers.allocate(submit)

    def _command_key(self, context: CommandContext, digest: str) -> CommandKey:
        return context.command_key("", digest, self._platform.new_id)

    async def _store_files(
        self, form: ParsedForm[SubmissionForm] | ParsedForm[ResubmissionForm], round_number: int
    ) -> Documents:
        platform = self._platform
        return await store_uploads(form, platform.documents, platform.new_id, round_number, DOCUMENT_KINDS, self.limits)

    async def _discard_unused(
        self, execution: Awaitable[CommandResult], stored: Documents, on_orphaned: OrphanHandler
    ) -> CommandResult:
        """Delete the stored files if the command does not name them; keep them while that is unknown."""
        try:
            result = await execution
        except (Refusal, IdempotencyKeyReused, Problem):
            await discard_documents(self._platform.documents, stored)
            raise
        except Exception:
            on_orphaned(stored)
            raise
        if result.repeated:
            await discard_documents(self._platform.documents, stored)
        return result


def _request_id(submission_command_id: str) -> str:
    """Return the id of the request that a submission creates; a repeated command finds the same request."""
    return str(uuid.uuid5(uuid.UUID(submission_command_id), "request"))


def _submit_command(fields: SubmissionForm, stored: Documents, warnings: tuple[str, ...]) -> SubmitRequest:
    return SubmitRequest(
        number="",
        applicant=Applicant(**{name: getattr(fields, name) for name in Applicant.model_fields}),
        description=fields.description,
        scope=fields.scope,
        letter=Letter(number=fields.letter_number, date=fields.letter_date),
        documents=stored,
        warnings=warnings,
    )
