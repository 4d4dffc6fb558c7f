"""Which emails an event calls for."""

from __future__ import annotations

from dataclasses import dataclass

from services.notification.domain import applicant_emails, staff_emails
from services.notification.domain.emails import Parameters
from shared.contracts import assignment, intake, verification
from shared.contracts.facts import Fact, Staff, Verdict
from shared.contracts.lifecycle import Lifecycle, Status

APPLICANT, NEW_CONTACT = "applicant", "contact:new"
OFFICERS = "role:officer"
STRUCTURAL = "role:structural"

StaffFact = (
    verification.RequestReturned
    | verification.RequestVerified
    | verification.RejectionRecommended
    | assignment.RequestRejected
    | assignment.LeadAssigned
    | assignment.LeadReassigned
    | assignment.TargetChanged
    | assignment.WorkStarted
    | assignment.WorkProgressed
    | assignment.WorkPaused
    | assignment.WorkResumed
    | assignment.WorkCompleted
)


@dataclass(frozen=True, slots=True)
class PlannedEmail:
    """An email that is due; `to` is the applicant, its requested new contact, `role:` with a role, or `staff:` with a username."""

    to: str
    parameters: Parameters


def staff_recipient(person: Staff) -> str:
    return f"staff:{person.username}"


def emails_for(lifecycle: Lifecycle, lead: Staff | None, rejected_by: Staff | None, fact: Fact) -> list[PlannedEmail]:
    """Return the emails that a fact calls for, given the state before it.

    A decision that took no effect because of a withdrawal or a rejection is reported to the person who made it, and to nobody
    else.
    """
    if isinstance(fact, intake.TrackingLinkRequested):
        return [_to_applicant(applicant_emails.LinkEmail())]
    decided_by = fact.by if isinstance(fact, StaffFact) else None
    if lifecycle.withdrawn:
        return [_to_staff(decided_by, staff_emails.StaffWithdrawnEmail(reason=""))] if decided_by else []
    if isinstance(fact, intake.RequestWithdrawn):
        return _withdrawal_emails(lifecycle, lead, rejected_by, fact.reason)
    if lifecycle.rejected:
        return [_to_staff(decided_by, staff_emails.StaffRejectedEmail(reason=""))] if decided_by else []
    emails = [] if lifecycle.expired else _emails_by_fact(fact, lead)
    if lifecycle.status is Status.DELIVERED and isinstance(fact, assignment.LeadReassigned):
        return [email for email in emails if email.to != APPLICANT]  # who waits for a confirmation, not for work
    return emails


def _withdrawal_emails(
    lifecycle: Lifecycle, lead: Staff | None, rejected_by: Staff | None, reason: str
) -> list[PlannedEmail]:
    if rejected_by:
        recipients = [staff_recipient(rejected_by)]
    elif lead:
        recipients = [staff_recipient(lead), STRUCTURAL]
    else:
        recipients = [STRUCTURAL if lifecycle.verified == lifecycle.round else OFFICERS]
    to_recipients = [PlannedEmail(to, staff_emails.StaffWithdrawnEmail(reason)) for to in recipients]
    return [_to_applicant(applicant_emails.WithdrawnEmail(reason)), *to_recipients]


def _emails_by_fact(fact: Fact, lead: Staff | None) -> list[PlannedEmail]:  # noqa: C901 - one case per event
    match fact:
        case intake.RequestSubmitted(applicant=applicant, description=description):
            to_officers = PlannedEmail(OFFICERS, staff_emails.StaffSubmittedEmail(applicant.unit, description))
            return [_to_applicant(applicant_emails.ReceivedEmail(round=1)), to_officers]
        case intake.RequestResubmitted(applicant=applicant, round=round_number):
            to_officers = PlannedEmail(OFFICERS, staff_emails.StaffResubmittedEmail(applicant.unit, round_number))
            return [_to_applicant(applicant_emails.ReceivedEmail(round_number)), to_officers]
        case intake.RequestCorrected():
            return [_to_applicant(applicant_emails.CorrectedEmail())]
        case intake.ContactChangeRequested(change=change):
            return [
                PlannedEmail(NEW_CONTACT, applicant_emails.ContactConfirmationEmail(change)),
                _to_applicant(applicant_emails.ContactNoticeEmail()),
            ]
        case intake.ContactChanged():
            return [_to_applicant(applicant_emails.ContactChangedEmail())]
        case intake.RequestExpired():
            return [_to_applicant(applicant_emails.ExpiredEmail())]
        case intake.ApplicantAnswered(text=answer):
            return [_to_staff(lead, staff_emails.StaffAnsweredEmail(answer))] if lead else []
        case intake.HandoverContested(reason=reason):
            to_lead = [_to_staff(lead, staff_emails.StaffContestedEmail(reason))] if lead else []
            return [_to_applicant(applicant_emails.ContestedEmail(reason)), *to_lead]
        case intake.HandoverConfirmed(automatic=automatic, survey_until=survey_until):
            return [_to_applicant(applicant_emails.CompletedEmail(automatic, survey_until))]
        case verification.RequestReturned(verdicts=verdicts, respond_by=respond_by):
            return [_to_applicant(applicant_emails.ReturnedEmail(_missing_items(verdicts), respond_by))]
        case verification.RequestVerified(by=by):
            to_structural = PlannedEmail(STRUCTURAL, staff_emails.StaffVerifiedEmail(by.name))
            return [_to_applicant(applicant_emails.VerifiedEmail()), to_structural]
        case verification.RejectionRecommended(reason=reason, by=by):
            return [PlannedEmail(STRUCTURAL, staff_emails.StaffRecommendedEmail(reason, by.name))]
        case assignment.RequestRejected(reason=reason):
            return [_to_applicant(applicant_emails.RejectedEmail(reason))]
        case assignment.LeadAssigned(lead=new, target_date=target, note=note, by=by):
            return [
                _to_applicant(applicant_emails.AssignedEmail(new.name, target, new.username)),
                _to_staff(new, staff_emails.StaffAssignedEmail(new.name, target, by.name, note)),
            ]
        case assignment.LeadReassigned(lead=new, previous=old, target_date=target, reason=reason, by=by):
            return [
                _to_applicant(applicant_emails.ReassignedEmail(new.name, target, reason, new.username)),
                _to_staff(new, staff_emails.StaffReassignedNewEmail(new.name, target, reason, by.name)),
                _to_staff(old, staff_emails.StaffReassignedOldEmail(new.name, target, reason, by.name)),
            ]
        case assignment.TargetChanged(target_date=target, previous=previous, reason=reason, by=by):
            to_lead = (
                [_to_staff(lead, staff_emails.StaffTargetChangedEmail(target, previous, reason, by.name))]
                if lead
                else []
            )
            return [_to_applicant(applicant_emails.TargetChangedEmail(target, previous, reason)), *to_lead]
        case assignment.ReminderRequested(responsible=to, due=due):
            parameters = applicant_emails.OverdueEmail(due) if to == APPLICANT else _staff_reminder(fact)
            return [PlannedEmail(to, parameters)]
        case assignment.WorkStarted(by=by):
            return [_to_applicant(applicant_emails.StartedEmail(lead=by.name))]
        case assignment.WorkProgressed(note=note, percent=percent):
            return [_to_applicant(applicant_emails.ProgressEmail(note, percent))]
        case assignment.WorkPaused(question=question, answer_by=answer_by):
            return [_to_applicant(applicant_emails.PausedEmail(question, answer_by))]
        case assignment.WorkResumed(target_date=target, note=note):
            return [_to_applicant(applicant_emails.ResumedEmail(target, note))]
        case assignment.WorkCompleted(summary=summary, confirm_by=confirm_by, documents=documents):
            return [_to_applicant(applicant_emails.DeliveredEmail(summary, confirm_by, len(documents)))]
    return []


def _staff_reminder(fact: assignment.ReminderRequested) -> Parameters:
    return staff_emails.StaffOverdueEmail(fact.stage, fact.due, fact.overdue_days, fact.others, fact.by.name)


def _missing_items(verdicts: tuple[Verdict, ...]) -> tuple[applicant_emails.MissingItem, ...]:
    return tuple(
        applicant_emails.MissingItem(verdict.item.value, verdict.note) for verdict in verdicts if not verdict.ok
    )


def _to_applicant(parameters: Parameters) -> PlannedEmail:
    return PlannedEmail(APPLICANT, parameters)


def _to_staff(person: Staff, parameters: Parameters) -> PlannedEmail:
    return PlannedEmail(staff_recipient(person), parameters)
