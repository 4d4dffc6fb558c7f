"""Events that intake publishes, and those of other services that it subscribes to."""

from __future__ import annotations

from shared.contracts.assignment import (
    LeadAssigned,
    LeadReassigned,
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
    SurveyAnswered,
    TrackingLinkRequested,
)
from shared.contracts.verification import ClaimReleased, RequestClaimed, RequestReturned, RequestVerified

PUBLISHES: frozenset[type[Fact]] = frozenset(
    {
        RequestSubmitted,
        RequestCorrected,
        RequestResubmitted,
        RequestExpired,
        RequestWithdrawn,
        ApplicantAnswered,
        HandoverConfirmed,
        HandoverContested,
        SurveyAnswered,
        TrackingLinkRequested,
    }
)


SUBSCRIBES_TO: frozenset[type[Fact]] = frozenset(
    {
        RequestReturned,
        RequestVerified,
        RequestClaimed,
        ClaimReleased,
        RequestRejected,
        LeadAssigned,
        LeadReassigned,
        TargetChanged,
        WorkStarted,
        WorkProgressed,
        WorkPaused,
        WorkResumed,
        WorkCompleted,
    }
)
