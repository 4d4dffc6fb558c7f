"""Events that intake publishes, and those of other services that it subscribes to."""

from __future__ import annotations

from shared.contracts import assignment, intake, verification
from shared.contracts.facts import Fact

PUBLISHES: frozenset[type[Fact]] = frozenset(
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
        intake.SurveyAnswered,
        intake.TrackingLinkRequested,
    }
)


SUBSCRIBES_TO: frozenset[type[Fact]] = frozenset(
    {
        verification.RequestReturned,
        verification.RequestVerified,
        verification.RequestClaimed,
        verification.ClaimReleased,
        assignment.RequestRejected,
        assignment.LeadAssigned,
        assignment.LeadReassigned,
        assignment.TargetChanged,
        assignment.WorkStarted,
        assignment.WorkProgressed,
        assignment.WorkPaused,
        assignment.WorkResumed,
        assignment.WorkCompleted,
    }
)
FOLDED = SUBSCRIBES_TO | PUBLISHES
"""Events that change the state of a request here."""
