"""Decisions of assignment: who does the work, its target, and its progress."""

from __future__ import annotations

from dataclasses import dataclass
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
from shared.contracts.facts import DocumentKind, Fact, Staff
from shared.contracts.intake import ApplicantAnswered
from shared.contracts.lifecycle import Status
from shared.contracts.stages import StageRules, responsible_for, stage_clock
from shared.runtime.conflict import conflict_refusal
from shared.runtime.decider import Refusal

ASSIGNED_STATUSES = (Status.ASSIGNED, Status.IN_PROGRESS, Status.ON_HOLD)
LEAD_STATUSES = (*ASSIGNED_STATUSES, Status.DELIVERED)
"""The statuses in which a request needs its lead: an objection brings back what is delivered."""


@dataclass(frozen=True, slots=True)
class Rules(StageRules):
    """The rules of the stages; `work_days` is for the target that is suggested."""

    work_days: int = 20
    confirm_remind_days: tuple[int, ...] = (3,)


def decide(state: State, command: Command, now: datetime, rules: Rules) -> list[Fact]:
    """Return the facts that follow from a command.

    Raises Refusal: moved_on (status, by, at, event), not_your_request, reason_missing, note_missing, question_missing,
    summary_missing, target_in_the_past (today), same_lead (lead), same_target, percent_out_of_range, documents_missing,
    record_missing, record_outdated (record_number), text_missing, not_overdue, reminded_today.
    """
    match command:
        case RejectRequest():
            return [_reject(state, command)]
        case AssignLead():
            return [_assign(state, command, today(now))]
        case ReassignLead():
            return [_reassign(state, command, today(now))]
        case ChangeTarget():
            return [_change_target(state, command, today(now))]
        case AddNote(by=by, text=text):
            return [WorkNoteAdded(text=_require_text("text", text), by=by)]
        case RemindResponsible():
            return [_remind(state, command, today(now), rules)]
        case ResumeWork():
            return [_resume(state, command, today(now), rules.calendar)]
        case _:
            return [_work(state, command, today(now), rules)]


def _reject(state: State, command: RejectRequest) -> RequestRejected:
    _require_status(state, Status.SUBMITTED, Status.VERIFIED)
    return RequestRejected(reason=_require_text("reason", command.reason), by=command.by)


def _assign(state: State, command: AssignLead, day: date) -> LeadAssigned:
    _require_status(state, Status.VERIFIED)
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
    if state.target_date is None or state.status not in ASSIGNED_STATUSES:
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


def _remind(state: State, command: RemindResponsible, day: date, rules: Rules) -> ReminderRequested:
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


def _work(state: State, command: StartWork | NoteProgress | PauseWork | CompleteWork, day: date, rules: Rules) -> Fact:
    _require_lead(state, command.by)
    _require_status(state, Status.ASSIGNED if isinstance(command, StartWork) else Status.IN_PROGRESS)
    match command:
        case StartWork(by=by):
            return WorkStarted(by=by)
        case NoteProgress(by=by, note=note, percent=percent):
            if percent is not None and not 0 <= percent <= 100:
                raise Refusal("percent_out_of_range")
            return WorkProgressed(note=_require_text("note", note), percent=percent, by=by)
        case PauseWork(by=by, question=question):
            return WorkPaused(
                pause=state.course.pause + 1,
                question=_require_text("question", question),
                answer_by=rules.calendar.add_working_days(day, rules.answer_days),
                by=by,
            )
        case CompleteWork():
            return _complete(state, command, day, rules)


def _resume(state: State, command: ResumeWork, day: date, calendar: WorkingCalendar) -> WorkResumed:
    if command.by is not None:
        _require_lead(state, command.by)
        _require_status(state, Status.ON_HOLD)
    if (command.by is None and not has_open_answer(state)) or state.stopped_on is None or state.target_date is None:
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


def resumed_target(state: State, day: date, rules: Rules) -> date | None:
    """Return the target if work on hold is resumed on that day; None if it is not on hold."""
    if state.status is not Status.ON_HOLD or state.stopped_on is None or state.target_date is None:
        return None
    return rules.calendar.add_working_days(
        state.target_date, _paused_working_days(state.stopped_on, day, rules.calendar)
    )


def _complete(state: State, command: CompleteWork, day: date, rules: Rules) -> WorkCompleted:
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


def _require_status(state: State, *statuses: Status) -> None:
    if state.status not in statuses:
        raise conflict_refusal(state.status, state.history)


def _require_lead(state: State, by: Staff) -> None:
    if state.lead is None or not by.represents(state.lead):
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


def suggested_target(day: date, rules: Rules) -> date:
    """Return the target date that the form suggests."""
    return rules.calendar.add_working_days(day, rules.work_days)
