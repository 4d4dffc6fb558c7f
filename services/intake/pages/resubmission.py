"""The pages that change a request: completing a returned one, with the officer's notes, and correcting one before it is checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Depends, Request, Response

from services.intake.dependencies import Intake, TrackedRequestOrNone, require_tracking_cookie
from services.intake.domain.form import MAX_REQUIREMENTS, Form
from services.intake.domain.state import State
from services.intake.errors import LETTER, REPLACES, REQUIREMENTS
from services.intake.pages import templates
from services.intake.pages.actions import ActionPage
from services.intake.pages.form_choices import (
    LETTER_DATE,
    OTHER_UNIT,
    UNIT_OTHER,
    field_labels,
    form_error,
    resolve_unit,
    scope_choices,
    unit_form_values,
    unit_groups,
)
from services.intake.presenters import open_items, present_form
from services.intake.schemas import DOCUMENT_KINDS, RESUBMISSION_FILES, ResubmissionForm, validation_context
from shared.contracts.facts import ChecklistItem, DocumentKind, DocumentRef
from shared.documents.media_types import ACCEPT, LABELS
from shared.runtime.executor import CommandResult, Loaded
from shared.web.api import serializers
from shared.web.api.idempotency import command_context
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import REQUIRED_MESSAGE, FieldError
from shared.web.auth.access import PreBodyDependency, public
from shared.web.forms.date_fields import join_date
from shared.web.forms.held_files import FileField, HeldFiles, receive_upload
from shared.web.forms.posted_form import PostedForm
from shared.web.http.client_address import client_address, client_network
from shared.web.views.page_routes import PageRoute, add_form_page

FILE_FIELDS = {name: FileField(DOCUMENT_KINDS[name], rule) for name, rule in RESUBMISSION_FILES.items()}
APPLICANT_FIELDS = ("name", "employee_number", "unit", UNIT_OTHER, "position")
FIELDS_BY_ITEM: Mapping[ChecklistItem, tuple[str, ...]] = {
    ChecklistItem.FORM: (*APPLICANT_FIELDS, "description", "email", "phone"),
    ChecklistItem.SCOPE: ("scope", "description", "letter_number", "letter_date", LETTER),
    ChecklistItem.LETTER: ("letter_number", "letter_date", LETTER),
    ChecklistItem.DOCUMENTS: (REPLACES, REQUIREMENTS),
}
"""The fields that complete each failed item; a field of two items is shown with the first."""
CORRECTABLE_FIELDS: Sequence[tuple[str, tuple[str, ...]]] = (
    ("letter_part", (LETTER, "letter_number", LETTER_DATE)),
    ("applicant", APPLICANT_FIELDS),
    ("request", ("scope", "description", REPLACES, REQUIREMENTS)),
    ("answer_to", ("email", "phone")),
)
"""The parts of the form, by the key of their titles, each with its fields."""
OPTIONAL_FIELDS = frozenset({UNIT_OTHER, "phone", LETTER, REPLACES, REQUIREMENTS})

router = APIRouter(route_class=PageRoute, include_in_schema=False)
upload_router = APIRouter(
    route_class=PageRoute,
    include_in_schema=False,
    dependencies=[Depends(PreBodyDependency(require_tracking_cookie))],
)


def resubmission_files(loaded: TrackedRequestOrNone, intake: Intake) -> HeldFiles:
    """Return the files of a request's completion form."""
    target = intake.submissions.upload_target(loaded.id if loaded else "")
    return HeldFiles(intake.platform, FILE_FIELDS, lambda _request, _form_key: target)


ResubmissionFiles = Annotated[HeldFiles, Depends(resubmission_files)]


@upload_router.post("/lacak/{number}/lengkapi/berkas", dependencies=[Depends(public())])
async def upload_file(request: Request, files: ResubmissionFiles) -> Response:
    """Store a file before its form is sent."""
    return await receive_upload(request, files)


class ResubmissionPage(ActionPage):
    action, template = "lengkapi", "complete.html"
    texts: ClassVar[str] = "complete"

    def __init__(
        self, request: Request, loaded: TrackedRequestOrNone, intake: Intake, files: ResubmissionFiles
    ) -> None:
        super().__init__(request, loaded, intake)
        self._files = files

    def context(self, state: State) -> Mapping[str, Any]:
        form = state.form
        return {
            "page_words": templates.words[self.texts],
            "items": self.items(state),
            "values": _form_values(form) if form else {},
            "replaceable": serializers.documents(form.of_kind(DocumentKind.REQUIREMENT)) if form else [],
            "field_labels": {**field_labels(), **_labels_of_completion()},
            "unit_groups": unit_groups(),
            "scopes": scope_choices(),
            "accept": ACCEPT,
            "types": ", ".join(LABELS.values()),
            "file_limit": self._intake.platform.settings.file_limit,
            "max_requirements": MAX_REQUIREMENTS,
            "upload_path": f"/lacak/{state.number}/lengkapi/berkas",
        }

    def items(self, state: State, /) -> Sequence[Mapping[str, Any]]:
        """Return the parts of the form: label, note of the officer, and fields."""
        return _items_with_fields(state)

    def round_number(self, state: State) -> int:
        """Return the round to which new files belong."""
        return state.course.round + 1

    async def send(
        self, loaded: Loaded[State], changes: ResubmissionForm, documents: tuple[DocumentRef, ...]
    ) -> CommandResult:
        """Execute the command. Raises Refusal and Problem."""
        context = command_context(self._request)
        return await self._intake.submissions.complete(loaded, changes, documents, context)

    async def restore_files(self, loaded: Loaded[State], posted: PostedForm) -> PostedForm:
        return await self._files.redisplay(self._request, posted, self.round_number(loaded.state))

    async def perform(self, loaded: Loaded[State], posted: PostedForm) -> bool:
        files = await self._files.collect(self._request, posted, self.round_number(loaded.state))
        if self._files.is_only_removal(posted):
            return False
        errors = [*_blank_field_errors(posted, self.items(loaded.state)), *files.errors]
        try:
            context = validation_context(self._intake.today(), loaded.state.form)
            resolved = join_date(resolve_unit(posted), LETTER_DATE).with_context(context)
            changes = resolved.validate(ResubmissionForm, *self._files.names, UNIT_OTHER)
        except Problem as problem:
            wrong = [form_error(posted, error) for error in problem.errors]
            raise validation_problem([*wrong, *errors]) from problem
        if errors:
            raise validation_problem(errors)
        result = await self.send(loaded, changes, files.documents)
        await self._files.release(self._request, files, repeated=result.repeated)
        return True


class CorrectionPage(ResubmissionPage):
    action, texts = "perbaiki", "correct"

    def items(self, _state: State, /) -> Sequence[Mapping[str, Any]]:
        labels = templates.words.form
        return [{"label": labels[label], "note": "", "fields": fields} for label, fields in CORRECTABLE_FIELDS]

    def round_number(self, state: State) -> int:
        return state.course.round

    async def send(
        self, loaded: Loaded[State], changes: ResubmissionForm, documents: tuple[DocumentRef, ...]
    ) -> CommandResult:
        context, network = command_context(self._request), client_network(client_address(self._request))
        return await self._intake.submissions.correct(loaded, changes, documents, context, network)


add_form_page(router, "/lacak/{number}/lengkapi", ResubmissionPage, public())
add_form_page(router, "/lacak/{number}/perbaiki", CorrectionPage, public())


def _items_with_fields(state: State) -> list[dict[str, Any]]:
    """Return the failed items, each with its fields; no field is listed twice."""
    shown: set[str] = set()
    items = []
    for item in open_items(state):
        fields = [name for name in FIELDS_BY_ITEM[ChecklistItem(item["item"])] if name not in shown]
        shown.update(fields)
        items.append({**item, "fields": fields})
    return items


def _labels_of_completion() -> dict[str, str]:
    words = templates.words.complete
    return {name: words[name] for name in (LETTER, REPLACES, REQUIREMENTS)}


def _form_values(form: Form) -> dict[str, Any]:
    unit, unit_other = unit_form_values(form.applicant.unit)
    return {**present_form(form), "unit": unit, UNIT_OTHER: unit_other}


def _blank_field_errors(posted: PostedForm, items: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    """Report shown fields that were emptied; a field that was not shown stays unchanged."""
    names = [name for item in items for name in item["fields"] if name not in OPTIONAL_FIELDS]
    if "unit" in names and posted.text("unit") == OTHER_UNIT:
        names.append(UNIT_OTHER)
    posted = join_date(posted, LETTER_DATE)
    return [FieldError(name, REQUIRED_MESSAGE) for name in names if not posted.text(name, "-").strip()]
