"""Who must be told what because of a fact. Pure: the words themselves are in letters.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.contracts import assignment as a
from shared.contracts import intake as i
from shared.contracts import verification as v
from shared.contracts.facts import Fact, Staff
from shared.contracts.lifecycle import Lifecycle

APPLICANT = "applicant"
OFFICERS = "role:officer"
STRUCTURAL = "role:structural"

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PlannedEmail:
    """A letter of this kind is owed to somebody: the applicant, everybody of a role, or `staff:` and a username."""

    kind: str
    to: str
    values: Values


def staff_recipient(person: Staff) -> str:
    return f"staff:{person.username}"


def emails_for(course: Lifecycle, lead: Staff | None, rejected_by: Staff | None, fact: Fact) -> list[PlannedEmail]:
    """The letters that this fact calls for, given what was known before it.

    A decision that was beaten on its way is told to whoever made it, and to nobody as if it held.
    """
    if isinstance(fact, i.TrackingLinkRequested):
        return _link_requested(lead, fact)
    by = getattr(fact, "by", None)
    if course.withdrawn:
        return [PlannedEmail("staff_withdrawn", staff_recipient(by), {"reason": ""})] if by else []
    if isinstance(fact, i.RequestWithdrawn):
        return _withdrawn(course, lead, rejected_by, fact)
    if course.rejected or course.expired:
        return [PlannedEmail("staff_rejected", staff_recipient(by), {"reason": ""})] if by and course.rejected else []
    plan = PLANS.get(type(fact))
    return plan(lead, fact) if plan else []


def _withdrawn(
    course: Lifecycle, lead: Staff | None, rejected_by: Staff | None, fact: i.RequestWithdrawn
) -> list[PlannedEmail]:
    concerned = (
        [staff_recipient(lead), STRUCTURAL] if lead else [STRUCTURAL if course.verified == course.round else OFFICERS]
    )
    if rejected_by:
        concerned = [staff_recipient(rejected_by)]
    values = {"reason": fact.reason}
    return [
        PlannedEmail("withdrawn", APPLICANT, values),
        *(PlannedEmail("staff_withdrawn", to, values) for to in concerned),
    ]


def _submitted(lead: Staff | None, fact: Any) -> list[PlannedEmail]:
    return [
        PlannedEmail("received", APPLICANT, {"round": 1}),
        PlannedEmail("staff_submitted", OFFICERS, {"unit": fact.applicant.unit, "description": fact.description}),
    ]


def _resubmitted(lead: Staff | None, fact: Any) -> list[PlannedEmail]:
    return [
        PlannedEmail("received", APPLICANT, {"round": fact.round}),
        PlannedEmail("staff_resubmitted", OFFICERS, {"unit": fact.applicant.unit, "round": fact.round}),
    ]


def _returned(lead: Staff | None, fact: Any) -> list[PlannedEmail]:
    items = [{"item": verdict.item.value, "note": verdict.note} for verdict in fact.verdicts if not verdict.ok]
    return [PlannedEmail("returned", APPLICANT, {"items": items, "respond_by": fact.respond_by.isoformat()})]


def _verified(lead: Staff | None, fact: Any) -> list[PlannedEmail]:
    return [PlannedEmail("verified", APPLICANT, {}), PlannedEmail("staff_verified", STRUCTURAL, {"by": fact.by.name})]


def _rejection_recommended(lead: Staff | None, fact: Any) -> list[PlannedEmail]:
    return [PlannedEmail("staff_recommended", STRUCTURAL, {"reason": fact.reason, "by": fact.by.name})]


def _rejected(lead: Staff | None, fact: Any) -> list[PlannedEmail]:
    return [PlannedEmail("rejected", APPLICANT, {"reason": fact.reason})]


def _expired(lead: Staff | None, fact: Any) -> list[PlannedEmail]:
    return [PlannedEmail("expired", APPLICANT, {})]


def _assigned(lead: Staff | None, fact: Any) -> list[PlannedEmail]:
    told = {"lead": fact.lead.name, "target_date": fact.target_date.isoformat()}
    return [
        PlannedEmail("assigned", APPLICANT, {**told, "lead_username": fact.lead.username}),
        PlannedEmail("staff_assigned", staff_recipient(fact.lead), {**told, "by": fact.by.name, "note": fact.note}),
    ]


def _reassigned(lead: Staff | None, fact: Any) -> list[PlannedEmail]:
    told = {"lead": fact.lead.name, "target_date": fact.target_date.isoformat(), "reason": fact.reason}
    return [
        PlannedEmail("reassigned", APPLICANT, {**told, "lead_username": fact.lead.username}),
        PlannedEmail("staff_reassigned_new", staff_recipient(fact.lead), {**told, "by": fact.by.name}),
        PlannedEmail("staff_reassigned_old", staff_recipient(fact.previous), {**told, "by": fact.by.name}),
    ]


def _started(lead: Staff | None, fact: Any) -> list[PlannedEmail]:
    return [PlannedEmail("started", APPLICANT, {"lead": fact.by.name})]


def _progressed(lead: Staff | None, fact: Any) -> list[PlannedEmail]:
    return [PlannedEmail("progress", APPLICANT, {"note": fact.note, "percent": fact.percent})]


def _paused(lead: Staff | None, fact: Any) -> list[PlannedEmail]:
    return [PlannedEmail("paused", APPLICANT, {"question": fact.question, "answer_by": fact.answer_by.isoformat()})]


def _resumed(lead: Staff | None, fact: Any) -> list[PlannedEmail]:
    return [PlannedEmail("resumed", APPLICANT, {"target_date": fact.target_date.isoformat(), "note": fact.note})]


def _answered(lead: Staff | None, fact: Any) -> list[PlannedEmail]:
    return [PlannedEmail("staff_answered", staff_recipient(lead), {"answer": fact.text})] if lead else []


def _work_completed(lead: Staff | None, fact: Any) -> list[PlannedEmail]:
    values = {"summary": fact.summary, "confirm_by": fact.confirm_by.isoformat(), "documents": len(fact.documents)}
    return [PlannedEmail("delivered", APPLICANT, values)]


def _contested(lead: Staff | None, fact: Any) -> list[PlannedEmail]:
    told = {"reason": fact.reason}
    return [
        PlannedEmail("contested", APPLICANT, told),
        *([PlannedEmail("staff_contested", staff_recipient(lead), told)] if lead else []),
    ]


def _confirmed(lead: Staff | None, fact: Any) -> list[PlannedEmail]:
    values = {"automatic": fact.automatic, "survey_until": fact.survey_until.isoformat()}
    return [PlannedEmail("completed", APPLICANT, values)]


def _link_requested(lead: Staff | None, fact: Any) -> list[PlannedEmail]:
    return [PlannedEmail("link", APPLICANT, {})]


PLANS: Mapping[type[Fact], Callable[[Staff | None, Any], list[PlannedEmail]]] = {
    i.RequestSubmitted: _submitted,
    i.RequestResubmitted: _resubmitted,
    i.RequestExpired: _expired,
    i.ApplicantAnswered: _answered,
    i.HandoverContested: _contested,
    i.HandoverConfirmed: _confirmed,
    i.TrackingLinkRequested: _link_requested,
    v.RequestReturned: _returned,
    v.RequestVerified: _verified,
    v.RejectionRecommended: _rejection_recommended,
    a.RequestRejected: _rejected,
    a.LeadAssigned: _assigned,
    a.LeadReassigned: _reassigned,
    a.WorkStarted: _started,
    a.WorkProgressed: _progressed,
    a.WorkPaused: _paused,
    a.WorkResumed: _resumed,
    a.WorkCompleted: _work_completed,
}
