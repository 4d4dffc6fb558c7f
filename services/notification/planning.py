"""Who must be told what because of a fact. Pure: the words themselves are in letters.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.contracts import assignment as a
from shared.contracts import intake as i
from shared.contracts import verification as v
from shared.contracts.course import Course
from shared.contracts.facts import Fact, Staff

APPLICANT = "applicant"
OFFICERS = "role:officer"
STRUCTURAL = "role:structural"

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Planned:
    """A letter of this kind is owed to somebody: the applicant, everybody of a role, or `staff:` and a username."""

    kind: str
    to: str
    values: Values


def staff(person: Staff) -> str:
    return f"staff:{person.username}"


def letters_for(course: Course, lead: Staff | None, rejected_by: Staff | None, fact: Fact) -> list[Planned]:
    """The letters that this fact calls for, given what was known before it.

    A decision that was beaten on its way is told to whoever made it, and to nobody as if it held.
    """
    if isinstance(fact, i.TrackingLinkRequested):
        return _link_asked(lead, fact)
    by = getattr(fact, "by", None)
    if course.withdrawn:
        return [Planned("staff_withdrawn", staff(by), {"reason": ""})] if by else []
    if isinstance(fact, i.RequestWithdrawn):
        return _withdrawn(course, lead, rejected_by, fact)
    if course.rejected or course.expired:
        return [Planned("staff_rejected", staff(by), {"reason": ""})] if by and course.rejected else []
    plan = PLANS.get(type(fact))
    return plan(lead, fact) if plan else []


def _withdrawn(
    course: Course, lead: Staff | None, rejected_by: Staff | None, fact: i.RequestWithdrawn
) -> list[Planned]:
    concerned = [staff(lead), STRUCTURAL] if lead else [STRUCTURAL if course.verified == course.round else OFFICERS]
    if rejected_by:
        concerned = [staff(rejected_by)]
    values = {"reason": fact.reason}
    return [Planned("withdrawn", APPLICANT, values), *(Planned("staff_withdrawn", to, values) for to in concerned)]


def _submitted(lead: Staff | None, fact: Any) -> list[Planned]:
    return [
        Planned("received", APPLICANT, {"round": 1}),
        Planned("staff_submitted", OFFICERS, {"unit": fact.applicant.unit, "description": fact.description}),
    ]


def _resubmitted(lead: Staff | None, fact: Any) -> list[Planned]:
    return [
        Planned("received", APPLICANT, {"round": fact.round}),
        Planned("staff_resubmitted", OFFICERS, {"unit": fact.applicant.unit, "round": fact.round}),
    ]


def _returned(lead: Staff | None, fact: Any) -> list[Planned]:
    items = [{"item": verdict.item.value, "note": verdict.note} for verdict in fact.verdicts if not verdict.ok]
    return [Planned("returned", APPLICANT, {"items": items, "respond_by": fact.respond_by.isoformat()})]


def _verified(lead: Staff | None, fact: Any) -> list[Planned]:
    return [Planned("verified", APPLICANT, {}), Planned("staff_verified", STRUCTURAL, {"by": fact.by.name})]


def _recommended(lead: Staff | None, fact: Any) -> list[Planned]:
    return [Planned("staff_recommended", STRUCTURAL, {"reason": fact.reason, "by": fact.by.name})]


def _rejected(lead: Staff | None, fact: Any) -> list[Planned]:
    return [Planned("rejected", APPLICANT, {"reason": fact.reason})]


def _expired(lead: Staff | None, fact: Any) -> list[Planned]:
    return [Planned("expired", APPLICANT, {})]


def _assigned(lead: Staff | None, fact: Any) -> list[Planned]:
    told = {"lead": fact.lead.name, "target_date": fact.target_date.isoformat()}
    return [
        Planned("assigned", APPLICANT, {**told, "lead_username": fact.lead.username}),
        Planned("staff_assigned", staff(fact.lead), {**told, "by": fact.by.name, "note": fact.note}),
    ]


def _reassigned(lead: Staff | None, fact: Any) -> list[Planned]:
    told = {"lead": fact.lead.name, "target_date": fact.target_date.isoformat(), "reason": fact.reason}
    return [
        Planned("reassigned", APPLICANT, {**told, "lead_username": fact.lead.username}),
        Planned("staff_reassigned_new", staff(fact.lead), {**told, "by": fact.by.name}),
        Planned("staff_reassigned_old", staff(fact.previous), {**told, "by": fact.by.name}),
    ]


def _started(lead: Staff | None, fact: Any) -> list[Planned]:
    return [Planned("started", APPLICANT, {"lead": fact.by.name})]


def _progressed(lead: Staff | None, fact: Any) -> list[Planned]:
    return [Planned("progress", APPLICANT, {"note": fact.note, "percent": fact.percent})]


def _paused(lead: Staff | None, fact: Any) -> list[Planned]:
    return [Planned("paused", APPLICANT, {"question": fact.question, "answer_by": fact.answer_by.isoformat()})]


def _resumed(lead: Staff | None, fact: Any) -> list[Planned]:
    return [Planned("resumed", APPLICANT, {"target_date": fact.target_date.isoformat(), "note": fact.note})]


def _answered(lead: Staff | None, fact: Any) -> list[Planned]:
    return [Planned("staff_answered", staff(lead), {"answer": fact.text})] if lead else []


def _completed(lead: Staff | None, fact: Any) -> list[Planned]:
    values = {"summary": fact.summary, "confirm_by": fact.confirm_by.isoformat(), "documents": len(fact.documents)}
    return [Planned("delivered", APPLICANT, values)]


def _contested(lead: Staff | None, fact: Any) -> list[Planned]:
    told = {"reason": fact.reason}
    return [
        Planned("contested", APPLICANT, told),
        *([Planned("staff_contested", staff(lead), told)] if lead else []),
    ]


def _confirmed(lead: Staff | None, fact: Any) -> list[Planned]:
    values = {"automatic": fact.automatic, "survey_until": fact.survey_until.isoformat()}
    return [Planned("completed", APPLICANT, values)]


def _link_asked(lead: Staff | None, fact: Any) -> list[Planned]:
    return [Planned("link", APPLICANT, {})]


PLANS: Mapping[type[Fact], Callable[[Staff | None, Any], list[Planned]]] = {
    i.RequestSubmitted: _submitted,
    i.RequestResubmitted: _resubmitted,
    i.RequestExpired: _expired,
    i.ApplicantAnswered: _answered,
    i.HandoverContested: _contested,
    i.HandoverConfirmed: _confirmed,
    i.TrackingLinkRequested: _link_asked,
    v.RequestReturned: _returned,
    v.RequestVerified: _verified,
    v.RejectionRecommended: _recommended,
    a.RequestRejected: _rejected,
    a.LeadAssigned: _assigned,
    a.LeadReassigned: _reassigned,
    a.WorkStarted: _started,
    a.WorkProgressed: _progressed,
    a.WorkPaused: _paused,
    a.WorkResumed: _resumed,
    a.WorkCompleted: _completed,
}
