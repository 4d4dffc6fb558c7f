"""How long a request was in each stage, from its history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from shared.calendar import today
from shared.contracts.stages import Stage

DaysBetween = Callable[[date, date], int]

_STAGES_BY_FIRST_EVENT: Mapping[str, Stage] = {
    "RequestSubmitted": Stage.VERIFY,
    "RequestResubmitted": Stage.VERIFY,
    "RequestReturned": Stage.REPLY,
    "RequestVerified": Stage.APPOINT,
    "LeadAssigned": Stage.START,
    "WorkStarted": Stage.WORK,
    "WorkPaused": Stage.REPLY,
    "ApplicantAnswered": Stage.WORK,
    "WorkResumed": Stage.WORK,
    "WorkCompleted": Stage.CONFIRM,
    "HandoverContested": Stage.WORK,
}
_CONFIRMED = "HandoverConfirmed"
ENDING_EVENTS = frozenset({_CONFIRMED, "RequestRejected", "RequestWithdrawn", "RequestExpired"})


class TimedEvent(Protocol):
    """The type and the time of an event, as an entry of a history has them."""

    @property
    def event(self) -> str: ...
    @property
    def time(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class StageVisit:
    """A stage that was finished on a day after so many working days; those of the work leave pauses out."""

    stage: Stage
    ended: date
    days: int


def stage_visits(history: Iterable[TimedEvent], days_between: DaysBetween) -> list[StageVisit]:
    """Return the finished stages; one that a rejection, withdrawal or expiry broke off is none."""
    visits: list[StageVisit] = []
    stage: Stage | None = None
    since, worked = date.min, 0
    for entry in history:
        entered = _STAGES_BY_FIRST_EVENT.get(entry.event)
        if (entered is None and entry.event not in ENDING_EVENTS) or entered is stage:
            continue
        day = today(entry.time)
        finished = entered is not None or entry.event == _CONFIRMED
        if stage is not None and finished:
            days = days_between(since, day)
            if stage is Stage.WORK:
                worked += days
            if stage is not Stage.WORK:
                visits.append(StageVisit(stage, day, days))
            elif entered is Stage.CONFIRM:
                visits.append(StageVisit(stage, day, worked))
                worked = 0
        if entered is None:
            break
        stage, since = entered, day
    return visits
