"""The page on which administrators add and remove days off."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.calendar import WorkingCalendar, today
from shared.contracts.stages import MovedDue
from shared.office.settings import HolidayBasis
from shared.text.cleaning import parse_number
from shared.web.admin.admin_pages import AdminTemplates
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import FieldError, IsoDate
from shared.web.dependencies import platform_of
from shared.web.forms.date_fields import date_error, join_date
from shared.web.forms.posted_form import PostedForm
from shared.web.office.settings import (
    ADMIN,
    MAX_LISTED_MOVES,
    Admin,
    HolidayBody,
    listed_days,
    propose_day,
    save,
)
from shared.web.office.settings_pages import day_source, form_version
from shared.web.views.formats import format_weekday_date
from shared.web.views.navigation import SETTINGS
from shared.web.views.page_routes import PageRoute, add_form_page, see_other
from shared.web.views.words import fill

PATH, SAVED = f"{SETTINGS}/libur", "tersimpan"
REMOVE_BUTTON, SAVE_BUTTON = "remove", "save"
_PAGE_FIELDS = ("day", "version", "working")
"""Fields that the page reads itself; `working` says that the day is to be a working day."""

templates = AdminTemplates("shared.web.office")
router = APIRouter(route_class=PageRoute, include_in_schema=False)
_texts = templates.words.settings


class AddedHoliday(HolidayBody):
    """A day off with its date, as the form sends it."""

    day: IsoDate


class HolidaysPage:
    """The coming days off, each with a button that changes it, and the form for another one.

    A change that moves the due day of open requests is saved by a second button, below the list of these requests.
    """

    def __init__(self, request: Request, admin: Admin) -> None:
        self._request = request
        self._admin = admin

    async def show(self, posted: PostedForm) -> Response:
        return await self._render(posted)

    async def _render(self, posted: PostedForm, **proposed: Any) -> Response:
        platform = platform_of(self._request)
        settings = await platform.office_settings.refresh()
        latest, day = len(settings.day_changes), today(platform.clock())
        saved = self._request.query_params.get(SAVED, "") if not posted.sent else ""
        return await templates(
            self._request,
            "holidays.html",
            posted=posted,
            days=[(one, day_source(one)) for one in listed_days(settings, day)],
            bases=[(basis.value, _texts.bases[basis.value]) for basis in HolidayBasis],
            latest=latest,
            version=form_version(posted, latest),
            saved=_saved_text(saved, settings.rules.calendar),
            year=day.year,
            **{"proposed": "", **proposed},
        )

    async def submit(self, posted: PostedForm) -> Response:
        version = parse_number(posted.text("version"))
        if posted.button == REMOVE_BUTTON or posted.text("working"):
            day, body = _parse_day(posted.text("day")), None
        else:
            day, body = _validate(join_date(posted, "day"), date_error(posted, "day"))
        change = await propose_day(self._request, self._admin, day, body, version)
        if change.moved and posted.button != SAVE_BUTTON:
            shown = _proposed(day, body, len(change.proposal.before.day_changes), change.moved)
            return await self._render(posted, **shown)
        await save(self._request, change.proposal)
        return see_other(f"{PATH}?{SAVED}={day}")


def _validate(posted: PostedForm, error: str) -> tuple[date, HolidayBody]:
    """Return the day and its name. Raises Problem 422."""
    errors = [FieldError("day", error)] if error else []
    try:
        added = posted.validate(AddedHoliday, *_PAGE_FIELDS, version=None)
    except Problem as problem:
        raise validation_problem(
            [*errors, *(one for one in problem.errors if not error or one.field != "day")]
        ) from problem
    return added.day, added


def _parse_day(text: str) -> date:
    """Return the day of a button. Raises Problem 404 for anything else."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Problem(404, _texts.no_day) from error


def _proposed(day: date, body: HolidayBody | None, version: int, moved: Sequence[MovedDue]) -> dict[str, Any]:
    """Return what the page shows before a change is saved."""
    texts = _texts.holiday
    title = texts.becomes_day_off if body else texts.becomes_working_day
    return {
        "proposed": fill(title, day=format_weekday_date(day), name=body.name if body else ""),
        "fields": {
            "day": day.isoformat(),
            "version": version,
            **({"name": body.name, "basis": body.basis.value} if body else {"working": "yes"}),
        },
        "moved": moved[:MAX_LISTED_MOVES],
        "moved_count": len(moved),
    }


def _saved_text(saved: str, calendar: WorkingCalendar) -> str:
    """Return what the day of the query is now, "" if it is no day that can be set."""
    try:
        day = date.fromisoformat(saved)
    except ValueError:
        return ""
    if not WorkingCalendar({}).is_working_day(day):
        return ""
    name, texts = calendar.holiday(day), _texts.holiday
    return str(fill(texts.is_day_off if name else texts.is_working_day, day=format_weekday_date(day), name=name or ""))


add_form_page(router, PATH, HolidaysPage, ADMIN)
