"""The stage of a request and its due date, the same in every service."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from services.assignment.decider import decider as assignment_decider
from services.verification.decider import decider as verification_decider
from shared.contracts.facts import Fact
from shared.contracts.lifecycle import ENDED, Status
from shared.contracts.stages import STAGES, Stage, StageClock, StageRules, stage_clock
from tests.support.domain.given_when_then import NOON, events_from, fold, given
from tests.support.domain.request_events import (
    ASSIGNED,
    CALENDAR,
    COMPLETED,
    DELIVERED,
    IN_PROGRESS,
    ON_HOLD,
    VERIFIED,
    assigned,
    contested,
    resubmitted,
    returned,
    submitted,
    withdrawn,
)

RULES = StageRules(CALENDAR)
VERIFICATION, ASSIGNMENT = verification_decider(lambda: RULES), assignment_decider(lambda: RULES)
MONDAY = date(2026, 11, 23)


def clocks(*facts: Fact) -> list[StageClock | None]:
    """Return the clock of a request in each service that lists requests."""
    return [
        stage_clock(given(VERIFICATION, *facts), RULES),
        stage_clock(given(ASSIGNMENT, *facts), RULES),
    ]


@pytest.mark.parametrize(
    ("facts", "stage", "due"),
    [
        ((submitted,), Stage.VERIFY, date(2026, 11, 24)),
        ((submitted, returned), Stage.REPLY, returned.respond_by),
        ((submitted, returned, resubmitted), Stage.VERIFY, date(2026, 11, 24)),
        (VERIFIED, Stage.APPOINT, date(2026, 11, 25)),
        (ASSIGNED, Stage.START, date(2026, 11, 25)),
        (IN_PROGRESS, Stage.WORK, date(2026, 12, 14)),
        (ON_HOLD, Stage.REPLY, date(2026, 11, 30)),
        (DELIVERED, Stage.CONFIRM, date(2026, 11, 30)),
        ((*DELIVERED, contested), Stage.WORK, date(2026, 12, 14)),
    ],
)
def test_every_open_stage_has_a_due_date_that_the_services_agree_on(facts: tuple[Fact, ...], stage: Stage, due: date):
    found = clocks(*facts)
    assert found == [StageClock(stage, MONDAY, due)] * 2


@pytest.mark.parametrize("facts", [(), COMPLETED, (submitted, withdrawn)])
def test_a_request_that_has_ended_has_no_clock(facts: tuple[Fact, ...]):
    assert clocks(*facts) == [None, None]


def test_every_open_status_belongs_to_a_stage():
    assert set(STAGES) == set(Status) - ENDED - {Status.NEW}
    assert set(STAGES.values()) == set(Stage)


def test_work_starts_by_its_target_at_the_latest():
    tomorrow = assigned.model_copy(update={"target_date": date(2026, 11, 24)})
    assert [clock and clock.due for clock in clocks(*VERIFIED, tomorrow)] == [date(2026, 11, 24)] * 2


def test_a_target_missed_before_a_question_stays_missed():
    events = [*events_from(*IN_PROGRESS), *events_from(*ON_HOLD, start=NOON + timedelta(days=30))[-1:]]
    found = stage_clock(fold(ASSIGNMENT, events), RULES)
    assert found == StageClock(Stage.REPLY, date(2026, 12, 23), date(2026, 12, 14))


def test_a_record_without_the_promised_date_is_due_by_the_rules():
    stored = replace(given(VERIFICATION, submitted, returned), respond_by=None)
    found = stage_clock(stored, StageRules(CALENDAR, respond_days=3))
    assert found == StageClock(Stage.REPLY, MONDAY, date(2026, 11, 26))


def test_overdue_days_are_working_days():
    clock = StageClock(Stage.VERIFY, MONDAY, date(2026, 11, 27))
    days = [date(2026, 11, 27), date(2026, 11, 29), date(2026, 11, 30), date(2026, 12, 2)]
    assert [(clock.is_overdue(day), clock.overdue_days(day, CALENDAR)) for day in days] == [
        (False, 0),
        (True, 0),
        (True, 1),
        (True, 2),
    ]
    assert clock.limit_days(CALENDAR) == 4


@pytest.mark.parametrize(
    ("days", "respond", "confirm"),
    [(10, (5, 8), (5,)), (5, (3, 4), (3,)), (2, (1,), (1,)), (1, (), ()), (20, (10, 16), (10,))],
)
def test_applicants_are_reminded_before_the_last_day(days: int, respond: tuple[int, ...], confirm: tuple[int, ...]):
    rules = StageRules(CALENDAR, respond_days=days, confirm_days=days)
    assert (rules.respond_remind_days, rules.confirm_remind_days) == (respond, confirm)
