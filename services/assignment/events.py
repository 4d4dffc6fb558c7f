"""Events that assignment publishes, and those of other services that it subscribes to."""

from __future__ import annotations

from shared.contracts.assignment import (
    LeadAssigned,
    LeadReassigned,
    ReminderRequested,
    RequestRejected,
    TargetChanged,
    WorkCompleted,
    WorkNoteAdded,
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
)
from shared.contracts.verification import (
    ClaimReleased,
    NoteAdded,
    RecommendationWithdrawn,
    RejectionRecommended,
    RequestClaimed,
    RequestReturned,
    RequestVerified,
)

PUBLISHES: frozenset[type[Fact]] = frozenset(
    {
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
        WorkNoteAdded,
    }
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
        SurveyAnswered,
        RequestReturned,
        RequestVerified,
        RejectionRecommended,
        RecommendationWithdrawn,
        RequestClaimed,
        ClaimReleased,
        NoteAdded,
    }
)
