"""Records with emails of another version of Simpul: during a rolling upgrade, or after a rollback."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest

from services.notification.decider import decider
from services.notification.domain.applicant_emails import ConfirmReminderEmail, ReceivedEmail
from services.notification.domain.commands import StartSending
from services.notification.domain.emails import parse_parameters
from services.notification.domain.state import State
from services.notification.email_rendering import EmailContent, InvalidEmail, render
from shared.contracts.lifecycle import Status
from shared.contracts.notification import ReminderFellDue
from shared.runtime.decider_runner import DeciderRunner
from shared.storage.port import StateRecord
from tests.support.domain import request_events as tale
from tests.support.domain.given_when_then import NOON, REQUEST, given, make_event

LEDGER = decider()
RUNNER = DeciderRunner(LEDGER)
OTHER_VERSIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "unknown kind": (
        "survey",
        {"url": "https://simpul.example/é", "scale": [1, 5, None], "more": {"b": 1.5, "a": True}},
    ),
    "unknown parameter": ("received", {"round": 1, "channel": "loket"}),
    "missing parameter": ("rejected", {}),
    "parameter of another type": ("received", {"round": "satu"}),
    "unknown parameter of an item": (
        "returned",
        {"items": [{"item": "letter", "note": "", "page": 2}], "respond_by": "2026-12-07"},
    ),
}

other_versions = pytest.mark.parametrize(("kind", "values"), OTHER_VERSIONS.values(), ids=OTHER_VERSIONS)


def stored_body(state: State) -> bytes:
    """The body of the record that is saved for the state."""
    working_copy = RUNNER.open(REQUEST, None)
    working_copy.state = state
    return RUNNER.close(working_copy).record.body


def loaded_state(body: bytes) -> State:
    """The state of a stored body, decoded by a runner that has not cached it."""
    return DeciderRunner(LEDGER).state(StateRecord(REQUEST, 1, body))


def body_with(collection: str, state: State, kind: str, values: dict[str, Any]) -> bytes:
    """The body of the state, with this kind and these values in the first message or reminder."""
    body = json.loads(stored_body(state))
    body[collection][0] |= {"kind": kind, "values": values}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


@other_versions
@pytest.mark.parametrize("collection", ["messages", "reminders"])
def test_emails_of_another_version_are_stored_unchanged(collection, kind, values):
    body = body_with(collection, given(LEDGER, *tale.PATHS[Status.ON_HOLD]), kind, values)
    assert stored_body(loaded_state(body)) == body


@other_versions
def test_an_email_of_another_version_is_claimed_with_the_others(kind, values):
    state = loaded_state(body_with("messages", given(LEDGER, tale.submitted), kind, values))
    claimed = LEDGER.record(state, StartSending("claim"), NOON)
    assert [message.status for message in claimed.messages] == ["sending", "sending"]


@other_versions
def test_an_email_of_another_version_cannot_be_rendered(kind, values):
    content = EmailContent(
        parse_parameters(kind, values), "Rahmat", "INT-2026-000148", "data", "https://simpul.example/"
    )
    with pytest.raises(InvalidEmail, match=kind):
        render(content)


@other_versions
def test_a_reminder_of_another_version_queues_an_email_of_its_kind(kind, values):
    state = loaded_state(body_with("reminders", given(LEDGER, *tale.PATHS[Status.ON_HOLD]), kind, values))
    due = LEDGER.evolve(state, make_event(ReminderFellDue(reminder=state.reminders[0].id), 9, NOON + timedelta(days=9)))
    assert (due.messages[-1].kind, due.messages[-1].to) == (kind, "applicant")
    assert json.loads(stored_body(due))["messages"][-1]["values"] == values


def test_known_parameters_are_parsed():
    assert parse_parameters("received", {"round": 2}) == ReceivedEmail(2)
    assert parse_parameters("reminder_confirm", {"confirm_by": "2026-12-07"}) == ConfirmReminderEmail(date(2026, 12, 7))


def test_parsed_parameters_stay_as_they_are():
    for parameters in (ReceivedEmail(2), parse_parameters("survey", {"scale": 5})):
        assert parse_parameters(parameters.kind, parameters) is parameters
