"""The service's page with its form, and what becomes of a form that was sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.intake.choices import UNIT_OTHER, at_its_field, scope_cards, unit_groups, with_unit
from services.intake.desk import Desk
from services.intake.employee_number import normalised
from services.intake.fields import APPLICATION_FILES, KINDS, Application
from services.intake.form import MOST_REQUIREMENTS
from services.intake.keyed_pages import Keyed, address, page
from shared.documents.media_types import ACCEPT, LABELS
from shared.runtime.decider import Refusal
from shared.runtime.execution import KeyReused
from shared.web import shapes
from shared.web.access import public
from shared.web.bodies import FieldError
from shared.web.held_files import HeldFiles, Slot, Taken, add_uploads
from shared.web.page_routes import add_form, see
from shared.web.posted import Posted
from shared.web.problems import Problem, invalid

SLOTS = {name: Slot(KINDS[name], rule) for name, rule in APPLICATION_FILES.items()}
FIELDS = (
    *("name", "employee_number", "unit", UNIT_OTHER, "position", "scope", "description", "requirements"),
    *("letter_number", "letter_date", "letter", "email", "phone"),
)
"""In the order of the page, in which a summary tells what is wrong."""


def add_form_pages(routes: APIRouter, keyed: Keyed) -> None:
    form = Apply(keyed)
    add_form(routes, "/", form, public())
    add_uploads(routes, "/berkas", form.files, public())


class Apply:
    """A new request: sent once, however often its page is."""

    def __init__(self, keyed: Keyed):
        self._keyed, self._desk = keyed, keyed.desk
        self.files = HeldFiles(
            keyed.desk.platform, SLOTS, lambda request, key: keyed.desk.reception.destination_of_form(key)
        )

    async def show(self, request: Request, posted: Posted) -> Response:
        posted = await self.files.again(request, posted)
        return page(request, "form.html", posted=posted, **_facts(self._desk, posted))

    async def act(self, request: Request, posted: Posted) -> Response:
        taken = await self.files.take(request, posted)
        if self.files.wants_only_to_remove(posted):
            return await self.show(request, posted)
        try:
            return await self._sent(request, self._read(posted, taken), taken)
        except KeyReused:
            return await self._sent_before(request, posted, taken)
        except Refusal as refusal:
            raise await self._desk.problem_of(refusal) from refusal

    def _read(self, posted: Posted, taken: Taken) -> Application:
        """Raises Problem 422 with everything that is wrong, in the order of the page."""
        errors: Sequence[FieldError] = ()
        try:
            fields = with_unit(posted).judged(self._desk.reception.application, *self.files.names, UNIT_OTHER)
            if not taken.errors:
                return fields
        except Problem as problem:
            errors = [FieldError(at_its_field(posted, each.field), each.message) for each in problem.errors]
        raise invalid(sorted([*errors, *taken.errors], key=_place))

    async def _sent(self, request: Request, fields: Application, taken: Taken) -> Response:
        made = await self._desk.reception.register(request, fields, taken.documents)
        await self.files.settle(request, taken, repeated=made.repeated)
        answer = see(f"{address(made.number)}/diterima")
        self._keyed.give_key(answer, made.number, self._desk.platform.tracking.token(made.id))
        return answer

    async def _sent_before(self, request: Request, posted: Posted, taken: Taken) -> Response:
        """The same page said something else before: that counts, and what it says now may become another request."""
        made = await self._desk.reception.registered_by(request)
        anew = Posted(key=self._desk.platform.new_id(), texts=posted.texts)
        texts = [(name, text) for name, texts in posted.texts.items() if name not in self.files.names for text in texts]
        number = made.state.number if made else ""
        return page(
            request,
            "already.html",
            409,
            posted=anew,
            number=number,
            texts=texts,
            held=self.files.hold(anew, taken).held,
        )


def _facts(desk: Desk, posted: Posted) -> dict[str, Any]:
    settings = desk.platform.settings
    return {
        "odd": shapes.warnings(_odd(desk, posted.text("employee_number"))),
        "unit_groups": unit_groups(),
        "scopes": scope_cards(),
        "accept": ACCEPT,
        "types": ", ".join(LABELS.values()),
        "limit": settings.file_limit,
        "together": settings.body_limit,
        "most": MOST_REQUIREMENTS,
        "local": settings.local,
    }


def _odd(desk: Desk, written: str) -> tuple[str, ...]:
    """What is odd about a number that is one."""
    try:
        return desk.reception.odd(normalised(written))
    except Refusal:
        return ()


def _place(error: FieldError) -> int:
    return FIELDS.index(error.field) if error.field in FIELDS else len(FIELDS)
