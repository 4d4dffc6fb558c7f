"""Takes in forms with files: files are stored first, then the request refers to them, and what no request names goes again."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

from fastapi import Request

from services.intake.domain import ResubmitRequest, SubmitRequest, next_number, number_prefix
from services.intake.employee_number import warnings
from services.intake.fields import APPLICATION_FILES, CHANGES_FILES, KINDS, Application, Changes, dated
from services.intake.state import State
from shared.calendar import today
from shared.contracts.facts import Applicant, DocumentRef, Letter
from shared.platform import Platform
from shared.runtime.decider import Refusal
from shared.runtime.execution import Answer, CommandKey, Executor, Kept, KeyReused, Taken
from shared.storage.port import StateStore, StoreUnavailable
from shared.web import shapes
from shared.web.commands import shown
from shared.web.idempotency import command_key, digest_of, documents_digest, sent_key
from shared.web.storing import discard, store_uploads
from shared.web.uploads import FormLimits, ReadForm, read_form

NUMBERS_TRIED = 50
"""Each number that is found taken went to another process that took one at the same moment."""


class Reception:
    """New requests and completed ones. In one process numbers are taken in turns, so that none is skipped."""

    def __init__(self, executor: Executor[State], store: StateStore, platform: Platform):
        self._executor, self._store, self._platform = executor, store, platform
        self._application, self._changes = dated(Application, platform.clock), dated(Changes, platform.clock)
        self._limits = FormLimits(file=platform.settings.file_limit)
        self._turn = asyncio.Lock()

    async def submit(self, request: Request) -> dict[str, Any]:
        """The answer to a new request. Raises Problem, Refusal, KeyReused and StoreUnavailable."""
        sent_key(request)  # a bad key is refused before there is anything to take back
        async with read_form(request, self._application, APPLICATION_FILES, self._limits) as form:
            stored = await self._stored(form, 1)
        key = command_key(request, "", digest_of(form.fields, documents_digest(stored)), self._platform.new_id)
        odd = self._odd(form.fields.employee_number)
        command = _submission(form.fields, stored, odd)
        # A repeated command must find the request that it made.
        request_id = str(uuid.uuid5(uuid.UUID(key.id), "request"))
        answer = await self._kept_if_named(self._registered(request_id, command, key), stored)
        token = self._platform.tracking.token(answer.id)
        return {**shown(answer), "tracking_token": token, "warnings": shapes.warnings(odd)}

    async def resubmit(self, request: Request, kept: Kept[State]) -> dict[str, Any]:
        """The answer to a completed request. Raises Problem, Refusal, KeyReused and StoreUnavailable."""
        sent_key(request)
        async with read_form(request, self._changes, CHANGES_FILES, self._limits) as form:
            stored = await self._stored(form, kept.state.course.round + 1)
        digest = digest_of(form.fields, documents_digest(stored))
        key = command_key(request, f"{kept.state.number}\n{kept.id}", digest, self._platform.new_id)
        changes = form.fields.model_dump()
        number = form.fields.employee_number
        command = ResubmitRequest(**changes, documents=stored, warnings=None if number is None else self._odd(number))
        return shown(await self._kept_if_named(self._executor.execute(kept.id, command, key), stored))

    async def _stored(self, form: ReadForm[Any], round: int) -> tuple[DocumentRef, ...]:
        platform = self._platform
        return await store_uploads(form, platform.documents, platform.new_id, round, KINDS, self._limits)

    def _odd(self, employee_number: str) -> tuple[str, ...]:
        return warnings(employee_number, today(self._platform.clock()))

    async def _registered(self, request_id: str, command: SubmitRequest, key: CommandKey) -> Answer:
        """The command obeyed under the next registration number."""
        async with self._turn:
            for _ in range(NUMBERS_TRIED):
                prefix = number_prefix(self._platform.clock())
                number = next_number(await self._store.greatest("number", prefix), prefix)
                try:
                    return await self._executor.execute(request_id, replace(command, number=number), key)
                except Taken:
                    continue
        raise StoreUnavailable("every registration number that was tried had just been taken")

    async def _kept_if_named(self, execution: Awaitable[Answer], stored: tuple[DocumentRef, ...]) -> Answer:
        """The answer; what was stored for nothing is deleted. If the outcome is not known everything stays."""
        try:
            answer = await execution
        except (Refusal, KeyReused):
            await discard(self._platform.documents, stored)
            raise
        if answer.repeated:
            await discard(self._platform.documents, stored)
        return answer


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
