"""The service's page with its form, and what becomes of a form that was sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.intake.domain.employee_number import normalize_employee_number
from services.intake.domain.form import MAX_REQUIREMENTS
from services.intake.pages.form_choices import UNIT_OTHER, resolve_unit, scope_choices, unit_error_field, unit_groups
from services.intake.pages.request_pages import TrackingAccess, address, page
from services.intake.schemas import DOCUMENT_KINDS, SUBMISSION_FILES, SubmissionForm
from services.intake.service import IntakeService
from shared.documents.media_types import ACCEPT, LABELS
from shared.runtime.decider import Refusal
from shared.runtime.executor import IdempotencyKeyReused
from shared.web.api import serializers
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import FieldError
from shared.web.auth.access import public
from shared.web.forms.held_files import FileField, FormFiles, HeldFiles, add_uploads
from shared.web.forms.posted_form import PostedForm
from shared.web.views.page_routes import add_form, see_other

SLOTS = {name: FileField(DOCUMENT_KINDS[name], rule) for name, rule in SUBMISSION_FILES.items()}
FIELD_ORDER = (
    *("name", "employee_number", "unit", UNIT_OTHER, "position", "scope", "description", "requirements"),
    *("letter_number", "letter_date", "letter", "email", "phone"),
)
"""In the order of the page, in which a summary tells what is wrong."""


def add_submission_routes(routes: APIRouter, keyed: TrackingAccess) -> None:
    form = SubmissionPage(keyed)
    add_form(routes, "/", form, public())
    add_uploads(routes, "/berkas", form.files, public())


class SubmissionPage:
    """A new request: sent once, however often its page is."""

    def __init__(self, keyed: TrackingAccess) -> None:
        self._keyed, self._desk = keyed, keyed.desk
        self.files = HeldFiles(
            keyed.desk.platform, SLOTS, lambda request, key: keyed.desk.reception.form_destination(key)
        )

    async def show(self, request: Request, posted: PostedForm) -> Response:
        posted = await self.files.again(request, posted)
        return page(request, "form.html", posted=posted, **_form_context(self._desk, posted))

    async def act(self, request: Request, posted: PostedForm) -> Response:
        taken = await self.files.take(request, posted)
        if self.files.is_only_removal(posted):
            return await self.show(request, posted)
        try:
            return await self._register(request, self._read(posted, taken), taken)
        except IdempotencyKeyReused:
            return await self._already_submitted(request, posted, taken)
        except Refusal as refusal:
            raise await self._desk.problem_of(refusal) from refusal

    def _read(self, posted: PostedForm, taken: FormFiles) -> SubmissionForm:
        """Raises Problem 422 with everything that is wrong, in the order of the page."""
        errors: Sequence[FieldError] = ()
        try:
            fields = resolve_unit(posted).validate(self._desk.reception.application, *self.files.names, UNIT_OTHER)
            if not taken.errors:
                return fields
        except Problem as problem:
            errors = [FieldError(unit_error_field(posted, each.field), each.message) for each in problem.errors]
        raise validation_problem(sorted([*errors, *taken.errors], key=_field_position))

    async def _register(self, request: Request, fields: SubmissionForm, taken: FormFiles) -> Response:
        made = await self._desk.reception.register(request, fields, taken.documents)
        await self.files.settle(request, taken, repeated=made.repeated)
        answer = see_other(f"{address(made.number)}/diterima")
        self._keyed.set_tracking_cookie(answer, made.number, self._desk.platform.tracking.token(made.id))
        return answer

    async def _already_submitted(self, request: Request, posted: PostedForm, taken: FormFiles) -> Response:
        """The same page said something else before: that counts, and what it says now may become another request."""
        made = await self._desk.reception.find_submitted(request)
        new_form = PostedForm(key=self._desk.platform.new_id(), texts=posted.texts)
        texts = [(name, text) for name, texts in posted.texts.items() if name not in self.files.names for text in texts]
        number = made.state.number if made else ""
        return page(
            request,
            "already.html",
            409,
            posted=new_form,
            number=number,
            texts=texts,
            held=self.files.hold(new_form, taken).held,
        )


def _form_context(desk: IntakeService, posted: PostedForm) -> dict[str, Any]:
    settings = desk.platform.settings
    return {
        "odd": serializers.warnings(_odd(desk, posted.text("employee_number"))),
        "unit_groups": unit_groups(),
        "scopes": scope_choices(),
        "accept": ACCEPT,
        "types": ", ".join(LABELS.values()),
        "limit": settings.file_limit,
        "together": settings.body_limit,
        "most": MAX_REQUIREMENTS,
        "local": settings.local,
    }


def _odd(desk: IntakeService, written: str) -> tuple[str, ...]:
    """What is odd about a number that is one."""
    try:
        return desk.reception.odd(normalize_employee_number(written))
    except Refusal:
        return ()


def _field_position(error: FieldError) -> int:
    return FIELD_ORDER.index(error.field) if error.field in FIELD_ORDER else len(FIELD_ORDER)
