"""The demo's past: volumes, working days, every status, and nothing that is still to be done about it."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime
from itertools import pairwise

import pytest

from shared.calendar import official_calendar, today
from shared.contracts.facts import Staff
from shared.contracts.intake import HandoverConfirmed, SurveyAnswered
from shared.contracts.lifecycle import Status
from simpul.demo.past_office import PastStaff, submission_times
from simpul.demo.past_requests import PastRequest, past_request
from simpul.generate.lifecycle_simulator import build_deciders

pytestmark = pytest.mark.slow
NOW = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
CALENDAR = official_calendar()
STAFF = PastStaff(
    [Staff(username="petugas", name="Rosmina Gotowara")],
    [Staff(username="kepala", name="Yohanis Bulidara")],
    [Staff(username=f"teknis-{count}", name=f"Penanggung Jawab {count}") for count in (1, 2, 3)],
)


@pytest.fixture(scope="module")
def requests() -> list[PastRequest]:
    """The requests of three months until now."""
    times = enumerate(submission_times(2, NOW, CALENDAR, random.Random(7)))
    deciders = build_deciders()
    return [
        past_request(deciders, STAFF, CALENDAR, NOW, seed=7, index=index, submitted_at=at, number=number)
        for index, (at, number) in times
    ]


def test_each_month_has_60_to_150_requests_and_each_year_its_numbers():
    times = list(submission_times(24, NOW, CALENDAR, random.Random(1)))
    months = Counter(f"{today(at):%Y-%m}" for at, _ in times)
    assert len(months) == 25
    assert min(months) == "2024-11"
    assert all(60 <= count <= 150 for month, count in months.items() if month != "2026-11")
    assert max(months.values()) > min(months.values()) + 40
    assert all(before <= after for (before, _), (after, _) in pairwise(times))
    assert times[-1][0] < NOW
    numbers_of_2025 = [number for at, number in times if today(at).year == 2025]
    assert numbers_of_2025 == [f"INT-2025-{count:06d}" for count in range(1, len(numbers_of_2025) + 1)]


def test_the_same_seed_makes_the_same_request(requests: list[PastRequest]):
    first = next(submission_times(2, NOW, CALENDAR, random.Random(7)))
    again = past_request(
        build_deciders(), STAFF, CALENDAR, NOW, seed=7, index=0, submitted_at=first[0], number=first[1]
    )
    assert again.simulator.events == requests[0].simulator.events


def test_every_status_occurs(requests: list[PastRequest]):
    assert {request.status for request in requests} == set(Status) - {Status.NEW}


def test_staff_work_on_working_days_only(requests: list[PastRequest]):
    actions = [event for request in requests for event in request.simulator.events if hasattr(event.fact, "by")]
    days = {today(event.time) for event in actions if getattr(event.fact, "by", None)}
    assert len(actions) > 1000
    assert all(CALENDAR.is_working_day(day) for day in days)
    assert date(2026, 10, 1) in days


def test_leads_share_the_work_and_some_of_it_is_late(requests: list[PastRequest]):
    states = [request.simulator.working_copies["assignment"].state for request in requests]
    assert {state.lead.username for state in states if state.lead} == {"teknis-1", "teknis-2", "teknis-3"}
    late = [state for state in states if state.status is Status.IN_PROGRESS and state.target_date < today(NOW)]
    assert 0 < len(late) < len(states) / 4


def test_surveys_are_answered_in_time(requests: list[PastRequest]):
    events = [event for request in requests for event in request.simulator.events]
    confirmed = {event.subject: event.fact for event in events if isinstance(event.fact, HandoverConfirmed)}
    answered = [(event, event.fact) for event in events if isinstance(event.fact, SurveyAnswered)]
    assert len(answered) > 20
    assert all(today(event.time) <= confirmed[event.subject].survey_until for event, _ in answered)
    assert len({fact.answers for _, fact in answered}) > 10


def test_nothing_is_due_any_more_and_every_email_counts_as_sent(requests: list[PastRequest]):
    for request in requests:
        for name, runner in request.simulator.runners.items():
            due = runner.decider.due_at(request.simulator.working_copies[name].state)
            assert due is None or due > NOW
        messages = request.simulator.working_copies["notification"].state.messages
        assert {message.status for message in messages} == {"sent"}
        assert all(event.time <= NOW for event in request.simulator.events)


def test_unchecked_requests_have_documents_of_their_own(requests: list[PastRequest]):
    unchecked = [request for request in requests if request.is_unchecked]
    own_keys = [set(request.documents.contents) for request in unchecked]
    assert len(set.union(*own_keys)) == sum(map(len, own_keys))
    shared_keys = {key for request in requests if not request.is_unchecked for key in request.documents.contents}
    assert len(shared_keys) < 30
