"""Completing what was returned: the failed items alone, each with the officer's note, and files that wait for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request

from services.intake.domain.form import MAX_REQUIREMENTS, Form
from services.intake.domain.state import State
from services.intake.errors import LETTER, REPLACES, REQUIREMENTS
from services.intake.pages.form_choices import (
    OTHER_UNIT,
    UNIT_OTHER,
    resolve_unit,
    scope_choices,
    unit_error_field,
    unit_form_values,
    unit_groups,
)
from services.intake.pages.request_pages import ActionPage, TrackingAccess, page
from services.intake.presenters import open_items, submitted_form
from services.intake.schemas import DOCUMENT_KINDS, RESUBMISSION_FILES, previously_accepted_names
from services.intake.service import IntakeService
from shared.contracts.facts import ChecklistItem, DocumentKind
from shared.documents.media_types import ACCEPT, LABELS
from shared.runtime.executor import Loaded
from shared.web.api import serializers
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import FieldError
from shared.web.auth.access import public
from shared.web.forms.held_files import FileField, HeldFiles, add_uploads
from shared.web.forms.posted_form import PostedForm
from shared.web.views.page_routes import add_form

SLOTS = {name: FileField(DOCUMENT_KINDS[name], rule) for name, rule in RESUBMISSION_FILES.items()}

APPLICANT_FIELDS = ("name", "employee_number", "unit", UNIT_OTHER, "position")
FIELDS_BY_ITEM: Mapping[ChecklistItem, tuple[str, ...]] = {
    ChecklistItem.FORM: (*APPLICANT_FIELDS, "description", "email", "phone"),
    ChecklistItem.SCOPE: ("scope", "description", "letter_number", "letter_date", LETTER),
    ChecklistItem.LETTER: ("letter_number", "letter_date", LETTER),
    ChecklistItem.DOCUMENTS: (REPLACES, REQUIREMENTS),
}
"""The fields by which each failed item is completed; one that two items share stands at the first."""
OPTIONAL_FIELDS = frozenset({UNIT_OTHER, "phone", LETTER, REPLACES, REQUIREMENTS})


def add_resubmission_routes(routes: APIRouter, uploads: APIRouter, keyed: TrackingAccess) -> None:
    """`uploads` are routes that ask for the key before anything is stored."""
    step = ResubmissionAction(keyed.desk)
    add_form(routes, "/lacak/{number}/lengkapi", ActionPage(keyed, step), public())
    add_uploads(uploads, "/lacak/{number}/lengkapi/berkas", step.files, public())


class ResubmissionAction:
    action, template = "lengkapi", "complete.html"

    def __init__(self, desk: IntakeService) -> None:
        self._desk = desk
        self.files = HeldFiles(
            desk.platform, SLOTS, lambda request, key: desk.reception.destination(request.state.opened_id)
        )

    def facts(self, state: State) -> dict[str, Any]:
        form, limit = state.form, self._desk.platform.settings.file_limit
        return {
            "items": _items(state),
            "values": _form_values(form) if form else {},
            "replaceable": serializers.documents(form.of_kind(DocumentKind.REQUIREMENT)) if form else [],
            "unit_groups": unit_groups(),
            "scopes": scope_choices(),
            "accept": ACCEPT,
            "types": ", ".join(LABELS.values()),
            "limit": limit,
            "most": MAX_REQUIREMENTS,
            "upload": f"/lacak/{state.number}/lengkapi/berkas",
        }

    async def held(self, request: Request, posted: PostedForm, loaded: Loaded[State]) -> PostedForm:
        return await self.files.again(request, posted, loaded.state.course.round + 1)

    async def take(self, request: Request, posted: PostedForm, loaded: Loaded[State]) -> bool:
        taken = await self.files.take(request, posted, loaded.state.course.round + 1)
        if self.files.is_only_removal(posted):
            return False
        reception = self._desk.reception
        errors = [*_blank_field_errors(posted, loaded.state), *taken.errors]
        try:
            filled = replace(resolve_unit(posted), context=previously_accepted_names(loaded.state.form))
            changes = filled.validate(reception.changes, *self.files.names, UNIT_OTHER)
        except Problem as problem:
            wrong = (FieldError(unit_error_field(posted, each.field), each.message) for each in problem.errors)
            raise validation_problem([*wrong, *errors]) from problem
        if errors:
            raise validation_problem(errors)
        answer = await reception.complete(request, loaded, changes, taken.documents)
        await self.files.settle(request, taken, repeated=answer.repeated)
        return True


def _items(state: State) -> list[dict[str, Any]]:
    """The failed items with the fields of each, none of them twice."""
    shown: set[str] = set()
    items = []
    for item in open_items(state):
        fields = [name for name in FIELDS_BY_ITEM[ChecklistItem(item["item"])] if name not in shown]
        shown.update(fields)
        items.append({**item, "fields": fields})
    return items


def _form_values(form: Form) -> dict[str, Any]:
    chosen, other = unit_form_values(form.applicant.unit)
    return {**submitted_form(form), "unit": chosen, UNIT_OTHER: other, "letter_date": form.letter.date.isoformat()}


def _blank_field_errors(posted: PostedForm, state: State) -> list[FieldError]:
    """A field that was there and was emptied is not the same as one that was not asked for."""
    names = [name for item in _items(state) for name in item["fields"] if name not in OPTIONAL_FIELDS]
    if "unit" in names and posted.text("unit") == OTHER_UNIT:
        names.append(UNIT_OTHER)
    return [FieldError(name, page.words.wrong.required) for name in names if not posted.text(name, "-").strip()]
