"""What an applicant can see of a request."""

from __future__ import annotations

from datetime import date

from pydantic import TypeAdapter

from services.intake import presenters
from services.intake.domain.state import State
from tests.support.domain.given_when_then import NOON, given
from tests.support.domain.request_events import (
    ASSIGNED,
    COMPLETED,
    DELIVERED,
    IN_PROGRESS,
    INTAKE,
    ON_HOLD,
    PATHS,
    answered,
    completed,
    confirmed,
    resubmitted,
    resumed,
    returned,
    submitted,
    surveyed,
)


def test_the_state_survives_serialization():
    adapter = TypeAdapter(State)
    for path in PATHS.values():
        state = given(INTAKE, *path)
        assert adapter.validate_json(adapter.dump_json(state)) == state


def test_a_returned_request_shows_open_items_and_their_deadline():
    seen = presenters.present_request(given(INTAKE, submitted, returned), NOON.date())
    assert (seen["status"], seen["status_label"], seen["round"]) == ("returned", "Perlu Dilengkapi", 1)
    assert seen["open_items"] == [
        {"item": "letter", "label": "Surat permohonan perlu diperbaiki", "note": "letter: mohon dilengkapi."}
    ]
    assert seen["deadlines"] == {"respond_by": date(2026, 12, 7)}
    assert seen["employee_number"] == "198502** ****** * ***"
    assert seen["warnings"][0]["code"] == "birth_date"


def test_open_items_close_with_the_resubmission():
    assert presenters.open_items(given(INTAKE, submitted, returned, resubmitted)) == []


def test_the_timeline_names_actors_with_their_roles():
    state = given(INTAKE, *IN_PROGRESS, completed, confirmed.model_copy(update={"automatic": True}))
    lines = [(line["label"], line["by"]) for line in presenters.present_request(state, NOON.date())["timeline"]]
    assert lines == [
        ("Permohonan diajukan", "Pemohon"),
        ("Dinyatakan lengkap", "Nurlaila Ibarat, Petugas Layanan TI"),
        ("Penanggung jawab teknis ditunjuk", "Hasan Umpama, Penanggung Jawab Struktural"),
        ("Pekerjaan dimulai", "Dewi Andaian, Penanggung Jawab Teknis"),
        ("Dokumen hasil diserahkan", "Dewi Andaian, Penanggung Jawab Teknis"),
        ("Serah terima dikonfirmasi", "Sistem"),
    ]


def test_a_note_to_the_lead_is_not_shown_to_the_applicant():
    assert "didahulukan" not in str(presenters.present_request(given(INTAKE, *ASSIGNED), NOON.date()))


def test_a_question_is_shown_until_it_is_answered():
    seen = presenters.present_request(given(INTAKE, *ON_HOLD), NOON.date())
    assert (seen["question"], seen["deadlines"]) == ("Alamat server uji?", {"answer_by": date(2026, 11, 30)})
    assert presenters.present_request(given(INTAKE, *ON_HOLD, answered), NOON.date())["question"] is None


def test_work_is_overdue_after_its_target_date_but_not_on_hold():
    after = date(2026, 12, 15)
    assert not presenters.is_overdue(given(INTAKE, *IN_PROGRESS), date(2026, 12, 14))
    assert presenters.is_overdue(given(INTAKE, *IN_PROGRESS), after)
    assert not presenters.is_overdue(given(INTAKE, *ON_HOLD), after)
    assert not presenters.is_overdue(given(INTAKE, *ON_HOLD, answered, resumed), after)
    assert not presenters.is_overdue(given(INTAKE, *DELIVERED), after)


def test_results_are_listed_without_their_storage_keys():
    seen = presenters.present_request(given(INTAKE, *DELIVERED), NOON.date())
    assert [document["kind"] for document in seen["documents"]][-2:] == ["result", "handover_record"]
    assert seen["record_number"] == "BAST/1/2026"
    assert "2026/laporan" not in str(seen)


def test_the_survey_is_offered_until_it_is_answered_or_closed():
    assert presenters.is_survey_open(given(INTAKE, *COMPLETED), date(2026, 12, 7))
    assert not presenters.is_survey_open(given(INTAKE, *COMPLETED), date(2026, 12, 8))
    assert not presenters.is_survey_open(given(INTAKE, *COMPLETED, surveyed), date(2026, 12, 7))
