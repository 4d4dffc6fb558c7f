"""The page that shows heads and administrators what is set, and where each value comes from and is changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from fastapi import APIRouter, Request, Response

from shared.calendar import WorkingCalendar, today
from shared.contracts.stages import StageRules
from shared.settings import Settings
from shared.web.admin.admin_pages import AdminTemplates
from shared.web.dependencies import platform_of
from shared.web.office.phrases import Editor, load_phrases
from shared.web.views.formats import format_size
from shared.web.views.labels import CHECKLIST_LABELS
from shared.web.views.navigation import SETTINGS
from shared.web.views.page_routes import PageRoute
from shared.web.views.static_files import arms_url
from shared.web.views.words import fill

HOLIDAYS_AHEAD = timedelta(days=365)
OFFICE_SETTINGS = (
    "office_name",
    "office_arms",
    "office_phone",
    "office_email",
    "office_address",
    "mail_from",
    "reply_to",
)
LIMIT_SETTINGS = ("file_limit", "body_limit")

templates = AdminTemplates("shared.web.office")
router = APIRouter(route_class=PageRoute, include_in_schema=False)
_texts = templates.words.settings


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A value as it is shown, "" if there is none, and where it comes from."""

    label: str
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class HolidayRow:
    """A day off, or a national holiday on which the office works."""

    day: date
    name: str
    source: str


@router.get(SETTINGS)
async def show_settings(request: Request, _editor: Editor) -> Response:
    """Show the settings of the office; each is changed where its source says."""
    platform = platform_of(request)
    settings, calendar = platform.settings, platform.calendar
    phrases, _ = await load_phrases(platform.office)
    return await templates(
        request,
        "settings.html",
        office=[_setting_row(settings, name) for name in OFFICE_SETTINGS],
        arms=arms_url(settings),
        limits=[_setting_row(settings, name) for name in LIMIT_SETTINGS],
        targets=_target_rows(StageRules(calendar)),
        checklist=list(CHECKLIST_LABELS.values()),
        holidays=list(coming_holidays(calendar, today(platform.clock()))),
        phrases=len(phrases),
    )


def _setting_row(settings: Settings, name: str) -> SettingRow:
    value = getattr(settings, name)
    shown = format_size(value) if name in LIMIT_SETTINGS else value.name if name == "office_arms" and value else value
    variable = f"SIMPUL_{name.upper()}"
    is_set = name in settings.model_fields_set and bool(value)
    return SettingRow(
        _texts.labels[name],
        str(shown or _texts.defaults.get(name, "")),
        variable if is_set else fill(_texts.default, name=variable),
    )


def _target_rows(rules: StageRules) -> Sequence[tuple[str, int]]:
    """Return the working days of each stage; the work itself has the target of its request."""
    days = ("verify_days", "appoint_days", "start_days", "respond_days", "answer_days", "confirm_days")
    return [(_texts.targets[name], getattr(rules, name)) for name in days]


def coming_holidays(calendar: WorkingCalendar, day: date) -> Iterator[HolidayRow]:
    """Yield the days off of the coming year that are no Saturday or Sunday, and those that the office took out."""
    for coming_day in (day + timedelta(days=count) for count in range(HOLIDAYS_AHEAD.days)):
        name, changed = calendar.holiday(coming_day), coming_day in calendar.overrides
        if name and not WorkingCalendar({}).is_working_day(coming_day):
            continue
        if name:
            yield HolidayRow(coming_day, name, _texts.by_office if changed else _texts.by_nation)
        elif changed:
            yield HolidayRow(
                coming_day, fill(_texts.working, name=calendar.holidays.get(coming_day, "")), _texts.by_office
            )
