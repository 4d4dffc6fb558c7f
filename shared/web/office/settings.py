"""Days off, targets and checklists over HTTP: bodies, responses, refusals, and what a change moves before it is saved."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field, field_validator

from shared.calendar import today
from shared.contracts.checklist import CheckItem
from shared.contracts.facts import ChecklistItem, Scope
from shared.contracts.stages import MovedDue, Stage
from shared.identity.accounts import Role
from shared.identity.principal import Principal
from shared.office.settings import (
    MAX_TARGETS,
    DayOff,
    HolidayBasis,
    OfficeSettings,
    Proposal,
    SettingsConflict,
    SettingsRefused,
    last_day_ahead,
)
from shared.runtime.service_runtime import MovedDues
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.request_lists import Day
from shared.web.api.validation import FieldError, RequestBody
from shared.web.auth.access import GuardedRoute, signed_in
from shared.web.dependencies import platform_of
from shared.web.forms.text_fields import CLEAN_LINE, STRIP_INVISIBLE
from shared.web.views.formats import format_date, format_datetime
from shared.web.views.words import load_words

HOLIDAYS_PATH, TARGETS_PATH, CHECKLISTS_PATH = "/api/holidays", "/api/targets", "/api/checklists"
READERS = signed_in(Role.STRUCTURAL, Role.ADMIN)
Reader = Annotated[Principal, Depends(READERS)]
ADMIN = signed_in(Role.ADMIN)
Admin = Annotated[Principal, Depends(ADMIN)]
LISTED_DAYS = timedelta(days=365)
"""How far ahead days off are listed; those that the office set itself are listed as far as they are."""
MAX_LISTED_MOVES = 50
"""How many of the requests whose due day moves are listed."""
MAX_NAME_LENGTH, MAX_ITEM_LENGTH, MAX_ITEMS = 80, 120, 12

TEXTS = load_words("shared.web.office").settings

Version = Annotated[int | None, Field(ge=0, strict=True, description="The version that the change is based on")]


class HolidayBody(RequestBody):
    """The name of a day off and the decree behind it; with a `version` only if nobody has changed the days since.

    A day that the office has not set itself is recorded with the decree, under the same name too.
    """

    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME_LENGTH), CLEAN_LINE]
    basis: HolidayBasis
    version: Version = None


def _days(name: str) -> Any:
    return Field(ge=1, le=MAX_TARGETS[name], strict=True)


class StageTargets(BaseModel):
    """Working days of each stage.

    `work_days` is what is suggested to heads. `respond_days`, `answer_days` and `confirm_days` are given to applicants: to complete
    a returned request, to answer a question and to confirm a handover. Requests keep the dates that they were given.
    """

    verify_days: int = _days("verify_days")
    appoint_days: int = _days("appoint_days")
    start_days: int = _days("start_days")
    work_days: int = _days("work_days")
    respond_days: int = _days("respond_days")
    answer_days: int = _days("answer_days")
    confirm_days: int = _days("confirm_days")

    def as_days(self) -> dict[str, int]:
        return self.model_dump(include=set(MAX_TARGETS))


class TargetsBody(RequestBody, StageTargets):
    """Working days of each stage; with a `version` only if nobody has changed the targets since."""

    version: Version = None


class ItemBody(RequestBody):
    """An item of a checklist; a new one has no id. `concerns` is what the applicant completes if it failed."""

    id: Annotated[str, Field(min_length=1, max_length=40), STRIP_INVISIBLE] | None = None
    label: Annotated[str, Field(min_length=1, max_length=MAX_ITEM_LENGTH), CLEAN_LINE]
    concerns: ChecklistItem


class ChecklistBody(RequestBody):
    """All items of a checklist in their order; with a `version` only if nobody has changed a checklist since."""

    items: Annotated[tuple[ItemBody, ...], Field(max_length=MAX_ITEMS, json_schema_extra={"minItems": 1})]
    version: Version = None

    @field_validator("items")
    @classmethod
    def _validate_any(cls, items: tuple[ItemBody, ...]) -> tuple[ItemBody, ...]:
        if not items:
            raise ValueError(TEXTS.refusals.no_items)
        return items


class ItemResponse(BaseModel):
    """An item of a checklist."""

    id: str
    label: str
    concerns: ChecklistItem


class ChecklistResponse(BaseModel):
    """The items for requests of this scope that are submitted from now on; `version` counts the changes of all checklists."""

    items: list[ItemResponse]
    version: int


class HolidayResponse(BaseModel):
    """A day off, or a holiday on which the office works (`working`).

    `source` is where that comes from: the national holidays, calendar.json, or a change of the office, with who made it.
    """

    day: date
    name: str
    working: bool
    source: Literal["national", "file", "office"]
    basis: HolidayBasis | None
    by: str | None
    at: datetime | None


class MovedDueResponse(BaseModel):
    """An open request that is due on another day after the change."""

    number: str
    stage: Stage
    due: date
    new_due: date


class ChangeResponse(BaseModel):
    """`saved` is false for a preview, and if nothing changes. `moved` has the first requests that are due on another day.

    `moved_count` is null in a process that does not know due days.
    """

    saved: bool
    version: int
    moved: list[MovedDueResponse]
    moved_count: int | None


class HolidaysResponse(BaseModel):
    """The days off of the coming year and later ones that the office set; `version` counts the changes of the office."""

    items: list[HolidayResponse]
    version: int


class TargetsResponse(StageTargets):
    """Working days of each stage; `version` counts the changes of the office, the last of them by `by`."""

    version: int
    by: str | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class PreviewedChange:
    """A proposal, and the open requests whose due day it moves: None if this process does not know them."""

    proposal: Proposal
    moved: Sequence[MovedDue] | None


@contextlib.contextmanager
def _problems() -> Iterator[None]:
    """Turn refusals into a Problem: 409 names who saved meanwhile."""
    try:
        yield
    except SettingsRefused as refused:
        params = {
            name: format_date(value) if isinstance(value, date) else value for name, value in refused.params.items()
        }
        message = TEXTS.refusals[refused.code].format(**params)
        raise validation_problem([FieldError(refused.field, message)]) from refused
    except SettingsConflict as conflict:
        raise _conflict_problem(conflict) from conflict


def _conflict_problem(conflict: SettingsConflict) -> Problem:
    last, code = conflict.last, "settings_changed"
    if last is None:
        return Problem(409, TEXTS.no_version, code=code, version=conflict.latest)
    detail = TEXTS.conflict.format(name=last.by.name, time=format_datetime(last.at))
    return Problem(409, detail, code=code, version=conflict.latest, by=last.by.name, at=last.at.isoformat())


async def propose_day(
    request: Request, admin: Principal, day: date, new: HolidayBody | None, version: int | None
) -> PreviewedChange:
    """Return what making this a day off, or without `new` a working day, would change. Raises Problem 409, 422."""
    name, basis = (new.name, new.basis) if new else (None, None)
    with _problems():
        proposal = await platform_of(request).office_settings.propose_day(day, name, basis, admin.staff, version)
    return await _preview(request, proposal)


async def propose_targets(
    request: Request, admin: Principal, days: Mapping[str, int], version: int | None
) -> PreviewedChange:
    """Return what these working days would change. Raises Problem 409."""
    with _problems():
        proposal = await platform_of(request).office_settings.propose_targets(days, admin.staff, version)
    return await _preview(request, proposal)


async def save_checklist(request: Request, admin: Principal, scope: Scope, body: ChecklistBody) -> OfficeSettings:
    """Save the items of a scope. Raises Problem 409, 422."""
    items = tuple(CheckItem(item.id or "", item.label, item.concerns) for item in body.items)
    register = platform_of(request).office_settings
    with _problems():
        return await register.save(await register.propose_checklist(scope, items, admin.staff, body.version))


async def _preview(request: Request, proposal: Proposal) -> PreviewedChange:
    if not proposal.changes_anything:
        return PreviewedChange(proposal, ())
    find_moved: MovedDues | None = request.app.state.moved_dues
    moved = None if find_moved is None else await find_moved(proposal.before.rules, proposal.after.rules)
    return PreviewedChange(proposal, moved)


async def save(request: Request, proposal: Proposal) -> OfficeSettings:
    """Save what was proposed. Raises Problem 409."""
    with _problems():
        return await platform_of(request).office_settings.save(proposal)


def listed_days(settings: OfficeSettings, day: date) -> list[DayOff]:
    """Return the days off of the coming year, and those after it that the office set."""
    found = settings.days_off(day, last_day_ahead(day))
    return [one for one in found if one.day < day + LISTED_DAYS or one.change is not None]


def day_response(one: DayOff) -> HolidayResponse:
    change = one.change
    return HolidayResponse(
        day=one.day,
        name=one.name,
        working=one.is_working_day,
        source="office" if change else "file" if one.in_file else "national",
        basis=change.basis if change else None,
        by=change.by.name if change else None,
        at=change.at if change else None,
    )


async def _finish(request: Request, change: PreviewedChange, preview: bool) -> ChangeResponse:
    proposal, moved = change.proposal, change.moved
    settings = proposal.before if preview else await save(request, proposal)
    return ChangeResponse(
        saved=proposal.changes_anything and not preview,
        version=len(settings.changes(proposal.section)),
        moved=[
            MovedDueResponse(number=one.number, stage=one.stage, due=one.due, new_due=one.new_due)
            for one in (moved or ())[:MAX_LISTED_MOVES]
        ],
        moved_count=None if moved is None else len(moved),
    )


Preview = Annotated[bool, Query(description="Only say which requests would be due on another day")]
router = APIRouter(route_class=GuardedRoute, tags=["office"])


@router.get(HOLIDAYS_PATH, response_model=HolidaysResponse, dependencies=[Depends(READERS)])
async def list_holidays(request: Request) -> HolidaysResponse:
    """List the coming days off, and the holidays on which the office works."""
    platform = platform_of(request)
    settings = await platform.office_settings.refresh()
    items = [day_response(one) for one in listed_days(settings, today(platform.clock()))]
    return HolidaysResponse(items=items, version=len(settings.day_changes))


@router.put(HOLIDAYS_PATH + "/{day}", response_model=ChangeResponse)
async def set_holiday(
    day: Day, body: HolidayBody, admin: Admin, request: Request, preview: Preview = False
) -> ChangeResponse:
    """Make this a day off, or correct the name or the decree of one."""
    return await _finish(request, await propose_day(request, admin, day, body, body.version), preview)


@router.delete(HOLIDAYS_PATH + "/{day}", response_model=ChangeResponse)
async def remove_holiday(
    day: Day,
    admin: Admin,
    request: Request,
    version: Annotated[int | None, Query(ge=0)] = None,
    preview: Preview = False,
) -> ChangeResponse:
    """Make this a working day, also if the nation has a holiday."""
    return await _finish(request, await propose_day(request, admin, day, None, version), preview)


@router.get(TARGETS_PATH, response_model=TargetsResponse, dependencies=[Depends(READERS)])
async def read_targets(request: Request) -> TargetsResponse:
    """Read the targets of the stages."""
    settings = await platform_of(request).office_settings.refresh()
    last = settings.target_changes[-1] if settings.target_changes else None
    return TargetsResponse(
        **settings.targets,
        version=len(settings.target_changes),
        by=last.by.name if last else None,
        at=last.at if last else None,
    )


@router.put(TARGETS_PATH, response_model=ChangeResponse)
async def set_targets(body: TargetsBody, admin: Admin, request: Request, preview: Preview = False) -> ChangeResponse:
    """Set the targets of all stages."""
    return await _finish(request, await propose_targets(request, admin, body.as_days(), body.version), preview)


@router.get(CHECKLISTS_PATH + "/{scope}", response_model=ChecklistResponse, dependencies=[Depends(READERS)])
async def read_checklist(scope: Scope, request: Request) -> ChecklistResponse:
    """Read the checklist of a scope."""
    return _checklist_response(await platform_of(request).office_settings.refresh(), scope)


@router.put(CHECKLISTS_PATH + "/{scope}", response_model=ChecklistResponse)
async def set_checklist(scope: Scope, body: ChecklistBody, admin: Admin, request: Request) -> ChecklistResponse:
    """Set the checklist of a scope for requests that are submitted from now on."""
    return _checklist_response(await save_checklist(request, admin, scope, body), scope)


def _checklist_response(settings: OfficeSettings, scope: Scope) -> ChecklistResponse:
    items = [
        ItemResponse(id=item.id, label=item.label, concerns=item.concerns)
        for item in settings.checklists.current(scope)
    ]
    return ChecklistResponse(items=items, version=len(settings.checklist_changes))
