"""All event types by name and schema version, with the upcasters from older versions to the current one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from shared.contracts import assignment, intake, notification, verification
from shared.contracts.facts import Fact

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]


class UnreadableEvent(Exception):
    """Bytes that are not an event, or an event that breaks its contract."""


class UnknownFact(Fact):
    """A fact of a type or version that this program does not know."""

    owner = ""
    name: str


FACTS: tuple[type[Fact], ...] = (
    intake.RequestSubmitted,
    intake.RequestResubmitted,
    intake.RequestCorrected,
    intake.ContactChangeRequested,
    intake.ContactChanged,
    intake.RequestExpired,
    intake.RequestWithdrawn,
    intake.ApplicantAnswered,
    intake.HandoverConfirmed,
    intake.HandoverContested,
    intake.SurveyAnswered,
    intake.TrackingLinkRequested,
    verification.RequestReturned,
    verification.RequestVerified,
    verification.RejectionRecommended,
    verification.RecommendationWithdrawn,
    verification.RequestClaimed,
    verification.ClaimReleased,
    verification.NoteAdded,
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
    assignment.WorkNoteAdded,
    notification.SendingStarted,
    notification.SendingEnded,
    notification.ReminderFellDue,
    notification.RemindersDropped,
    notification.ResendRequested,
)

BY_TYPE: Mapping[str, type[Fact]] = {fact.type(): fact for fact in FACTS}

UPCASTERS: Mapping[tuple[str, int], Upcaster] = {}
"""By (type, schemaversion), the function that converts the data to schemaversion + 1. Entries are never removed."""


def parse_fact(name: str, schemaversion: int, data: dict[str, Any]) -> Fact:
    """Parse the data of a fact, upcast from its version to the current one.

    Raises:
        UnreadableEvent: A known fact breaks its contract.
    """
    known = BY_TYPE.get(name)
    if known is None or schemaversion > known.schemaversion:
        return UnknownFact(name=name)
    try:
        return known.model_validate(upcast(name, schemaversion, known.schemaversion, data, UPCASTERS))
    except ValidationError as error:
        raise UnreadableEvent(f"{name} v{schemaversion}: {error.error_count()} invalid fields") from error


def upcast(
    name: str, version: int, current: int, data: dict[str, Any], upcasters: Mapping[tuple[str, int], Upcaster]
) -> dict[str, Any]:
    """Convert the data of an old version to the current one, one version at a time."""
    while version < current:
        data = upcasters[name, version](data)
        version += 1
    return data
