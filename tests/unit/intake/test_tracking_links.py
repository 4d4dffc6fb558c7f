"""Tracking links that are emailed again: at every status, rarely, and without a trace in the history."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.intake import presenters
from services.intake.domain.commands import MailLink
from shared.contracts.intake import TrackingLinkRequested
from shared.contracts.lifecycle import Status
from tests.support.domain.given_when_then import NOON, given
from tests.support.domain.request_events import APPLICANT, INTAKE, PATHS, decide_facts, resubmitted, returned, submitted

link_requested = TrackingLinkRequested()
LATEST = NOON + timedelta(minutes=1)
"""The time of the second event of a scenario."""


def test_a_link_is_emailed_at_most_once_in_ten_minutes():
    state = given(INTAKE, submitted, link_requested)
    assert decide_facts(state, MailLink(), LATEST + timedelta(minutes=10) - timedelta(microseconds=1)) == []
    assert decide_facts(state, MailLink(), LATEST + timedelta(minutes=10)) == [link_requested]


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.NEW])
def test_a_link_request_changes_neither_history_nor_status(status: Status):
    before, after = given(INTAKE, *PATHS[status]), given(INTAKE, *PATHS[status], link_requested)
    assert presenters.present_request(after, NOON.date()) == presenters.present_request(before, NOON.date())
    assert after.link_asked_at is not None


def test_the_link_event_holds_no_data():
    assert link_requested.model_dump() == {}


def test_requests_are_found_by_their_current_address_in_lower_case():
    def with_address(fact, address):
        return fact.model_copy(update={"applicant": APPLICANT.model_copy(update={"email": address})})

    state = given(INTAKE, with_address(submitted, "Rahmat@Dishub.example"))
    assert INTAKE.columns(state)["email"] == "rahmat@dishub.example"
    corrected = with_address(resubmitted, "rahmat@pindah.example")
    state = given(INTAKE, with_address(submitted, "Rahmat@Dishub.example"), returned, corrected)
    assert INTAKE.columns(state)["email"] == "rahmat@pindah.example"
    assert INTAKE.columns(INTAKE.initial())["email"] is None
