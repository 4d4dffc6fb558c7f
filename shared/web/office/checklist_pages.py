"""The page on which administrators word, add, remove and order the items of a scope's checklist."""

from __future__ import annotations

from itertools import zip_longest

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import Response

from shared.contracts.facts import ChecklistItem, Scope
from shared.text.cleaning import parse_number
from shared.web.admin.admin_pages import AdminTemplates
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import FieldError, error_message
from shared.web.dependencies import platform_of
from shared.web.forms.posted_form import PostedForm
from shared.web.office.settings import ADMIN, MAX_ITEM_LENGTH, MAX_ITEMS, Admin, ChecklistBody, save_checklist
from shared.web.office.settings_pages import form_version, last_change
from shared.web.views.labels import OPEN_ITEM_LABELS, SCOPE_LABELS
from shared.web.views.navigation import SETTINGS
from shared.web.views.page_routes import PageRoute, add_form_page, see_other
from shared.web.views.words import fill

PATH, SAVED = f"{SETTINGS}/daftar-periksa", "tersimpan"
ADD_BUTTON, UP, DOWN, REMOVE = "add", "up", "down", "remove"
FIELDS = ("id", "label", "concerns")

templates = AdminTemplates("shared.web.office")
router = APIRouter(route_class=PageRoute, include_in_schema=False)
_texts = templates.words.settings

Row = dict[str, str]


class ChecklistSettingsPage:
    """The items of one scope, a row each. Its buttons change the rows that the page shows; nothing is stored before it is saved."""

    def __init__(self, scope: str, request: Request, admin: Admin) -> None:
        if scope not in set(Scope):
            raise Problem(404, _texts.checklist_form.no_scope)
        self._scope = Scope(scope)
        self._request = request
        self._admin = admin

    async def show(self, posted: PostedForm) -> Response:
        settings = await platform_of(self._request).office_settings.refresh()
        items = settings.checklists.current(self._scope)
        stored = [{"id": item.id, "label": item.label, "concerns": item.concerns.value} for item in items]
        rows = change_rows(_rows(posted), posted.button) if posted.sent else stored
        own = _texts.checklist_form
        changes = [change for change in settings.checklist_changes if change.scope is self._scope]
        return await templates(
            self._request,
            "checklist.html",
            posted=posted,
            rows=rows,
            tabs=[
                (SCOPE_LABELS[one], f"{PATH}/{one}", one is self._scope, len(settings.checklists.current(one)))
                for one in Scope
            ],
            concerns=[(item.value, OPEN_ITEM_LABELS[item]) for item in ChecklistItem],
            most=MAX_ITEMS,
            longest=MAX_ITEM_LENGTH,
            version=form_version(posted, len(settings.checklist_changes)),
            changed=last_change(changes),
            labels_of_fields={
                f"label-{row}": fill(own.item_number, number=row + 1) for row in range(max(len(rows), 1))
            },
            saved=SAVED in self._request.query_params and not posted.sent,
        )

    async def submit(self, posted: PostedForm) -> Response:
        if posted.button:
            return await self.show(posted)
        try:
            rows = [{**row, "id": row["id"] or None} for row in _rows(posted)]
            body = ChecklistBody.model_validate({"items": rows, "version": parse_number(posted.text("version"))})
        except ValidationError as error:
            raise validation_problem(
                [FieldError(_field_id(detail["loc"]), error_message(detail)) for detail in error.errors()]
            ) from error
        try:
            await save_checklist(self._request, self._admin, self._scope, body)
        except Problem as problem:
            problem.errors = tuple(FieldError("label-0", error.message) for error in problem.errors)
            raise
        return see_other(f"{PATH}/{self._scope}?{SAVED}")


def change_rows(rows: list[Row], button: str) -> list[Row]:
    """Return the rows after a button such as `up-2` was pressed; any other text changes nothing."""
    name, _, number = button.partition("-")
    place = -1 if (parsed := parse_number(number)) is None else parsed
    changed = list(rows)
    if name == ADD_BUTTON and len(rows) < MAX_ITEMS:
        changed.append({"id": "", "label": "", "concerns": ChecklistItem.FORM.value})
    elif name == REMOVE and 0 <= place < len(rows):
        del changed[place]
    elif (name == UP and 0 < place < len(rows)) or (name == DOWN and 0 <= place < len(rows) - 1):
        other = place - 1 if name == UP else place + 1
        changed[place], changed[other] = changed[other], changed[place]
    return changed


def _rows(posted: PostedForm) -> list[Row]:
    columns = [posted.many(name)[: 2 * MAX_ITEMS] for name in FIELDS]
    return [dict(zip(FIELDS, values, strict=True)) for values in zip_longest(*columns, fillvalue="")]


def _field_id(place: tuple[int | str, ...]) -> str:
    """Return the id of the text field in its row, of the first one if the error is about all rows."""
    return f"label-{place[1]}" if len(place) > 2 else "label-0"


add_form_page(router, PATH + "/{scope}", ChecklistSettingsPage, ADMIN)
