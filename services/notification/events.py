"""Events that notification publishes, and those of other services that it subscribes to."""

from __future__ import annotations

from shared.contracts.assignment import (
    LeadAssigned,
    LeadReassigned,
    ReminderRequested,
    RequestRejected,
    TargetChanged,
    WorkCompleted,
    WorkPaused,
    WorkProgressed,
    WorkResumed,
    WorkStarted,
)
from shared.contracts.facts import Fact
from shared.contracts.intake import (
    ApplicantAnswered,
    HandoverConfirmed,
    HandoverContested,
    RequestCorrected,
    RequestExpired,
    RequestResubmitted,
    RequestSubmitted,
    RequestWithdrawn,
    TrackingLinkRequested,
)
from shared.contracts.notification import (
    ReminderFellDue,
    RemindersDropped,
    ResendRequested,
    SendingEnded,
    SendingStarted,
)
from shared.contracts.verification import RejectionRecommended, RequestReturned, RequestVerified

PUBLISHES: frozenset[type[Fact]] = frozenset(
    {SendingStarted, SendingEnded, ReminderFellDue, RemindersDropped, ResendRequested}
)
SUBSCRIBES_TO: frozenset[type[Fact]] = frozenset(
    {
        RequestSubmitted,
        RequestCorrected,
        RequestResubmitted,
        RequestExpired,
        RequestWithdrawn,
        ApplicantAnswered,
        HandoverConfirmed,
        HandoverContested,
        TrackingLinkRequested,
        RequestReturned,
        RequestVerified,
        RejectionRecommended,
        RequestRejected,
        LeadAssigned,
        LeadReassigned,
        TargetChanged,
        ReminderRequested,
        WorkStarted,
        WorkProgressed,
        WorkPaused,
        WorkResumed,
        WorkCompleted,
    }
)
