"""The page that shows heads and administrators what is set and where each value comes from; links lead to what can be changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from shared.calendar import today
from shared.contracts.facts import Scope
from shared.identity.accounts import Role
from shared.office.settings import Change, DayOff
from shared.settings import Settings
from shared.web.admin.admin_pages import AdminTemplates
from shared.web.dependencies import platform_of
from shared.web.forms.posted_form import PostedForm
from shared.web.office.phrases import load_phrases
from shared.web.office.settings import Reader, listed_days
from shared.web.views.formats import format_date, format_size
from shared.web.views.labels import SCOPE_LABELS
from shared.web.views.navigation import SETTINGS
from shared.web.views.page_routes import PageRoute
from shared.web.views.static_files import arms_url
from shared.web.views.words import fill

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


@router.get(SETTINGS)
async def show_settings(request: Request, reader: Reader) -> Response:
    """Show the settings of the office; each is changed where its source says."""
    platform = platform_of(request)
    settings, office_settings = platform.settings, await platform.office_settings.refresh()
    day = today(platform.clock())
    phrases, _ = await load_phrases(platform.office)
    return await templates(
        request,
        "settings.html",
        office=[_setting_row(settings, name) for name in OFFICE_SETTINGS],
        arms=arms_url(settings),
        limits=[_setting_row(settings, name) for name in LIMIT_SETTINGS],
        may_change=reader.has_role(Role.ADMIN),
        targets=list(office_settings.targets.items()),
        targets_source=last_change(office_settings.target_changes) or _texts.built_in,
        checklists=[(scope, SCOPE_LABELS[scope], office_settings.checklists.current(scope)) for scope in Scope],
        holidays=[(one, day_source(one)) for one in listed_days(office_settings, day)],
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


def day_source(one: DayOff) -> str:
    """Return where a day off comes from, and who set it."""
    if one.change is None:
        return str(_texts.by_file if one.in_file else _texts.by_nation)
    basis = _texts.bases[one.change.basis.value] if one.change.basis else _texts.by_office
    return str(fill(_texts.set_by, basis=basis, name=one.change.by.name, day=format_date(today(one.change.at))))


def last_change(changes: Sequence[Change]) -> str:
    """Return who changed something last, "" if nobody has."""
    if not changes:
        return ""
    return str(fill(_texts.changed, name=changes[-1].by.name, day=format_date(today(changes[-1].at))))


def form_version(posted: PostedForm, latest: int) -> str:
    """Return the version on which the form is based: of a form that is shown again the posted one, after a conflict the latest."""
    conflict = posted.problem.extra if posted.problem else {}
    return str(conflict.get("version", posted.text("version", latest)))
