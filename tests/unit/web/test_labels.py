"""Labels of the actors of events."""

from __future__ import annotations

import pytest

from shared.contracts.registry import FACTS
from shared.web.views.labels import APPLICANT_EVENTS, EVENT_ROLES, actor_label

AUTOMATIC_EVENTS = {
    *("RequestExpired", "TrackingLinkRequested"),
    *("SendingStarted", "SendingEnded", "ReminderFellDue", "RemindersDropped"),
}
"""Events that the system causes, or a person who need not be the applicant."""
EVENTS_OF_SEVERAL_ROLES = {"WorkNoteAdded"}


def test_every_event_has_an_actor():
    named_by_staff = {fact.type() for fact in FACTS if "by" in fact.model_fields}
    assert named_by_staff == EVENT_ROLES.keys() | EVENTS_OF_SEVERAL_ROLES
    assert {fact.type() for fact in FACTS} - named_by_staff == APPLICANT_EVENTS | AUTOMATIC_EVENTS


@pytest.mark.parametrize(
    ("event", "by", "label"),
    [
        ("RequestVerified", "Samsul Bahri", "Samsul Bahri, Petugas Layanan TI"),
        ("RequestRejected", "Hasan Basri", "Hasan Basri, Penanggung Jawab Struktural"),
        ("WorkStarted", "Dewi Lestari", "Dewi Lestari, Penanggung Jawab Teknis"),
        ("ResendRequested", "Ahli Sistem", "Ahli Sistem, Administrator"),
        ("LeadReassigned", "Ahli Sistem (Administrator)", "Ahli Sistem (Administrator)"),
        ("WorkNoteAdded", "Dewi Lestari", "Dewi Lestari"),
        ("RequestSubmitted", "", "Pemohon"),
        ("RequestExpired", "", "Sistem"),
    ],
)
def test_an_actor_is_named_with_the_role_the_applicant_or_the_system(event: str, by: str, label: str):
    assert actor_label(event, by) == label


def test_a_handover_that_nobody_contested_is_confirmed_by_the_system():
    assert actor_label("HandoverConfirmed", "") == "Pemohon"
    assert actor_label("HandoverConfirmed", "", automatic=True) == "Sistem"
