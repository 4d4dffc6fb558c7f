"""Decisions of verification: whether a request is complete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime

from services.verification.domain.commands import (
    AddNote,
    ClaimRequest,
    Command,
    RecommendRejection,
    ReleaseClaim,
    ReturnRequest,
    VerifyRequest,
    WithdrawRecommendation,
)
from services.verification.domain.state import State
from shared.calendar import today
from shared.contracts.checklist import CheckItem, Checklists
from shared.contracts.envelope import Event
from shared.contracts.facts import Fact, Staff
from shared.contracts.lifecycle import Status
from shared.contracts.stages import StageRules
from shared.contracts.verification import (
    ClaimReleased,
    NoteAdded,
    RecommendationWithdrawn,
    RejectionRecommended,
    RequestClaimed,
    RequestReturned,
    RequestVerified,
)
from shared.runtime.conflict import conflict_refusal
from shared.runtime.decider import Refusal

ALLOWED_STATUSES: Mapping[type[Command], frozenset[Status]] = {
    VerifyRequest: frozenset({Status.SUBMITTED}),
    ReturnRequest: frozenset({Status.SUBMITTED}),
    RecommendRejection: frozenset({Status.SUBMITTED}),
    WithdrawRecommendation: frozenset({Status.SUBMITTED}),
    ClaimRequest: frozenset({Status.SUBMITTED}),
    ReleaseClaim: frozenset({Status.SUBMITTED}),
    AddNote: frozenset(Status),
}


def decide(state: State, command: Command, now: datetime, rules: StageRules, checklists: Checklists) -> list[Fact]:
    """Return the facts that follow from an officer's command.

    Raises:
        Refusal: moved_on (status, by, at, event) at another status or about an earlier form; items_missing, item_duplicate,
            note_missing, item_failed (items), nothing_failed, warning_open (warnings), reason_missing, already_recommended
            (by, at), recommendation_open (by, at), not_recommended, already_claimed (by, at), not_claimed, text_missing.
    """
    if state.status not in ALLOWED_STATUSES[type(command)] or _is_about_earlier_form(state, command):
        raise conflict_refusal(state.status, state.history)
    match command:
        case VerifyRequest() | ReturnRequest():
            return _decide_checklist(state, command, today(now), rules, checklist_of(state, checklists))
        case RecommendRejection():
            return [_recommend(state, command)]
        case WithdrawRecommendation(by=by):
            return [_withdraw_recommendation(state, by)]
        case ClaimRequest():
            return _claim(state, command)
        case ReleaseClaim(by=by):
            return [_release(state, by)]
        case AddNote():
            return [_add_note(command)]


def _is_about_earlier_form(state: State, command: Command) -> bool:
    """Whether the officer saw an earlier round, or the form before a correction."""
    match command:
        case VerifyRequest() | ReturnRequest() | RecommendRejection():
            return _has_changed_since(state, command.round, command.corrections)
        case WithdrawRecommendation() | ClaimRequest() | ReleaseClaim():
            return _has_changed_since(state, command.round, None)
        case AddNote():
            return False


def _has_changed_since(state: State, round_number: int | None, corrections: int | None) -> bool:
    return round_number not in (None, state.course.round) or corrections not in (None, state.corrections)


def is_outdated(state: State, round_number: int | None, corrections: int | None = None) -> bool:
    """Whether the request no longer awaits an officer, or was resubmitted since that round or corrected since then."""
    return state.status is not Status.SUBMITTED or _has_changed_since(state, round_number, corrections)


def checklist_of(state: State, checklists: Checklists) -> tuple[CheckItem, ...]:
    """Return the items by which a request is checked: those in force when it was submitted."""
    return checklists.at(state.scope, state.submitted_at)


def checklist_refusals(
    state: State, command: VerifyRequest | ReturnRequest, checklist: tuple[CheckItem, ...]
) -> list[Refusal]:
    """Return every reason why the verdicts do not allow the decision, in the order in which they are reported.

    Every item needs one verdict, and every failed item a note. Verification also needs that no item failed, that a
    recommendation to reject is withdrawn and that every warning was acknowledged; a return needs a failed item.
    """
    ids = [verdict.id for verdict in command.verdicts]
    failed = {verdict.id: verdict.note for verdict in command.verdicts if not verdict.ok}
    items_by_code = {
        "items_missing": tuple(item for item in checklist if item.id not in ids),
        "item_duplicate": tuple(item for item in checklist if ids.count(item.id) > 1),
        "note_missing": tuple(item for item in checklist if item.id in failed and not failed[item.id].strip()),
        "item_failed": tuple(item for item in checklist if item.id in failed and isinstance(command, VerifyRequest)),
    }
    found = [Refusal(code, items=those) for code, those in items_by_code.items() if those]
    if isinstance(command, ReturnRequest) and not failed and not found:
        found.append(Refusal("nothing_failed"))
    if (
        isinstance(command, VerifyRequest)
        and not command.withdraw_recommendation
        and (given := state.current_recommendation)
    ):
        found.append(Refusal("recommendation_open", by=given.by.name, at=given.at))
    if isinstance(command, VerifyRequest) and (unseen := _unacknowledged(state, command)):
        found.append(Refusal("warning_open", warnings=unseen))
    return found


def _unacknowledged(state: State, command: VerifyRequest) -> tuple[str, ...]:
    return tuple(code for code in state.warnings if code not in command.acknowledged)


def _decide_checklist(
    state: State, command: VerifyRequest | ReturnRequest, day: date, rules: StageRules, checklist: tuple[CheckItem, ...]
) -> list[Fact]:
    for refusal in checklist_refusals(state, command, checklist):
        raise refusal
    by_id = {verdict.id: verdict for verdict in command.verdicts}
    verdicts = tuple(item.verdict(by_id[item.id].ok, by_id[item.id].note) for item in checklist)
    facts: list[Fact] = [_checklist_fact(state, replace(command, verdicts=verdicts), day, rules)]
    if isinstance(command, VerifyRequest) and state.current_recommendation is not None:
        facts.insert(0, _withdraw_recommendation(state, command.by))
    return facts


def _checklist_fact(state: State, command: VerifyRequest | ReturnRequest, day: date, rules: StageRules) -> Fact:
    round_number, verdicts, by = state.course.round, command.verdicts, command.by
    if isinstance(command, VerifyRequest):
        return RequestVerified(round=round_number, verdicts=verdicts, acknowledged=state.warnings, by=by)
    respond_by, *remind_on = (
        rules.calendar.add_working_days(day, count) for count in (rules.respond_days, *rules.respond_remind_days)
    )
    return RequestReturned(
        round=round_number, verdicts=verdicts, respond_by=respond_by, remind_on=tuple(remind_on), by=by
    )


def _recommend(state: State, command: RecommendRejection) -> RejectionRecommended:
    if (given := state.current_recommendation) is not None:
        raise Refusal("already_recommended", by=given.by.name, at=given.at)
    if not (reason := command.reason.strip()):
        raise Refusal("reason_missing")
    return RejectionRecommended(round=state.course.round, reason=reason, by=command.by)


def _withdraw_recommendation(state: State, by: Staff) -> RecommendationWithdrawn:
    if state.current_recommendation is None:
        raise Refusal("not_recommended")
    return RecommendationWithdrawn(round=state.course.round, by=by)


def _add_note(command: AddNote) -> NoteAdded:
    if not (text := command.text.strip()):
        raise Refusal("text_missing")
    return NoteAdded(text=text, by=command.by)


def _claim(state: State, command: ClaimRequest) -> list[Fact]:
    """Return the claim, nothing if the officer has it already."""
    claim = state.active_claim
    if claim is not None and claim.officer.username == command.officer.username:
        return []
    if claim is not None and not command.replace:
        raise Refusal("already_claimed", by=claim.officer.name, at=claim.at)
    return [RequestClaimed(round=state.course.round, officer=command.officer, by=command.by)]


def _release(state: State, by: Staff) -> ClaimReleased:
    if state.active_claim is None:
        raise Refusal("not_claimed")
    return ClaimReleased(round=state.course.round, by=by)


def is_advised(state: State) -> bool:
    """Return whether the request awaits a decision on the recommendation to reject it."""
    return state.status is Status.SUBMITTED and state.current_recommendation is not None


def react(_state: State, _event: Event) -> list[Command]:
    """Return no commands: only officers decide."""
    return []
