"""Every event type there is, by name and schema version, with the upcasters that lift old versions to the present one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from shared.contracts import assignment, intake, notification, verification
from shared.contracts.facts import Fact

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]


class UnreadableEvent(Exception):
    """Bytes in the log that are no event, or an event that breaks its contract."""


class UnknownFact(Fact):
    """A fact of a type or version that this code does not know yet; a version that a service subscribes to waits for an upgrade."""

    owner = ""
    name: str


FACTS: tuple[type[Fact], ...] = (
    intake.RequestSubmitted,
    intake.RequestResubmitted,
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
    assignment.RequestRejected,
    assignment.LeadAssigned,
    assignment.LeadReassigned,
    assignment.WorkStarted,
    assignment.WorkProgressed,
    assignment.WorkPaused,
    assignment.WorkResumed,
    assignment.WorkCompleted,
    notification.SendingStarted,
    notification.SendingEnded,
    notification.ReminderFellDue,
    notification.RemindersDropped,
    notification.ResendRequested,
)

BY_TYPE: Mapping[str, type[Fact]] = {fact.type(): fact for fact in FACTS}

UPCASTERS: Mapping[tuple[str, int], Upcaster] = {}
"""From (type, schemaversion) to a function that turns its data into that of schemaversion + 1. Grows, never shrinks."""


def parse_fact(name: str, schemaversion: int, data: dict[str, Any]) -> Fact:
    """The fact in this data, lifted from its version to the present one.

    Raises Unreadable if a known fact does not fit its contract.
    """
    known = BY_TYPE.get(name)
    if known is None or schemaversion > known.schemaversion:
        return UnknownFact(name=name)
    try:
        return known.model_validate(upcast(name, schemaversion, known.schemaversion, data, UPCASTERS))
    except ValidationError as error:
        raise UnreadableEvent(f"{name} v{schemaversion}: {error.error_count()} fields do not fit") from error


def upcast(
    name: str, version: int, current: int, data: dict[str, Any], upcasters: Mapping[tuple[str, int], Upcaster]
) -> dict[str, Any]:
    """The data of an old version, taken one version at a time to the present one."""
    while version < current:
        data = upcasters[name, version](data)
        version += 1
    return data
