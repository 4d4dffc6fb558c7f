"""The stages of an open request: the current one, since when it lasts, and by when it should end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from shared.calendar import WorkingCalendar, today
from shared.contracts.lifecycle import Status
from shared.contracts.request_state import StaffRequestState


class Stage(StrEnum):
    """What an open request waits for."""

    VERIFY = "verify"
    APPOINT = "appoint"
    START = "start"
    WORK = "work"
    REPLY = "reply"
    CONFIRM = "confirm"


STAGES: Mapping[Status, Stage] = {
    Status.SUBMITTED: Stage.VERIFY,
    Status.RETURNED: Stage.REPLY,
    Status.VERIFIED: Stage.APPOINT,
    Status.ASSIGNED: Stage.START,
    Status.IN_PROGRESS: Stage.WORK,
    Status.ON_HOLD: Stage.REPLY,
    Status.DELIVERED: Stage.CONFIRM,
}
"""The stage of each open status; the other statuses have none."""

_FIRST_EVENTS: Mapping[Status, tuple[str, ...]] = {
    Status.SUBMITTED: ("RequestSubmitted", "RequestResubmitted"),
    Status.RETURNED: ("RequestReturned",),
    Status.VERIFIED: ("RequestVerified",),
    Status.ASSIGNED: ("LeadAssigned",),
    Status.IN_PROGRESS: ("WorkStarted",),
    Status.ON_HOLD: ("WorkPaused",),
    Status.DELIVERED: ("WorkCompleted",),
}


@dataclass(frozen=True, slots=True)
class StageRules:
    """Numbers of working days: internal targets for the office, and what the applicant is asked to keep.

    An applicant completes a returned request within `respond_days`, answers a question within `answer_days`, and confirms a
    handover within `confirm_days`. The work itself has the target date of its request; `work_days` is what is suggested for it.
    """

    calendar: WorkingCalendar
    verify_days: int = 1
    appoint_days: int = 2
    start_days: int = 2
    work_days: int = 20
    respond_days: int = 10
    answer_days: int = 5
    confirm_days: int = 5

    def days_of(self, status: Status) -> int:
        """Return the working days that a request should have this status at most; 0 if it has a date of its own."""
        days = {
            Status.SUBMITTED: self.verify_days,
            Status.RETURNED: self.respond_days,
            Status.VERIFIED: self.appoint_days,
            Status.ASSIGNED: self.start_days,
            Status.ON_HOLD: self.answer_days,
            Status.DELIVERED: self.confirm_days,
        }
        return days.get(status, 0)

    @property
    def respond_remind_days(self) -> tuple[int, ...]:
        """The working days after which an applicant is reminded to complete a request: 5 and 8 of 10."""
        return _days_before(self.respond_days, -(-self.respond_days // 2), self.respond_days * 4 // 5)

    @property
    def confirm_remind_days(self) -> tuple[int, ...]:
        """The working days after which an applicant is reminded to confirm a handover: 3 of 5."""
        return _days_before(self.confirm_days, -(-self.confirm_days // 2))


def _days_before(last: int, *days: int) -> tuple[int, ...]:
    """Return each of these days once, if it is before the last one."""
    return tuple(day for day in dict.fromkeys(days) if 0 < day < last)


@dataclass(frozen=True, slots=True)
class StageClock:
    """The stage of a request, the day on which it began, and the last day on which it is in time."""

    stage: Stage
    since: date
    due: date

    def is_overdue(self, day: date) -> bool:
        """Return whether the due date has passed on this day."""
        return self.due < day

    def overdue_days(self, day: date, calendar: WorkingCalendar) -> int:
        """Return the working days since the due date; 0 if it has not passed, or if only days off have passed since."""
        return calendar.working_days_between(self.due, day) if self.is_overdue(day) else 0

    def limit_days(self, calendar: WorkingCalendar) -> int:
        """Return the working days from the beginning of the stage to its due date."""
        return max(0, calendar.working_days_between(self.since, self.due))


@dataclass(frozen=True, slots=True)
class MovedDue:
    """An open request whose due day is another one under other rules."""

    number: str
    stage: Stage
    due: date
    new_due: date


def moved_due(state: StaffRequestState, before: StageRules, after: StageRules) -> MovedDue | None:
    """Return how other rules move the due day of a request, None if they do not."""
    old, new = stage_clock(state, before), stage_clock(state, after)
    if old is None or new is None or old.due == new.due:
        return None
    return MovedDue(state.number, old.stage, old.due, new.due)


def stage_clock(state: StaffRequestState, rules: StageRules) -> StageClock | None:
    """Return the clock of a request, None if it has ended.

    A date that the applicant was given counts, not what the rules are now. Work starts by its target at the latest, and a
    target that was missed before a question was asked stays missed until the work is resumed.
    """
    status, target = state.status, state.target_date
    if status not in STAGES or (since := _stage_start(state)) is None:
        return None
    due = _promised_date(state) or rules.calendar.add_working_days(since, rules.days_of(status))
    if target is not None:
        if status is Status.IN_PROGRESS or (status is Status.ON_HOLD and target < since):
            due = target
        elif status is Status.ASSIGNED:
            due = min(due, target)
    return StageClock(STAGES[status], since, due)


def _stage_start(state: StaffRequestState) -> date | None:
    first = _FIRST_EVENTS[state.status]
    return next((today(entry.time) for entry in reversed(state.history) if entry.event in first), None)


def _promised_date(state: StaffRequestState) -> date | None:
    """Return the date that the applicant was given; records of earlier versions may lack it."""
    dates = {Status.RETURNED: state.respond_by, Status.ON_HOLD: state.answer_by, Status.DELIVERED: state.confirm_by}
    return dates.get(state.status)


APPLICANT, OFFICERS, STRUCTURAL = "applicant", "role:officer", "role:structural"
"""Those who are responsible for a stage and are no single member of staff."""


def responsible_for(state: StaffRequestState) -> str:
    """Return who has to act: `applicant`, `role:` with a role, `staff:` with a username, or "" for a request that has ended."""
    match STAGES.get(state.status):
        case None:
            return ""
        case Stage.VERIFY:
            return f"staff:{state.active_claim.officer.username}" if state.active_claim else OFFICERS
        case Stage.APPOINT:
            return STRUCTURAL
        case Stage.REPLY | Stage.CONFIRM:
            return APPLICANT
        case _:
            return f"staff:{state.lead.username}" if state.lead else STRUCTURAL
