"""A tracking link that is mailed again: rarely, whatever became of the request, and without a trace in its history."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.intake import presenters
from services.intake.domain.commands import MailLink
from shared.contracts.intake import TrackingLinkRequested
from shared.contracts.lifecycle import Status
from tests.support.domain.given_when_then import NOON, given
from tests.support.domain.request_events import APPLICANT, INTAKE, PATHS, decide_facts, resubmitted, returned, submitted

asked = TrackingLinkRequested()
LATEST = NOON + timedelta(minutes=1)
"""When the second fact of a story happened."""


def test_a_link_is_mailed_once_in_ten_minutes():
    state = given(INTAKE, submitted, asked)
    assert decide_facts(state, MailLink(), LATEST + timedelta(minutes=10) - timedelta(microseconds=1)) == []
    assert decide_facts(state, MailLink(), LATEST + timedelta(minutes=10)) == [asked]


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.NEW])
def test_the_history_and_the_status_do_not_tell_that_a_link_was_mailed(status: Status):
    before, after = given(INTAKE, *PATHS[status]), given(INTAKE, *PATHS[status], asked)
    assert presenters.present_request(after, NOON.date()) == presenters.present_request(before, NOON.date())
    assert after.link_asked_at is not None


def test_the_fact_says_nothing_about_anybody():
    assert asked.model_dump() == {}


def test_requests_are_found_by_the_address_as_it_stands_in_small_letters():
    def with_address(fact, address):
        return fact.model_copy(update={"applicant": APPLICANT.model_copy(update={"email": address})})

    state = given(INTAKE, with_address(submitted, "Rahmat@Dishub.example"))
    assert INTAKE.columns(state)["email"] == "rahmat@dishub.example"
    corrected = with_address(resubmitted, "rahmat@pindah.example")
    state = given(INTAKE, with_address(submitted, "Rahmat@Dishub.example"), returned, corrected)
    assert INTAKE.columns(state)["email"] == "rahmat@pindah.example"
    assert INTAKE.columns(INTAKE.initial())["email"] is None
