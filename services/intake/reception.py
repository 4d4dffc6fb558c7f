"""Takes in forms with files: files are stored first, then the request refers to them, and what no request names goes again."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import Request

from services.intake.domain import ResubmitRequest, SubmitRequest, next_number, number_prefix
from services.intake.employee_number import warnings
from services.intake.fields import (
    APPLICATION_FILES,
    CHANGES_FILES,
    KINDS,
    Application,
    Changes,
    dated,
    repeatable_lines,
)
from services.intake.recipient_limit import RecipientLimit
from services.intake.state import State
from shared.calendar import today
from shared.contracts.facts import Applicant, DocumentRef, Letter
from shared.platform import Platform
from shared.runtime.decider import Refusal
from shared.runtime.execution import Answer, CommandKey, Executor, Kept, KeyReused, Taken
from shared.storage.port import StateStore, StoreUnavailable
from shared.web import shapes
from shared.web.client_address import client_address, network_of
from shared.web.commands import shown
from shared.web.idempotency import command_id, command_key, digest_of, documents_digest, sent_key
from shared.web.multipart import FormLimits
from shared.web.storing import discard, store_uploads
from shared.web.upload_budget import Destination, count_stored
from shared.web.uploads import ReadForm, read_form

Documents = tuple[DocumentRef, ...]

NUMBERS_TRIED = 50
"""Each number that is found taken went to another process that took one at the same moment."""


class Reception:
    """New requests and completed ones. In one process numbers are taken in turns, so that none is skipped."""

    def __init__(self, executor: Executor[State], store: StateStore, platform: Platform, recipients: RecipientLimit):
        self._executor, self._store, self._platform = executor, store, platform
        self.application, self.changes = dated(Application, platform.clock), dated(Changes, platform.clock)
        self._limits = FormLimits(file=platform.settings.file_limit)
        self._turn, self._given = asyncio.Lock(), ""
        self._recipients = recipients

    async def submit(self, request: Request) -> dict[str, Any]:
        """The answer to a program's new request. Raises Problem, Refusal, KeyReused and StoreUnavailable."""
        sent_key(request)  # a bad key is refused before there is anything to take back
        async with read_form(request, self.application, APPLICATION_FILES, self._limits) as form:
            answer = await self._counted(request, form.fields.email, partial(self._store_and_register, request, form))
        token, odd = self._platform.tracking.token(answer.id), self.odd(form.fields.employee_number)
        return {**shown(answer), "tracking_token": token, "warnings": shapes.warnings(odd)}

    async def register(self, request: Request, fields: Application, stored: Documents) -> Answer:
        """The answer to a new request whose files are stored. Raises Problem, Refusal, KeyReused and StoreUnavailable."""
        return await self._counted(request, fields.email, partial(self._register, request, fields, stored))

    async def _counted(self, request: Request, address: str, registering: Callable[[], Awaitable[Answer]]) -> Answer:
        """Count the e-mail of a new request before anything is done for it, unless none follows. Raises Problem 429."""
        if sent_key(request) is not None and await self.registered_by(request) is not None:
            return await registering()
        counted = await self._recipients.count_submission(address, network_of(client_address(request)))
        try:
            answer = await registering()
        except Exception:
            await self._recipients.take_back(counted)
            raise
        if answer.repeated:
            await self._recipients.take_back(counted)
        return answer

    async def _store_and_register(self, request: Request, form: ReadForm[Application]) -> Answer:
        stored = await self._stored(form, 1)
        return await self._kept_if_named(request, self._register(request, form.fields, stored), stored)

    async def _register(self, request: Request, fields: Application, stored: Documents) -> Answer:
        key = self._key(request, digest_of(fields, documents_digest(stored)))
        command = _submission(fields, stored, self.odd(fields.employee_number))
        return await self._registered(_made_by(key.id), command, key)

    async def registered_by(self, request: Request) -> Kept[State] | None:
        """The request that was made with the key of this call, whatever it said."""
        return await self._executor.read(_made_by(self._key(request, "").id))

    def destination_of_form(self, key: str) -> Destination:
        """The request that the service's page with this key makes once it is sent."""
        return self.destination(_made_by(command_id(key, "", "POST", "/")))

    def destination(self, request_id: str) -> Destination:
        return Destination(request_id, self._documents_named)

    async def _documents_named(self, request_ids: Sequence[str]) -> set[str]:
        """The keys of the documents that these requests name by now. Raises StoreUnavailable."""
        forms = [kept.state.form for kept in await self._executor.read_many(request_ids)]
        return {document.key for form in forms if form for document in form.documents}

    async def resubmit(self, request: Request, kept: Kept[State]) -> dict[str, Any]:
        """The answer to a request that a program completes. Raises Problem, Refusal, KeyReused and StoreUnavailable."""
        sent_key(request)
        async with read_form(
            request, self.changes, CHANGES_FILES, self._limits, repeatable_lines(kept.state.form)
        ) as form:
            stored = await self._stored(form, kept.state.course.round + 1)
        return shown(await self._kept_if_named(request, self.complete(request, kept, form.fields, stored), stored))

    async def complete(self, request: Request, kept: Kept[State], fields: Changes, stored: Documents) -> Answer:
        """The same for files that are stored."""
        digest = digest_of(fields, documents_digest(stored))
        key = command_key(request, f"{kept.state.number}\n{kept.id}", digest, self._platform.new_id)
        odd = None if fields.employee_number is None else self.odd(fields.employee_number)
        command = ResubmitRequest(**fields.model_dump(), documents=stored, warnings=odd)
        return await self._executor.execute(kept.id, command, key)

    def odd(self, employee_number: str) -> tuple[str, ...]:
        """The codes of what is odd today about a number of 18 digits."""
        return warnings(employee_number, today(self._platform.clock()))

    def _key(self, request: Request, digest: str) -> CommandKey:
        return command_key(request, "", digest, self._platform.new_id)

    async def _stored(self, form: ReadForm[Any], round: int) -> Documents:
        platform = self._platform
        return await store_uploads(form, platform.documents, platform.new_id, round, KINDS, self._limits)

    async def _registered(self, request_id: str, command: SubmitRequest, key: CommandKey) -> Answer:
        """The command obeyed under the next registration number: after the last that was given here, or anywhere."""
        async with self._turn:
            for _ in range(NUMBERS_TRIED):
                prefix = number_prefix(self._platform.clock())
                last = self._given if self._given.startswith(prefix) else await self._store.greatest("number", prefix)
                numbered = replace(command, number=next_number(last or None, prefix))
                self._given = ""
                try:
                    answer = await self._executor.execute(request_id, numbered, key, new=True)
                except Taken:
                    continue
                self._given = numbered.number if answer.number == numbered.number else ""
                return answer
        raise StoreUnavailable("every registration number that was tried had just been taken")

    async def _kept_if_named(self, request: Request, execution: Awaitable[Answer], stored: Documents) -> Answer:
        """The answer; what was stored for nothing is deleted. If the outcome is not known everything stays."""
        try:
            answer = await execution
        except (Refusal, KeyReused):
            await discard(self._platform.documents, stored)
            raise
        except Exception:
            count_stored(request, stored)
            raise
        if answer.repeated:
            await discard(self._platform.documents, stored)
        return answer


def _made_by(command: str) -> str:
    """The id of the request that a command makes: repeated, it must find it again."""
    return str(uuid.uuid5(uuid.UUID(command), "request"))


def _submission(fields: Application, stored: tuple[DocumentRef, ...], odd: tuple[str, ...]) -> SubmitRequest:
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
