"""The page of the service: the form for a new request, and its answers to check before they are sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import HTMLResponse

from services.intake.dependencies import Intake, set_tracking_cookie, tracking_path
from services.intake.domain.employee_number import normalize_employee_number
from services.intake.domain.form import MAX_REQUIREMENTS
from services.intake.pages import templates
from services.intake.pages.form_choices import (
    LETTER_DATE,
    UNIT_OTHER,
    field_labels,
    form_error,
    resolve_unit,
    scope_choices,
    unit_groups,
)
from services.intake.pages.messages import add_instruction
from services.intake.schemas import DOCUMENT_KINDS, SUBMISSION_FILES, SubmissionForm, validation_context
from services.intake.service import IntakeService
from shared.documents.media_types import ACCEPT, LABELS
from shared.runtime.decider import Refusal
from shared.runtime.executor import IdempotencyKeyReused
from shared.web.api import serializers
from shared.web.api.idempotency import command_context
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import FieldError
from shared.web.auth.access import public
from shared.web.forms.date_fields import join_date
from shared.web.forms.held_files import FileField, FormFiles, HeldFiles, receive_upload
from shared.web.forms.posted_form import PostedForm
from shared.web.http.client_address import client_address, client_network
from shared.web.views.employee_number import group_digits
from shared.web.views.labels import SCOPE_LABELS
from shared.web.views.page_routes import PageRoute, add_form_page, see_other

FILE_FIELDS = {name: FileField(DOCUMENT_KINDS[name], rule) for name, rule in SUBMISSION_FILES.items()}
FIELD_ORDER = (
    *("letter", "letter_number", "letter_date", "name", "employee_number", "unit", UNIT_OTHER, "position"),
    *("scope", "description", "requirements", "email", "phone"),
)
"""Fields in the order of the page, which is the order of the error summary."""

REVIEW = "review"
"""Value of the button that shows the answers to check, instead of sending them."""

router = APIRouter(route_class=PageRoute, include_in_schema=False)


def submission_files(intake: Intake) -> HeldFiles:
    """Return the files of submission forms."""
    target = intake.submissions.submission_target
    return HeldFiles(intake.platform, FILE_FIELDS, lambda _request, form_key: target(form_key))


SubmissionFiles = Annotated[HeldFiles, Depends(submission_files)]


@router.post("/berkas", dependencies=[Depends(public())])
async def upload_file(request: Request, files: SubmissionFiles) -> Response:
    """Store a file before its form is sent."""
    return await receive_upload(request, files)


class SubmissionPage:
    """The form for a new request. A form that is sent twice registers one request."""

    def __init__(self, request: Request, intake: Intake, files: SubmissionFiles) -> None:
        self._request = request
        self._intake = intake
        self._files = files

    async def show(self, posted: PostedForm) -> HTMLResponse:
        posted = await self._files.redisplay(self._request, posted)
        return templates(self._request, "form.html", posted=posted, **_form_context(self._intake, posted))

    async def submit(self, posted: PostedForm) -> Response:
        files = await self._files.collect(self._request, posted)
        if self._files.is_only_removal(posted):
            return await self.show(posted)
        fields = self._validate(posted, files)
        try:
            if posted.button == REVIEW and not await self._intake.submissions.find_submitted(
                command_context(self._request)
            ):
                return self._review(posted, fields, files)
            return await self._register(fields, files)
        except IdempotencyKeyReused:
            return await self._already_submitted(posted, files)
        except Refusal as refusal:
            raise await self._intake.refusal_problem(refusal) from refusal

    def _validate(self, posted: PostedForm, files: FormFiles) -> SubmissionForm:
        """Validate fields and files together. Raises Problem 422 with all errors in the order of the page."""
        errors: Sequence[FieldError] = ()
        try:
            resolved = join_date(resolve_unit(posted), LETTER_DATE).with_context(
                validation_context(self._intake.today())
            )
            fields = resolved.validate(SubmissionForm, *self._files.names, UNIT_OTHER)
            if not files.errors:
                return fields
        except Problem as problem:
            errors = [form_error(posted, error) for error in problem.errors]
        found = sorted([*errors, *files.errors], key=_field_position)
        raise validation_problem(add_instruction(error) for error in found)

    def _review(self, posted: PostedForm, fields: SubmissionForm, files: FormFiles) -> HTMLResponse:
        """Show the answers, each with a way back to its field; the page carries the form, and nothing is stored but the files."""
        warnings = self._intake.submissions.warnings(fields.employee_number)
        return templates(
            self._request,
            "review.html",
            posted=self._files.with_tokens(posted, files),
            texts=self._typed(posted),
            fields=fields,
            employee_number=group_digits(fields.employee_number),
            scope_label=SCOPE_LABELS[fields.scope],
            warnings=serializers.warnings(warnings),
        )

    def _typed(self, posted: PostedForm) -> list[tuple[str, str]]:
        names = self._files.names
        return [(name, text) for name, texts in posted.texts.items() if name not in names for text in texts]

    async def _register(self, fields: SubmissionForm, files: FormFiles) -> Response:
        context, network = command_context(self._request), client_network(client_address(self._request))
        result = await self._intake.submissions.register(fields, files.documents, context, network)
        await self._files.release(self._request, files, repeated=result.repeated)
        response = see_other(f"{tracking_path(result.number)}/diterima")
        set_tracking_cookie(response, self._intake, result.number, self._intake.platform.tracking.token(result.id))
        return response

    async def _already_submitted(self, posted: PostedForm, files: FormFiles) -> Response:
        """Say that the same form was sent before with other content, which may be sent again as a new request."""
        submitted = await self._intake.submissions.find_submitted(command_context(self._request))
        new_form = PostedForm(key=self._intake.platform.new_id(), texts=posted.texts)
        return templates(
            self._request,
            "already.html",
            409,
            posted=new_form,
            number=submitted.state.number if submitted else "",
            texts=self._typed(posted),
            held=self._files.with_tokens(new_form, files).held,
        )


add_form_page(router, "/", SubmissionPage, public())


def _form_context(intake: IntakeService, posted: PostedForm) -> dict[str, Any]:
    settings = intake.platform.settings
    return {
        "employee_number_warnings": serializers.warnings(
            _employee_number_warnings(intake, posted.text("employee_number"))
        ),
        "field_labels": field_labels(),
        "unit_groups": unit_groups(),
        "scopes": scope_choices(),
        "accept": ACCEPT,
        "types": ", ".join(LABELS.values()),
        "file_limit": settings.file_limit,
        "body_limit": settings.body_limit,
        "max_requirements": MAX_REQUIREMENTS,
        "is_local": settings.local,
    }


def _employee_number_warnings(intake: IntakeService, text: str) -> tuple[str, ...]:
    try:
        return intake.submissions.warnings(normalize_employee_number(text))
    except Refusal:
        return ()


def _field_position(error: FieldError) -> int:
    return FIELD_ORDER.index(error.field) if error.field in FIELD_ORDER else len(FIELD_ORDER)
