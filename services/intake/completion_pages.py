"""Completing what was returned: the failed items alone, each with the officer's note, and files that wait for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request

from services.intake.choices import OTHER, UNIT_OTHER, at_its_field, choice_of, scope_cards, unit_groups, with_unit
from services.intake.desk import Desk
from services.intake.fields import CHANGES_FILES, KINDS, repeatable_lines
from services.intake.form import MOST_REQUIREMENTS, Form
from services.intake.keyed_pages import Keyed, StepPage, page
from services.intake.queries import open_items, sent
from services.intake.sentences import LETTER, REPLACES, REQUIREMENTS
from services.intake.state import State
from shared.contracts.facts import ChecklistItem, DocumentKind
from shared.documents.media_types import ACCEPT, LABELS
from shared.runtime.execution import Kept
from shared.web import shapes
from shared.web.access import public
from shared.web.bodies import FieldError
from shared.web.held_files import HeldFiles, Slot, add_uploads
from shared.web.page_routes import add_form
from shared.web.posted import Posted
from shared.web.problems import Problem, invalid

SLOTS = {name: Slot(KINDS[name], rule) for name, rule in CHANGES_FILES.items()}

APPLICANT = ("name", "employee_number", "unit", UNIT_OTHER, "position")
ASKED: Mapping[ChecklistItem, tuple[str, ...]] = {
    ChecklistItem.FORM: (*APPLICANT, "description", "email", "phone"),
    ChecklistItem.SCOPE: ("scope", "description", "letter_number", "letter_date", LETTER),
    ChecklistItem.LETTER: ("letter_number", "letter_date", LETTER),
    ChecklistItem.DOCUMENTS: (REPLACES, REQUIREMENTS),
}
"""The fields by which each failed item is completed; one that two items share stands at the first."""
MAY_BE_BLANK = frozenset({UNIT_OTHER, "phone", LETTER, REPLACES, REQUIREMENTS})


def add_completion_pages(routes: APIRouter, uploads: APIRouter, keyed: Keyed) -> None:
    """`uploads` are routes that ask for the key before anything is stored."""
    step = Complete(keyed.desk)
    add_form(routes, "/lacak/{number}/lengkapi", StepPage(keyed, step), public())
    add_uploads(uploads, "/lacak/{number}/lengkapi/berkas", step.files, public())


class Complete:
    action, template = "lengkapi", "complete.html"

    def __init__(self, desk: Desk):
        self._desk = desk
        self.files = HeldFiles(
            desk.platform, SLOTS, lambda request, key: desk.reception.destination(request.state.opened_id)
        )

    def facts(self, state: State) -> dict[str, Any]:
        form, limit = state.form, self._desk.platform.settings.file_limit
        return {
            "items": _items(state),
            "values": _values(form) if form else {},
            "replaceable": shapes.documents(form.of_kind(DocumentKind.REQUIREMENT)) if form else [],
            "unit_groups": unit_groups(),
            "scopes": scope_cards(),
            "accept": ACCEPT,
            "types": ", ".join(LABELS.values()),
            "limit": limit,
            "most": MOST_REQUIREMENTS,
            "upload": f"/lacak/{state.number}/lengkapi/berkas",
        }

    async def held(self, request: Request, posted: Posted, kept: Kept[State]) -> Posted:
        return await self.files.again(request, posted, kept.state.course.round + 1)

    async def take(self, request: Request, posted: Posted, kept: Kept[State]) -> bool:
        taken = await self.files.take(request, posted, kept.state.course.round + 1)
        if self.files.wants_only_to_remove(posted):
            return False
        reception = self._desk.reception
        errors = [*_blank(posted, kept.state), *taken.errors]
        try:
            filled = replace(with_unit(posted), context=repeatable_lines(kept.state.form))
            changes = filled.judged(reception.changes, *self.files.names, UNIT_OTHER)
        except Problem as problem:
            wrong = (FieldError(at_its_field(posted, each.field), each.message) for each in problem.errors)
            raise invalid([*wrong, *errors]) from problem
        if errors:
            raise invalid(errors)
        answer = await reception.complete(request, kept, changes, taken.documents)
        await self.files.settle(request, taken, repeated=answer.repeated)
        return True


def _items(state: State) -> list[dict[str, Any]]:
    """The failed items with the fields of each, none of them twice."""
    shown: set[str] = set()
    items = []
    for item in open_items(state):
        fields = [name for name in ASKED[ChecklistItem(item["item"])] if name not in shown]
        shown.update(fields)
        items.append({**item, "fields": fields})
    return items


def _values(form: Form) -> dict[str, Any]:
    chosen, other = choice_of(form.applicant.unit)
    return {**sent(form), "unit": chosen, UNIT_OTHER: other, "letter_date": form.letter.date.isoformat()}


def _blank(posted: Posted, state: State) -> list[FieldError]:
    """A field that was there and was emptied is not the same as one that was not asked for."""
    names = [name for item in _items(state) for name in item["fields"] if name not in MAY_BE_BLANK]
    if "unit" in names and posted.text("unit") == OTHER:
        names.append(UNIT_OTHER)
    return [FieldError(name, page.words.wrong.required) for name in names if not posted.text(name, "-").strip()]
