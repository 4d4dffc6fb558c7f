"""The status of a request is equal in every service, whatever the order in which events arrive."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from random import Random
from typing import Any

import pytest
from hypothesis import given as given_any
from hypothesis import settings, strategies

from services.assignment.decider import decider as assignment_decider
from services.intake.decider import decider as intake_decider
from services.intake.domain.decisions import Rules as IntakeRules
from services.notification.decider import decider as notification_decider
from services.verification.decider import decider as verification_decider
from shared.calendar import WorkingCalendar
from shared.contracts import assignment as a
from shared.contracts import intake as i
from shared.contracts.envelope import Event
from shared.contracts.facts import Fact
from shared.contracts.lifecycle import BEFORE_DELIVERY, ENDED, Lifecycle, Status, advance
from shared.contracts.stages import StageRules
from shared.runtime.decider import Decider
from tests.support.domain.given_when_then import fold, make_event
from tests.support.domain.request_events import (
    COMPLETED,
    DELIVERED,
    IN_PROGRESS,
    ON_HOLD,
    PATHS,
    answered,
    assigned,
    completed,
    confirmed,
    contested,
    expired,
    paused,
    progressed,
    recommended,
    rejected,
    resubmitted,
    resumed,
    returned,
    started,
    submitted,
    surveyed,
    verified,
    withdrawn,
)

CALENDAR = WorkingCalendar(holidays={})


def course_of(facts: Sequence[Fact]) -> Lifecycle:
    return reduce(advance, facts, Lifecycle())


def numbered(fact: Fact, **numbers: int) -> Fact:
    return fact.model_copy(update=numbers)


@pytest.mark.parametrize("status", Status)
def test_every_status_is_reached_by_its_path(status: Status):
    assert course_of(PATHS[status]).status is status


def test_every_status_is_before_delivery_or_new_or_delivered_or_ended():
    assert BEFORE_DELIVERY | ENDED | {Status.NEW, Status.DELIVERED} == set(Status)
    assert not BEFORE_DELIVERY & ENDED


AGAIN = (submitted, returned, resubmitted)
LONGER: list[tuple[tuple[Fact, ...], Status]] = [
    (AGAIN, Status.SUBMITTED),
    ((*AGAIN, numbered(returned, round=2)), Status.RETURNED),
    ((*AGAIN, numbered(verified, round=2)), Status.VERIFIED),
    ((submitted, recommended), Status.SUBMITTED),
    ((*IN_PROGRESS, progressed), Status.IN_PROGRESS),
    ((*ON_HOLD, answered), Status.IN_PROGRESS),
    ((*ON_HOLD, resumed), Status.IN_PROGRESS),
    ((*ON_HOLD, answered, resumed), Status.IN_PROGRESS),
    ((*ON_HOLD, answered, resumed, numbered(paused, pause=2)), Status.ON_HOLD),
    ((*ON_HOLD, answered, resumed, numbered(paused, pause=2), numbered(answered, pause=2)), Status.IN_PROGRESS),
    ((*DELIVERED, contested), Status.IN_PROGRESS),
    ((*DELIVERED, contested, paused), Status.ON_HOLD),
    ((*DELIVERED, contested, numbered(completed, delivery=2)), Status.DELIVERED),
    ((*DELIVERED, contested, numbered(completed, delivery=2), numbered(confirmed, delivery=2)), Status.COMPLETED),
    ((*COMPLETED, surveyed), Status.COMPLETED),
]


@pytest.mark.parametrize(("facts", "status"), LONGER)
def test_rounds_pauses_and_deliveries_come_again(facts: tuple[Fact, ...], status: Status):
    assert course_of(facts).status is status


@pytest.mark.parametrize("status", sorted(BEFORE_DELIVERY | {Status.DELIVERED}))
def test_withdrawn_beats_everything_and_rejected_everything_but_that(status: Status):
    assert course_of((*PATHS[status], withdrawn)).status is Status.WITHDRAWN
    assert course_of((*PATHS[status], rejected)).status is Status.REJECTED
    assert course_of((*PATHS[status], rejected, withdrawn)).status is Status.WITHDRAWN
    assert course_of((*PATHS[status], withdrawn, rejected)).status is Status.WITHDRAWN


# Only possible histories: each service decides on the events it has consumed so far.


def _intake_may(course: Lifecycle) -> list[Fact]:
    match course.status:
        case Status.NEW:
            return [submitted]
        case Status.RETURNED:
            number = course.round
            return [numbered(resubmitted, round=number + 1), numbered(expired, round=number), withdrawn]
        case Status.ON_HOLD:
            return [numbered(answered, pause=course.pause), withdrawn]
        case Status.DELIVERED:
            ways = (confirmed, numbered(confirmed, automatic=True), contested)
            return [numbered(fact, delivery=course.delivery) for fact in ways]
        case Status.COMPLETED:
            return [surveyed]
        case status:
            return [withdrawn] if status in BEFORE_DELIVERY else []


def _verification_may(course: Lifecycle) -> list[Fact]:
    if course.status is not Status.SUBMITTED:
        return []
    return [numbered(fact, round=course.round) for fact in (returned, verified, recommended)]


def _assignment_may(course: Lifecycle) -> list[Fact]:
    match course.status:
        case Status.SUBMITTED:
            return [rejected]
        case Status.VERIFIED:
            return [assigned, assigned, rejected]
        case Status.ASSIGNED:
            return [started]
        case Status.IN_PROGRESS:
            delivered = numbered(completed, delivery=course.delivery + 1)
            return [progressed, numbered(paused, pause=course.pause + 1), delivered]
        case Status.ON_HOLD:
            return [numbered(resumed, pause=course.pause)]
        case _:
            return []


MAY: Mapping[str, Callable[[Lifecycle], list[Fact]]] = {
    "intake": _intake_may,
    "verification": _verification_may,
    "assignment": _assignment_may,
}


@dataclass
class ServiceView:
    """A service that acts on the events it has consumed; `consumed` counts them per source."""

    course: Lifecycle = field(default_factory=Lifecycle)
    consumed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MAY, 0))

    def take(self, event: Event) -> None:
        self.course = advance(self.course, event.fact)
        self.consumed[event.source] += 1


ENDINGS = (i.RequestWithdrawn, i.RequestExpired, a.RequestRejected)
"""Mostly thought better of, or few histories would get past the desk."""


def unfold(rng: Random) -> list[Event]:
    """Generate a history in which services act or consume at random, so that their events cross."""
    views = {source: ServiceView() for source in MAY}
    lines: dict[str, list[Event]] = {source: [] for source in MAY}
    published: list[Event] = []
    for _ in range(rng.randint(1, 200)):
        source = rng.choice(list(MAY))
        view = views[source]
        unconsumed = [line[view.consumed[other]] for other, line in lines.items() if len(line) > view.consumed[other]]
        may = [] if any(isinstance(e.fact, i.SurveyAnswered) for e in lines["intake"]) else MAY[source](view.course)
        if unconsumed and (not may or rng.random() < 0.6):
            view.take(rng.choice(unconsumed))
        elif may:
            fact = rng.choice(may)
            if isinstance(fact, ENDINGS) and rng.random() < 0.97:
                continue
            event = make_event(fact, len(lines[source]) + 1)
            lines[source].append(event)
            view.take(event)
            published.append(event)
    return published


def shuffle_sources(rng: Random, events: Sequence[Event]) -> list[Event]:
    """Return the events in another order that keeps the order of each source."""
    lines = [[event for event in events if event.source == source] for source in MAY]
    order = []
    while any(lines):
        order.append(rng.choice([line for line in lines if line]).pop(0))
    return order


SERVICES: list[Decider[Any]] = [
    intake_decider(IntakeRules()),
    verification_decider(lambda: StageRules(CALENDAR)),
    assignment_decider(lambda: StageRules(CALENDAR)),
]


@settings(max_examples=settings().max_examples * 3)
@given_any(strategies.integers(0, 2**32))
def test_any_order_of_hearing_gives_the_same_course_and_the_same_states(seed: int):
    rng = Random(seed)
    published = unfold(rng)
    consumed = shuffle_sources(rng, published)
    assert course_of([event.fact for event in consumed]) == course_of([event.fact for event in published])
    for service in SERVICES:
        assert fold(service, consumed) == fold(service, published), service.service


@settings(max_examples=settings().max_examples * 3)
@given_any(strategies.integers(0, 2**32))
def test_every_service_ends_with_the_same_status(seed: int):
    rng = Random(seed)
    published = unfold(rng)
    end = course_of([event.fact for event in published]).status
    for service in (*SERVICES, notification_decider()):
        assert service.status(fold(service, shuffle_sources(rng, published))) == end, service.service


def test_the_histories_of_these_tests_reach_every_status():
    ends = {course_of([event.fact for event in unfold(Random(seed))]).status for seed in range(400)}
    assert ends == set(Status)
