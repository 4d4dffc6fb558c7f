"""Verification: is a request complete? Pure: state, commands and facts in, facts and refusals out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial

from services.verification.domain.state import CHECKLIST, Recommendation, evolve, initial
from services.verification.domain.state import OWN as OWN
from services.verification.domain.state import SUBSCRIBES_TO as SUBSCRIBES_TO
from services.verification.domain.state import State as State
from shared.calendar import WorkingCalendar, today
from shared.contracts.envelope import Event
from shared.contracts.facts import ChecklistItem, Fact, Staff, Verdict
from shared.contracts.lifecycle import ENDED, Status
from shared.contracts.verification import RejectionRecommended, RequestReturned, RequestVerified
from shared.runtime.conflict import conflict
from shared.runtime.decider import Decider, Refusal
from shared.storage.port import COLUMNS_VERSION, Column, Scalar
from shared.text.search import request_search_text

INDEXED_COLUMNS = (
    *map(Column, ("number", "submitted_at", "received_at", "due", "search")),
    *(Column(name, ordered_by="received_at") for name in ("status", "unit", "scope")),
    Column("open", "integer", ordered_by="received_at"),
    Column(COLUMNS_VERSION, "integer"),
)
COLUMNS_VERSION_NUMBER = 1
"""Raised with every change of what `columns` makes of a state; a start then derives those of stored documents again."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Numbers of working days; `verify_days` is an internal target, never an official promise."""

    calendar: WorkingCalendar
    verify_days: int = 1
    respond_days: int = 10
    remind_days: tuple[int, ...] = (5, 8)


@dataclass(frozen=True, slots=True)
class VerifyRequest:
    """`round` is the one that the officer had before the eyes; None is whatever round it is when the command comes."""

    by: Staff
    verdicts: tuple[Verdict, ...]
    acknowledged: tuple[str, ...] = ()
    round: int | None = None


@dataclass(frozen=True, slots=True)
class ReturnRequest:
    by: Staff
    verdicts: tuple[Verdict, ...]
    round: int | None = None


@dataclass(frozen=True, slots=True)
class RecommendRejection:
    by: Staff
    reason: str
    round: int | None = None


Command = VerifyRequest | ReturnRequest | RecommendRejection


def decide(state: State, command: Command, now: datetime, rules: Rules) -> list[Fact]:
    """The facts that follow from an officer's command.

    Raises Refusal: moved_on (status, by, at, event), items_missing, item_duplicate, note_missing, item_failed (items),
    nothing_failed, warning_open (warnings), reason_missing, already_recommended (by, at).
    """
    if is_outdated(state, command.round):
        raise conflict(state.status, state.history)
    match command:
        case RecommendRejection():
            return [_recommend(state, command)]
        case VerifyRequest() | ReturnRequest():
            for refusal in checklist_refusals(state, command):
                raise refusal
    verdicts = tuple(sorted(command.verdicts, key=lambda verdict: CHECKLIST.index(verdict.item)))
    return [_decide_checklist(state, replace(command, verdicts=verdicts), today(now), rules)]


def is_outdated(state: State, round: int | None) -> bool:
    """The request waits for no officer any more, or the applicant has sent it again since that round."""
    return state.status is not Status.SUBMITTED or round not in (None, state.course.round)


def checklist_refusals(state: State, command: VerifyRequest | ReturnRequest) -> list[Refusal]:
    """Everything that keeps the findings from becoming this decision, in the order in which it is told: the checklist needs one
    verdict for every item with a note for every failed one; to verify, none has failed and every warning was seen.
    """
    verdicts, failed = command.verdicts, _failed_items(command.verdicts)
    items = [verdict.item for verdict in verdicts]
    items_by_code = {
        "items_missing": tuple(item for item in CHECKLIST if item not in items),
        "item_duplicate": tuple(item for item in CHECKLIST if items.count(item) > 1),
        "note_missing": tuple(each.item for each in verdicts if not each.ok and not each.note.strip()),
        "item_failed": failed if isinstance(command, VerifyRequest) else (),
    }
    found = [Refusal(code, items=those) for code, those in items_by_code.items() if those]
    if isinstance(command, ReturnRequest) and not failed and not found:
        found.append(Refusal("nothing_failed"))
    if isinstance(command, VerifyRequest) and (unseen := _unacknowledged(state, command)):
        found.append(Refusal("warning_open", warnings=unseen))
    return found


def _failed_items(verdicts: tuple[Verdict, ...]) -> tuple[ChecklistItem, ...]:
    return tuple(verdict.item for verdict in verdicts if not verdict.ok)


def _unacknowledged(state: State, command: VerifyRequest) -> tuple[str, ...]:
    return tuple(code for code in state.warnings if code not in command.acknowledged)


def _decide_checklist(state: State, command: VerifyRequest | ReturnRequest, day: date, rules: Rules) -> Fact:
    round, verdicts, by = state.course.round, command.verdicts, command.by
    if isinstance(command, VerifyRequest):
        return RequestVerified(round=round, verdicts=verdicts, acknowledged=state.warnings, by=by)
    respond_by, *remind_on = (
        rules.calendar.add_working_days(day, count) for count in (rules.respond_days, *rules.remind_days)
    )
    return RequestReturned(round=round, verdicts=verdicts, respond_by=respond_by, remind_on=tuple(remind_on), by=by)


def _recommend(state: State, command: RecommendRejection) -> RejectionRecommended:
    if (given := recommendation(state)) is not None:
        raise Refusal("already_recommended", by=given.by.name, at=given.at)
    if not (reason := command.reason.strip()):
        raise Refusal("reason_missing")
    return RejectionRecommended(round=state.course.round, reason=reason, by=command.by)


def recommendation(state: State) -> Recommendation | None:
    """The advice that an officer has given in the present round."""
    given = state.recommendation
    return given if given is not None and given.round == state.course.round else None


def react(state: State, event: Event) -> list[Command]:
    """Verification does nothing on its own: an officer decides."""
    return []


def verification_due(state: State, rules: Rules) -> date | None:
    """The internal target of the present round while it waits for an officer, None while it does not."""
    if state.received_at is None or state.status is not Status.SUBMITTED:
        return None
    return rules.calendar.add_working_days(today(state.received_at), rules.verify_days)


def columns(state: State, rules: Rules) -> Mapping[str, Scalar]:
    """What requests are found by. `due` is the internal target while its clock runs: below today it is overdue."""
    due = verification_due(state, rules)
    return {
        COLUMNS_VERSION: COLUMNS_VERSION_NUMBER,
        "number": state.number,
        "status": state.status.value,
        "open": int(state.status not in ENDED),
        "submitted_at": sortable_time(state.submitted_at),
        "received_at": sortable_time(state.received_at),
        "unit": state.applicant.unit if state.applicant else "",
        "scope": state.scope.value if state.scope else None,
        "due": due.isoformat() if due else None,
        "search": request_search_text(state.number, state.applicant, state.letter, state.description, state.lead),
    }


def sortable_time(time: datetime | None) -> str | None:
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
        subscribes_to=SUBSCRIBES_TO,
        indexed_columns=INDEXED_COLUMNS,
        columns=partial(columns, rules=rules),
        status=lambda state: state.status.value,
        number=lambda state: state.number,
    )
