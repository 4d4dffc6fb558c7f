"""The refusal of a command that a conflicting event preceded."""

from __future__ import annotations

from collections.abc import Mapping

from shared.contracts.history import HistoryEntry
from shared.contracts.lifecycle import Status
from shared.runtime.decider import Refusal

_EVENTS_LEADING_TO: Mapping[Status, frozenset[str]] = {
    Status.SUBMITTED: frozenset({"RequestSubmitted", "RequestResubmitted", "RequestCorrected"}),
    Status.RETURNED: frozenset({"RequestReturned"}),
    Status.VERIFIED: frozenset({"RequestVerified"}),
    Status.ASSIGNED: frozenset({"LeadAssigned", "LeadReassigned"}),
    Status.IN_PROGRESS: frozenset({"WorkStarted", "ApplicantAnswered", "WorkResumed", "HandoverContested"}),
    Status.ON_HOLD: frozenset({"WorkPaused"}),
    Status.DELIVERED: frozenset({"WorkCompleted"}),
    Status.COMPLETED: frozenset({"HandoverConfirmed"}),
    Status.REJECTED: frozenset({"RequestRejected"}),
    Status.WITHDRAWN: frozenset({"RequestWithdrawn"}),
    Status.EXPIRED: frozenset({"RequestExpired"}),
}


def conflict_refusal(status: Status, history: tuple[HistoryEntry, ...]) -> Refusal:
    """Return the refusal "moved_on" with the current `status`, and `by`, `at` and `event` of the event that led to it.

    The latest event need not be that event, if events crossed; hence the lookup by status.
    """
    leading_events = _EVENTS_LEADING_TO.get(status, frozenset())
    entry = next((entry for entry in reversed(history) if entry.event in leading_events), None)
    if entry is None:
        return Refusal("moved_on", status=status, by="", at=None, event="")
    return Refusal("moved_on", status=status, by=entry.by, at=entry.time, event=entry.event)
