"""Takes in forms with files: files are stored first, then the request refers to them, and what no request names goes again."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import Request

from services.intake.domain.commands import ResubmitRequest, SubmitRequest
from services.intake.domain.decisions import next_registration_number, registration_number_prefix
from services.intake.domain.employee_number import warnings
from services.intake.domain.state import State
from services.intake.recipient_limit import RecipientLimit
from services.intake.schemas import (
    DOCUMENT_KINDS,
    RESUBMISSION_FILES,
    SUBMISSION_FILES,
    ResubmissionForm,
    SubmissionForm,
    dated,
    previously_accepted_names,
)
from shared.backends.platform import Platform
from shared.calendar import today
from shared.contracts.facts import Applicant, DocumentRef, Letter
from shared.runtime.decider import Refusal
from shared.runtime.executor import CommandKey, CommandResult, Executor, IdempotencyKeyReused, Loaded, UniqueViolation
from shared.storage.port import StateStore, StoreUnavailable
from shared.web.api import serializers
from shared.web.api.commands import command_result
from shared.web.api.idempotency import command_id, command_key, documents_digest, read_idempotency_key, request_digest
from shared.web.forms.multipart import FormLimits
from shared.web.forms.upload_storage import discard_documents, store_uploads
from shared.web.forms.uploads import ParsedForm, read_form
from shared.web.http.client_address import client_address, client_network
from shared.web.http.upload_budget import UploadTarget, charge_stored_documents

Documents = tuple[DocumentRef, ...]

MAX_NUMBER_ATTEMPTS = 50
"""Each number that is found taken went to another process that took one at the same moment."""


class SubmissionService:
    """New requests and completed ones. In one process numbers are taken in turns, so that none is skipped."""

    def __init__(
        self, executor: Executor[State], store: StateStore, platform: Platform, recipients: RecipientLimit
    ) -> None:
        self._executor, self._store, self._platform = executor, store, platform
        self.application, self.changes = dated(SubmissionForm, platform.clock), dated(ResubmissionForm, platform.clock)
        self._limits = FormLimits(file=platform.settings.file_limit)
        self._number_lock, self._last_number = asyncio.Lock(), ""
        self._recipient_limit = recipients

    async def submit(self, request: Request) -> dict[str, Any]:
        """The answer to a program's new request. Raises Problem, Refusal, KeyReused and StoreUnavailable."""
        read_idempotency_key(request)  # a bad key is refused before there is anything to take back
        async with read_form(request, self.application, SUBMISSION_FILES, self._limits) as form:
            answer = await self._register_within_limit(
                request, form.fields.email, partial(self._store_and_register, request, form)
            )
        token, odd = self._platform.tracking.token(answer.id), self.odd(form.fields.employee_number)
        return {**command_result(answer), "tracking_token": token, "warnings": serializers.warnings(odd)}

    async def register(self, request: Request, fields: SubmissionForm, stored: Documents) -> CommandResult:
        """The answer to a new request whose files are stored. Raises Problem, Refusal, KeyReused and StoreUnavailable."""
        return await self._register_within_limit(
            request, fields.email, partial(self._register, request, fields, stored)
        )

    async def _register_within_limit(
        self, request: Request, address: str, register: Callable[[], Awaitable[CommandResult]]
    ) -> CommandResult:
        """Count the e-mail of a new request before anything is done for it, unless none follows. Raises Problem 429."""
        if read_idempotency_key(request) is not None and await self.find_submitted(request) is not None:
            return await register()
        counted = await self._recipient_limit.count_submission(address, client_network(client_address(request)))
        try:
            answer = await register()
        except Exception:
            await self._recipient_limit.take_back(counted)
            raise
        if answer.repeated:
            await self._recipient_limit.take_back(counted)
        return answer

    async def _store_and_register(self, request: Request, form: ParsedForm[SubmissionForm]) -> CommandResult:
        stored = await self._store_files(form, 1)
        return await self._discard_unused(request, self._register(request, form.fields, stored), stored)

    async def _register(self, request: Request, fields: SubmissionForm, stored: Documents) -> CommandResult:
        key = self._key(request, request_digest(fields, documents_digest(stored)))
        command = _submit_command(fields, stored, self.odd(fields.employee_number))
        return await self._execute_with_number(_request_id_for(key.id), command, key)

    async def find_submitted(self, request: Request) -> Loaded[State] | None:
        """The request that was made with the key of this call, whatever it said."""
        return await self._executor.read(_request_id_for(self._key(request, "").id))

    def form_destination(self, key: str) -> UploadTarget:
        """The request that the service's page with this key makes once it is sent."""
        return self.destination(_request_id_for(command_id(key, "", "POST", "/")))

    def destination(self, request_id: str) -> UploadTarget:
        return UploadTarget(request_id, self._document_keys)

    async def _document_keys(self, request_ids: Sequence[str]) -> set[str]:
        """The keys of the documents that these requests name by now. Raises StoreUnavailable."""
        forms = [loaded.state.form for loaded in await self._executor.read_many(request_ids)]
        return {document.key for form in forms if form for document in form.documents}

    async def resubmit(self, request: Request, loaded: Loaded[State]) -> dict[str, Any]:
        """The answer to a request that a program completes. Raises Problem, Refusal, KeyReused and StoreUnavailable."""
        read_idempotency_key(request)
        async with read_form(
            request, self.changes, RESUBMISSION_FILES, self._limits, previously_accepted_names(loaded.state.form)
        ) as form:
            stored = await self._store_files(form, loaded.state.course.round + 1)
        return command_result(
            await self._discard_unused(request, self.complete(request, loaded, form.fields, stored), stored)
        )

    async def complete(
        self, request: Request, loaded: Loaded[State], fields: ResubmissionForm, stored: Documents
    ) -> CommandResult:
        """The same for files that are stored."""
        digest = request_digest(fields, documents_digest(stored))
        key = command_key(request, f"{loaded.state.number}\n{loaded.id}", digest, self._platform.new_id)
        odd = None if fields.employee_number is None else self.odd(fields.employee_number)
        command = ResubmitRequest(**fields.model_dump(), documents=stored, warnings=odd)
        return await self._executor.execute(loaded.id, command, key)

    def odd(self, employee_number: str) -> tuple[str, ...]:
        """The codes of what is odd today about a number of 18 digits."""
        return warnings(employee_number, today(self._platform.clock()))

    def _key(self, request: Request, digest: str) -> CommandKey:
        return command_key(request, "", digest, self._platform.new_id)

    async def _store_files(self, form: ParsedForm[Any], round: int) -> Documents:
        platform = self._platform
        return await store_uploads(form, platform.documents, platform.new_id, round, DOCUMENT_KINDS, self._limits)

    async def _execute_with_number(self, request_id: str, command: SubmitRequest, key: CommandKey) -> CommandResult:
        """The command obeyed under the next registration number: after the last that was given here, or anywhere."""
        async with self._number_lock:
            for _ in range(MAX_NUMBER_ATTEMPTS):
                prefix = registration_number_prefix(self._platform.clock())
                last = (
                    self._last_number
                    if self._last_number.startswith(prefix)
                    else await self._store.greatest("number", prefix)
                )
                numbered = replace(command, number=next_registration_number(last or None, prefix))
                self._last_number = ""
                try:
                    answer = await self._executor.execute(request_id, numbered, key, new=True)
                except UniqueViolation:
                    continue
                self._last_number = numbered.number if answer.number == numbered.number else ""
                return answer
        raise StoreUnavailable("every registration number that was tried had just been taken")

    async def _discard_unused(
        self, request: Request, execution: Awaitable[CommandResult], stored: Documents
    ) -> CommandResult:
        """The answer; what was stored for nothing is deleted. If the outcome is not known everything stays."""
        try:
            answer = await execution
        except (Refusal, IdempotencyKeyReused):
            await discard_documents(self._platform.documents, stored)
            raise
        except Exception:
            charge_stored_documents(request, stored)
            raise
        if answer.repeated:
            await discard_documents(self._platform.documents, stored)
        return answer


def _request_id_for(command: str) -> str:
    """The id of the request that a command makes: repeated, it must find it again."""
    return str(uuid.uuid5(uuid.UUID(command), "request"))


def _submit_command(fields: SubmissionForm, stored: tuple[DocumentRef, ...], odd: tuple[str, ...]) -> SubmitRequest:
    about = {name: getattr(fields, name) for name in Applicant.model_fields}
    return SubmitRequest(
        number="",
        applicant=Applicant(**about),
        description=fields.description,
        scope=fields.scope,
        letter=Letter(number=fields.letter_number, date=fields.letter_date),
        documents=stored,
        warnings=odd,
    )
