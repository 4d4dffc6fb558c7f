"""Verification: is a request complete? Pure: state, commands and facts in, facts and refusals out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial

from services.verification.state import CHECKLIST, evolve, initial
from services.verification.state import HEARS as HEARS
from services.verification.state import OWN as OWN
from services.verification.state import State as State
from shared.calendar import WorkingCalendar, today
from shared.contracts.course import ENDED, Status
from shared.contracts.envelope import Event
from shared.contracts.facts import ChecklistItem, Fact, Staff, Verdict
from shared.contracts.verification import RejectionRecommended, RequestReturned, RequestVerified
from shared.runtime.decider import Decider, Refusal
from shared.runtime.moved_on import moved_on
from shared.storage.port import Column, Scalar

INDEXED = (
    *map(Column, ("number", "submitted_at", "received_at", "due", "search")),
    *(Column(name, ordered_by="received_at") for name in ("status", "unit", "scope")),
    Column("open", "integer", ordered_by="received_at"),
)


@dataclass(frozen=True, slots=True)
class Rules:
    """Numbers of working days; `verify_days` is an internal target, never an official promise."""

    calendar: WorkingCalendar
    verify_days: int = 1
    respond_days: int = 10
    remind_days: tuple[int, ...] = (5, 8)


@dataclass(frozen=True, slots=True)
class VerifyRequest:
    by: Staff
    verdicts: tuple[Verdict, ...]
    acknowledged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReturnRequest:
    by: Staff
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class RecommendRejection:
    by: Staff
    reason: str


Command = VerifyRequest | ReturnRequest | RecommendRejection


def decide(state: State, command: Command, now: datetime, rules: Rules) -> list[Fact]:
    """The facts that follow from an officer's command.

    Raises Refusal: moved_on (status, by, at, event), items_missing, item_duplicate, note_missing, item_failed (items),
    nothing_failed, warning_open (warnings), reason_missing, already_recommended (by, at).
    """
    if state.status is not Status.SUBMITTED:
        raise moved_on(state.status, state.history)
    match command:
        case VerifyRequest():
            return [_verified(state, command)]
        case ReturnRequest():
            return [_returned(state, command, today(now), rules)]
        case RecommendRejection():
            return [_recommended(state, command)]


def _verified(state: State, command: VerifyRequest) -> RequestVerified:
    verdicts = _complete(command.verdicts)
    if failed := _failed(verdicts):
        raise Refusal("item_failed", items=failed)
    if unseen := tuple(code for code in state.warnings if code not in command.acknowledged):
        raise Refusal("warning_open", warnings=unseen)
    return RequestVerified(round=state.course.round, verdicts=verdicts, acknowledged=state.warnings, by=command.by)


def _returned(state: State, command: ReturnRequest, day: date, rules: Rules) -> RequestReturned:
    verdicts = _complete(command.verdicts)
    if not _failed(verdicts):
        raise Refusal("nothing_failed")
    return RequestReturned(
        round=state.course.round,
        verdicts=verdicts,
        respond_by=rules.calendar.add_working_days(day, rules.respond_days),
        remind_on=tuple(rules.calendar.add_working_days(day, count) for count in rules.remind_days),
        by=command.by,
    )


def _recommended(state: State, command: RecommendRejection) -> RejectionRecommended:
    given = state.recommendation
    if given is not None and given.round == state.course.round:
        raise Refusal("already_recommended", by=given.by.name, at=given.at)
    if not (reason := command.reason.strip()):
        raise Refusal("reason_missing")
    return RejectionRecommended(round=state.course.round, reason=reason, by=command.by)


def _complete(verdicts: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
    """The verdicts in the checklist's order: one for every item, with a note for every failed one."""
    items = [verdict.item for verdict in verdicts]
    if missing := tuple(item for item in CHECKLIST if item not in items):
        raise Refusal("items_missing", items=missing)
    if double := tuple(item for item in CHECKLIST if items.count(item) > 1):
        raise Refusal("item_duplicate", items=double)
    if bare := tuple(verdict.item for verdict in verdicts if not verdict.ok and not verdict.note.strip()):
        raise Refusal("note_missing", items=bare)
    return tuple(sorted(verdicts, key=lambda verdict: CHECKLIST.index(verdict.item)))


def _failed(verdicts: tuple[Verdict, ...]) -> tuple[ChecklistItem, ...]:
    return tuple(verdict.item for verdict in verdicts if not verdict.ok)


def react(state: State, event: Event) -> list[Command]:
    """Verification does nothing on its own: an officer decides."""
    return []


def verify_by(state: State, rules: Rules) -> date | None:
    """The internal target of the present round while it waits for an officer, None while it does not."""
    if state.received_at is None or state.status is not Status.SUBMITTED:
        return None
    return rules.calendar.add_working_days(today(state.received_at), rules.verify_days)


def columns(state: State, rules: Rules) -> Mapping[str, Scalar]:
    """What requests are found by. `due` is the internal target while its clock runs: below today it is overdue."""
    due = verify_by(state, rules)
    unit = state.applicant.unit if state.applicant else ""
    name = state.applicant.name if state.applicant else ""
    return {
        "number": state.number,
        "status": state.status.value,
        "open": int(state.status not in ENDED),
        "submitted_at": _sortable(state.submitted_at),
        "received_at": _sortable(state.received_at),
        "unit": unit,
        "scope": state.scope.value if state.scope else None,
        "due": due.isoformat() if due else None,
        "search": f"{state.number} {name} {unit}".lower(),
    }


def _sortable(time: datetime | None) -> str | None:
    """UTC with all its digits, so that text sorts as time does."""
    return time.astimezone(UTC).isoformat(timespec="microseconds") if time else None


def decider(rules: Rules) -> Decider[State]:
    """Verification under these rules."""
    return Decider(
        service="verification",
        state_type=State,
        initial=initial,
        decide=partial(decide, rules=rules),
        evolve=evolve,
        react=react,
        hears=HEARS,
        indexed=INDEXED,
        columns=partial(columns, rules=rules),
        status=lambda state: state.status.value,
        number=lambda state: state.number,
    )
