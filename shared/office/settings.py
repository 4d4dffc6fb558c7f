"""What the office sets on its pages: days off, targets and checklists.

Each is an entry of the office store with all changes in the order in which they were made, none of which is removed. Every process
reads the entries once a second and keeps what follows from them as one value, which deciders are given with each call.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from shared.calendar import Overrides, WorkingCalendar, official_calendar, today
from shared.clock import Clock, NewId
from shared.contracts.checklist import CheckItem, Checklists, ChecklistVersion
from shared.contracts.facts import ChecklistItem, Scope, Staff
from shared.contracts.stages import StageRules
from shared.office.port import EntryConflict, OfficeEntry, OfficeStore
from shared.storage.port import StoreUnavailable

logger = logging.getLogger(__name__)

COLLECTION = "settings"
REFRESH_INTERVAL_SECONDS = 1.0
YEARS_AHEAD = 2
"""Days off can be set until the end of this year of the future."""
MAX_TARGETS: Mapping[str, int] = {
    "verify_days": 30,
    "appoint_days": 30,
    "start_days": 30,
    "work_days": 250,
    "respond_days": 60,
    "answer_days": 60,
    "confirm_days": 60,
}
"""The most working days of each field of StageRules that the office sets; each has at least one."""


class Section(StrEnum):
    """A kind of setting: the key of its entry, whose version is the number of its changes."""

    DAYS = "days"
    TARGETS = "targets"
    CHECKLISTS = "checklists"


class HolidayBasis(StrEnum):
    """The decree behind a day off: of three ministers for the nation, or of the regent."""

    JOINT_DECREE = "joint_decree"
    REGENT_DECREE = "regent_decree"


class SettingsRefused(Exception):
    """The change is not possible: `field` is the field at fault, `code` the reason."""

    def __init__(self, field: str, code: str, **params: Any) -> None:
        super().__init__(code)
        self.field = field
        self.code = code
        self.params = params


class SettingsConflict(Exception):
    """A change was based on another version than `latest`. `last` is what was saved since, None if there is no such version."""

    def __init__(self, changes: Sequence[Change], version: int) -> None:
        super().__init__(f"version {version} of {len(changes)}")
        self.latest = len(changes)
        self.last = changes[-1] if version < self.latest else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Who changed something, and when."""

    by: Staff
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DayChange(Change):
    """The day became a day off with this name, or a working day if it has none."""

    day: date
    name: str | None
    basis: HolidayBasis | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetsChange(Change):
    """The working days of each field in MAX_TARGETS."""

    days: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecklistChange(Change):
    """The items of a scope for requests that are submitted from then on."""

    scope: Scope
    items: tuple[CheckItem, ...]


@dataclass(frozen=True, slots=True)
class DayOff:
    """A weekday that is a day off, or a working day although the nation has a holiday; `change` is None if no page set it."""

    day: date
    name: str
    is_working_day: bool
    change: DayChange | None
    in_file: bool = False
    """Whether calendar.json has this day."""


@dataclass(frozen=True, slots=True)
class OfficeSettings:
    """What holds now. `official` is the calendar with calendar.json; the rules have the changes of the office on top of it."""

    official: WorkingCalendar
    rules: StageRules
    day_changes: tuple[DayChange, ...] = ()
    target_changes: tuple[TargetsChange, ...] = ()
    checklist_changes: tuple[ChecklistChange, ...] = ()
    checklists: Checklists = field(default_factory=Checklists)

    @classmethod
    def without_changes(cls, official: WorkingCalendar) -> Self:
        return cls(official, StageRules(official))

    def with_day(self, change: DayChange) -> OfficeSettings:
        """Return the settings after this change."""
        overrides = {**self.rules.calendar.overrides, change.day: change.name}
        calendar = replace(self.official, overrides=overrides)
        return replace(self, rules=replace(self.rules, calendar=calendar), day_changes=(*self.day_changes, change))

    def with_targets(self, change: TargetsChange) -> OfficeSettings:
        """Return the settings after this change."""
        rules = StageRules(self.rules.calendar, **change.days)
        return replace(self, rules=rules, target_changes=(*self.target_changes, change))

    def with_checklist(self, change: ChecklistChange) -> OfficeSettings:
        """Return the settings after this change."""
        version = ChecklistVersion(change.at, change.items)
        versions = {**self.checklists.versions}
        versions[change.scope] = (*versions.get(change.scope, ()), version)
        return replace(self, checklists=Checklists(versions), checklist_changes=(*self.checklist_changes, change))

    def changes(self, section: Section) -> Sequence[Change]:
        """Return the changes of this section in the order in which they were made."""
        match section:
            case Section.DAYS:
                return self.day_changes
            case Section.TARGETS:
                return self.target_changes
            case Section.CHECKLISTS:
                return self.checklist_changes

    @property
    def targets(self) -> dict[str, int]:
        """The working days of each field in MAX_TARGETS."""
        return {name: getattr(self.rules, name) for name in MAX_TARGETS}

    def days_off(self, first: date, last: date) -> list[DayOff]:
        """Return the weekdays from the first to the last day that are off, and those that were made working days."""
        changes = {change.day: change for change in self.day_changes}
        every_day = (first + timedelta(days=count) for count in range((last - first).days + 1))
        return [found for day in every_day if (found := self._day_off(day, changes.get(day))) is not None]

    def _day_off(self, day: date, change: DayChange | None) -> DayOff | None:
        calendar = self.rules.calendar
        name, official_name = calendar.holiday(day), self.official.holidays.get(day)
        shown = name or official_name or self.official.holiday(day)
        if shown is None or not WorkingCalendar({}).is_working_day(day):
            return None
        return DayOff(day, shown, name is None, change, day in self.official.overrides)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change of this section that is not saved yet: what holds before it and after it, the same value if it changes nothing."""

    section: Section
    before: OfficeSettings
    after: OfficeSettings

    @property
    def changes_anything(self) -> bool:
        return self.after is not self.before


class SettingsRegister:
    """Keeps what holds now as `current`, and records changes."""

    def __init__(self, office: OfficeStore, clock: Clock, new_id: NewId, overrides: Overrides) -> None:
        """`overrides` are the days of calendar.json."""
        self._office, self._clock, self._new_id = office, clock, new_id
        self._base = OfficeSettings.without_changes(official_calendar(overrides))
        self._entries: Sequence[OfficeEntry] = ()
        self._read_numbers = itertools.count(1)
        self._latest_read = 0
        self.current = self._base

    async def run(self) -> None:
        """Learn of changes that other processes save, forever."""
        while True:
            await asyncio.sleep(REFRESH_INTERVAL_SECONDS)
            try:
                await self.refresh()
            except StoreUnavailable as error:
                logger.warning("settings of the office cannot be read now: %s", error)

    async def refresh(self) -> OfficeSettings:
        """Read what is stored, and return what holds now. Raises StoreUnavailable."""
        number = next(self._read_numbers)
        entries = await self._office.entries(COLLECTION)
        # A read that began later may have arrived first, and has what this process saved in between.
        if number > self._latest_read:
            self._latest_read = number
            if entries != self._entries:
                self._entries, self.current = entries, self._fold(entries)
        return self.current

    def _fold(self, entries: Sequence[OfficeEntry]) -> OfficeSettings:
        settings, changes = self._base, {entry.key: entry.body["changes"] for entry in entries}
        for stored in changes.get(Section.DAYS, ()):
            settings = settings.with_day(_day_from_json(stored))
        for stored in changes.get(Section.TARGETS, ()):
            settings = settings.with_targets(_targets_from_json(stored))
        for stored in changes.get(Section.CHECKLISTS, ()):
            settings = settings.with_checklist(_checklist_from_json(stored))
        return settings

    async def propose_day(
        self, day: date, name: str | None, basis: HolidayBasis | None, by: Staff, version: int | None = None
    ) -> Proposal:
        """Return what making the day a day off, or without a name a working day, changes; its name and decree can be corrected.

        Raises: SettingsRefused; SettingsConflict if the days have another `version`.
        """
        now, settings = self._clock(), await self._refresh_at(Section.DAYS, version)
        if day < (first := today(now)):
            raise SettingsRefused("day", "in_the_past")
        if day > (last := last_day_ahead(first)):
            raise SettingsRefused("day", "too_far", day=last)
        if not WorkingCalendar({}).is_working_day(day):
            raise SettingsRefused("day", "weekend")
        recorded = next((change.basis for change in reversed(settings.day_changes) if change.day == day), None)
        if (settings.rules.calendar.holiday(day), recorded) == (name, basis):
            return Proposal(Section.DAYS, settings, settings)
        change = DayChange(day=day, name=name, basis=basis, by=by, at=now)
        return Proposal(Section.DAYS, settings, settings.with_day(change))

    async def propose_targets(self, days: Mapping[str, int], by: Staff, version: int | None = None) -> Proposal:
        """Return what these working days change, which are all fields of MAX_TARGETS.

        Raises: SettingsConflict if the targets have another `version`.
        """
        settings = await self._refresh_at(Section.TARGETS, version)
        if settings.targets == days:
            return Proposal(Section.TARGETS, settings, settings)
        change = TargetsChange(days=days, by=by, at=self._clock())
        return Proposal(Section.TARGETS, settings, settings.with_targets(change))

    async def propose_checklist(
        self, scope: Scope, items: Sequence[CheckItem], by: Staff, version: int | None = None
    ) -> Proposal:
        """Return what these items of a scope change, of which a new one has no id.

        Raises: SettingsRefused; SettingsConflict if the checklists have another `version`.
        """
        settings = await self._refresh_at(Section.CHECKLISTS, version)
        known, ids = settings.checklists.labels(), [item.id for item in items if item.id]
        if not known.keys() >= set(ids) or len(set(ids)) < len(ids):
            raise SettingsRefused("items", "unknown_item")
        labels = [item.label.casefold() for item in items]
        if double := next((item.label for item in items if labels.count(item.label.casefold()) > 1), None):
            raise SettingsRefused("items", "double_item", label=double)
        named = tuple(item if item.id else replace(item, id=f"c{self._new_id()[:8]}") for item in items)
        if named == settings.checklists.current(scope):
            return Proposal(Section.CHECKLISTS, settings, settings)
        change = ChecklistChange(scope=scope, items=named, by=by, at=self._clock())
        return Proposal(Section.CHECKLISTS, settings, settings.with_checklist(change))

    async def _refresh_at(self, section: Section, version: int | None) -> OfficeSettings:
        """Return what holds now. Raises: SettingsConflict if the section has another version than this one."""
        settings = await self.refresh()
        if version is not None and version != len(changes := settings.changes(section)):
            raise SettingsConflict(changes, version)
        return settings

    async def save(self, proposal: Proposal) -> OfficeSettings:
        """Record what was proposed. Raises: SettingsConflict if somebody else saved meanwhile, StoreUnavailable."""
        if not proposal.changes_anything:
            return proposal.before
        section, version = proposal.section, len(proposal.before.changes(proposal.section))
        change = proposal.after.changes(section)[-1]
        entry = await self._office.get(COLLECTION, section)
        stored = entry.body["changes"] if entry else []
        try:
            if len(stored) != version:
                raise EntryConflict(section)
            body = {"changes": [*stored, _TO_JSON[section](change)]}
            await self._office.put(COLLECTION, section, body, expected=entry.version if entry else 0)
        except EntryConflict as error:
            raise SettingsConflict((await self.refresh()).changes(section), version) from error
        logger.info("%s of the office changed by %s", section, change.by.username)
        return await self.refresh()


def last_day_ahead(day: date) -> date:
    """Return the last day that can be set on this day."""
    return date(day.year + YEARS_AHEAD, 12, 31)


def _day_to_json(change: DayChange) -> dict[str, Any]:
    basis = change.basis.value if change.basis else None
    return {"day": change.day.isoformat(), "name": change.name, "basis": basis, **_origin_to_json(change)}


def _day_from_json(stored: Mapping[str, Any]) -> DayChange:
    basis = HolidayBasis(stored["basis"]) if stored["basis"] else None
    return DayChange(
        day=date.fromisoformat(stored["day"]), name=stored["name"], basis=basis, **_origin_from_json(stored)
    )


def _targets_to_json(change: TargetsChange) -> dict[str, Any]:
    return {"days": dict(change.days), **_origin_to_json(change)}


def _targets_from_json(stored: Mapping[str, Any]) -> TargetsChange:
    known = {one.name for one in fields(StageRules)}
    days = {name: days for name, days in stored["days"].items() if name in known}
    return TargetsChange(days=days, **_origin_from_json(stored))


def _checklist_to_json(change: ChecklistChange) -> dict[str, Any]:
    items = [{"id": item.id, "label": item.label, "concerns": item.concerns.value} for item in change.items]
    return {"scope": change.scope.value, "items": items, **_origin_to_json(change)}


def _checklist_from_json(stored: Mapping[str, Any]) -> ChecklistChange:
    items = tuple(CheckItem(one["id"], one["label"], ChecklistItem(one["concerns"])) for one in stored["items"])
    return ChecklistChange(scope=Scope(stored["scope"]), items=items, **_origin_from_json(stored))


def _origin_to_json(change: Change) -> dict[str, Any]:
    return {"by": change.by.model_dump(mode="json"), "at": change.at.isoformat()}


def _origin_from_json(stored: Mapping[str, Any]) -> dict[str, Any]:
    return {"by": Staff.model_validate(stored["by"]), "at": datetime.fromisoformat(stored["at"])}


_TO_JSON: Mapping[Section, Callable[[Any], dict[str, Any]]] = {
    Section.DAYS: _day_to_json,
    Section.TARGETS: _targets_to_json,
    Section.CHECKLISTS: _checklist_to_json,
}
