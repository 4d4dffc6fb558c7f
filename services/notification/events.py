"""Events that notification publishes, and those of other services that it subscribes to."""

from __future__ import annotations

from shared.contracts import assignment, intake, notification, verification
from shared.contracts.facts import Fact

PUBLISHES: frozenset[type[Fact]] = frozenset(
    {
        notification.ReminderFellDue,
        notification.RemindersDropped,
        notification.ResendRequested,
    }
)
SUBSCRIBES_TO: frozenset[type[Fact]] = frozenset(
    {
        intake.RequestSubmitted,
        intake.RequestCorrected,
        intake.ContactChangeRequested,
        intake.ContactChanged,
        intake.RequestResubmitted,
        intake.RequestExpired,
        intake.RequestWithdrawn,
        intake.ApplicantAnswered,
        intake.HandoverConfirmed,
        intake.HandoverContested,
        intake.TrackingLinkRequested,
        verification.RequestReturned,
        verification.RequestVerified,
        verification.RejectionRecommended,
        assignment.RequestRejected,
        assignment.LeadAssigned,
        assignment.LeadReassigned,
        assignment.TargetChanged,
        assignment.ReminderRequested,
        assignment.WorkStarted,
        assignment.WorkProgressed,
        assignment.WorkPaused,
        assignment.WorkResumed,
        assignment.WorkCompleted,
    }
)
