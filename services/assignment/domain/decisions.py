"""Decisions of assignment: who does the work, its target, and its progress."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from services.assignment.domain.commands import (
    AddNote,
    AssignLead,
    ChangeTarget,
    Command,
    CompleteWork,
    NoteProgress,
    PauseWork,
    ReassignLead,
    RejectRequest,
    RemindResponsible,
    ResumeWork,
    StartWork,
)
from services.assignment.domain.state import State, has_open_answer
from shared.calendar import WorkingCalendar, today
from shared.contracts.assignment import (
    LeadAssigned,
    LeadReassigned,
    ReminderRequested,
    RequestRejected,
    TargetChanged,
    WorkCompleted,
    WorkNoteAdded,
    WorkPaused,
    WorkProgressed,
    WorkResumed,
    WorkStarted,
)
from shared.contracts.envelope import Event
from shared.contracts.facts import DocumentKind, Fact
from shared.contracts.intake import ApplicantAnswered
from shared.contracts.lifecycle import Status
from shared.contracts.stages import StageRules, responsible_for, stage_clock
from shared.runtime.conflict import conflict_refusal
from shared.runtime.decider import Refusal

ASSIGNED_STATUSES = (Status.ASSIGNED, Status.IN_PROGRESS, Status.ON_HOLD)
LEAD_STATUSES = (*ASSIGNED_STATUSES, Status.DELIVERED)
"""The statuses in which a request needs its lead: an objection brings back what is delivered."""
LEAD_COMMANDS = (StartWork, NoteProgress, PauseWork, ResumeWork, CompleteWork)
"""Commands of the work, which only the lead gives."""


ALLOWED_STATUSES: Mapping[type[Command], frozenset[Status]] = {
    RejectRequest: frozenset({Status.SUBMITTED, Status.VERIFIED}),
    AssignLead: frozenset({Status.VERIFIED}),
    ReassignLead: frozenset(LEAD_STATUSES),
    ChangeTarget: frozenset(ASSIGNED_STATUSES),
    RemindResponsible: frozenset(Status),
    StartWork: frozenset({Status.ASSIGNED}),
    NoteProgress: frozenset({Status.IN_PROGRESS}),
    PauseWork: frozenset({Status.IN_PROGRESS}),
    ResumeWork: frozenset({Status.IN_PROGRESS, Status.ON_HOLD}),
    CompleteWork: frozenset({Status.IN_PROGRESS}),
    AddNote: frozenset(Status),
}
"""The statuses in which a command is accepted.

What is delivered gets another lead only if the lead leaves. After the applicant's answer, work is in progress before it is resumed.
"""


def decide(state: State, command: Command, now: datetime, rules: StageRules) -> list[Fact]:  # noqa: C901 (one case per command)
    """Return the facts that follow from a command.

    Raises:
        Refusal: not_your_request; moved_on (status, by, at, event) at another status; reason_missing, note_missing,
            question_missing, summary_missing, text_missing, target_in_the_past (today), same_lead (lead), same_target,
            percent_out_of_range, documents_missing, record_missing, record_outdated (record_number), not_overdue,
            reminded_today.
    """
    _require_lead(state, command)
    if state.status not in ALLOWED_STATUSES[type(command)]:
        raise conflict_refusal(state.status, state.history)
    day = today(now)
    match command:
        case RejectRequest(by=by, reason=reason):
            return [RequestRejected(reason=_require_text("reason", reason), by=by)]
        case AssignLead():
            return [_assign(command, day)]
        case ReassignLead():
            return [_reassign(state, command, day)]
        case ChangeTarget():
            return [_change_target(state, command, day)]
        case RemindResponsible():
            return [_remind(state, command, day, rules)]
        case StartWork(by=by):
            return [WorkStarted(by=by)]
        case NoteProgress():
            return [_note_progress(command)]
        case PauseWork():
            return [_pause(state, command, day, rules)]
        case ResumeWork():
            return [_resume(state, command, day, rules.calendar)]
        case CompleteWork():
            return [_complete(state, command, day, rules)]
        case AddNote(by=by, text=text):
            return [WorkNoteAdded(text=_require_text("text", text), by=by)]


def _assign(command: AssignLead, day: date) -> LeadAssigned:
    _require_not_past(command.target_date, day)
    return LeadAssigned(
        lead=command.lead,
        complexity=command.complexity,
        target_date=command.target_date,
        note=command.note.strip(),
        by=command.by,
    )


def _reassign(state: State, command: ReassignLead, day: date) -> LeadReassigned:
    statuses = LEAD_STATUSES if command.lead_leaves else ASSIGNED_STATUSES
    if state.lead is None or state.target_date is None or state.status not in statuses:
        raise conflict_refusal(state.status, state.history)
    if command.lead.username == state.lead.username:
        raise Refusal("same_lead", lead=state.lead.name)
    if command.target_date is not None:
        _require_not_past(command.target_date, day)
    return LeadReassigned(
        lead=command.lead,
        previous=state.lead,
        reason=_require_text("reason", command.reason),
        target_date=command.target_date or state.target_date,
        by=command.by,
    )


def _change_target(state: State, command: ChangeTarget, day: date) -> TargetChanged:
    if state.target_date is None:
        raise conflict_refusal(state.status, state.history)
    _require_not_past(command.target_date, day)
    if command.target_date == state.target_date:
        raise Refusal("same_target")
    return TargetChanged(
        target_date=command.target_date,
        previous=state.target_date,
        reason=_require_text("reason", command.reason),
        by=command.by,
    )


def _remind(state: State, command: RemindResponsible, day: date, rules: StageRules) -> ReminderRequested:
    clock = stage_clock(state, rules)
    if clock is None or not clock.is_overdue(day):
        raise Refusal("not_overdue")
    if state.reminded_on == day:
        raise Refusal("reminded_today")
    return ReminderRequested(
        responsible=responsible_for(state),
        stage=clock.stage,
        due=clock.due,
        overdue_days=clock.overdue_days(day, rules.calendar),
        others=command.others,
        by=command.by,
    )


def _note_progress(command: NoteProgress) -> WorkProgressed:
    if command.percent is not None and not 0 <= command.percent <= 100:
        raise Refusal("percent_out_of_range")
    return WorkProgressed(note=_require_text("note", command.note), percent=command.percent, by=command.by)


def _pause(state: State, command: PauseWork, day: date, rules: StageRules) -> WorkPaused:
    return WorkPaused(
        pause=state.course.pause + 1,
        question=_require_text("question", command.question),
        answer_by=rules.calendar.add_working_days(day, rules.answer_days),
        by=command.by,
    )


def _resume(state: State, command: ResumeWork, day: date, calendar: WorkingCalendar) -> WorkResumed:
    may_resume = has_open_answer(state) if command.by is None else state.status is Status.ON_HOLD
    if not may_resume or state.stopped_on is None or state.target_date is None:
        raise conflict_refusal(state.status, state.history)
    days = _paused_working_days(state.stopped_on, day, calendar)
    return WorkResumed(
        pause=state.course.pause,
        days=days,
        target_date=calendar.add_working_days(state.target_date, days),
        note=command.note.strip(),
        by=command.by,
    )


def _paused_working_days(stopped_on: date, day: date, calendar: WorkingCalendar) -> int:
    return max(0, calendar.working_days_between(stopped_on, day))


def resumed_target(state: State, day: date, rules: StageRules) -> date | None:
    """Return the target if work on hold is resumed on that day; None if it is not on hold."""
    if state.status is not Status.ON_HOLD or state.stopped_on is None or state.target_date is None:
        return None
    return rules.calendar.add_working_days(
        state.target_date, _paused_working_days(state.stopped_on, day, rules.calendar)
    )


def _complete(state: State, command: CompleteWork, day: date, rules: StageRules) -> WorkCompleted:
    kinds = {document.kind for document in command.documents}
    if DocumentKind.RESULT not in kinds:
        raise Refusal("documents_missing")
    if DocumentKind.HANDOVER_RECORD not in kinds:
        raise Refusal("record_missing")
    if command.record_number != (number := next_record_number(state)):
        raise Refusal("record_outdated", record_number=number)
    return WorkCompleted(
        delivery=state.course.delivery + 1,
        summary=_require_text("summary", command.summary),
        documents=command.documents,
        record_number=number,
        confirm_by=rules.calendar.add_working_days(day, rules.confirm_days),
        remind_on=tuple(rules.calendar.add_working_days(day, count) for count in rules.confirm_remind_days),
        by=command.by,
    )


def next_record_number(state: State) -> str:
    """Return the number of the next handover record."""
    return f"BAST/{state.number}/{state.course.delivery + 1}"


def _require_lead(state: State, command: Command) -> None:
    """Refuse a command of the work to everybody but the lead of the request, and those who act for the lead."""
    by = command.by if isinstance(command, LEAD_COMMANDS) else None
    if by is not None and (state.lead is None or not by.acts_for(state.lead)):
        raise Refusal("not_your_request")


def _require_not_past(target: date, day: date) -> None:
    if target < day:
        raise Refusal("target_in_the_past", today=day)


def _require_text(name: str, text: str) -> str:
    if not (words := text.strip()):
        raise Refusal(f"{name}_missing")
    return words


def react(state: State, event: Event) -> list[Command]:
    """Resume the work after the applicant answered the open question."""
    return [ResumeWork()] if isinstance(event.fact, ApplicantAnswered) and has_open_answer(state) else []


def suggested_target(day: date, rules: StageRules) -> date:
    """Return the target date that the form suggests."""
    return rules.calendar.add_working_days(day, rules.work_days)
