"""The sample requests and scenarios of the demo; end-to-end tests run them against the services."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from datetime import date

import pytest

from services.intake.domain.employee_number import employee_number_warnings, normalize_employee_number
from shared.documents.inspection.detection import detect_media_type
from simpul.demo import sample_documents
from simpul.demo.sample_requests import employee_number, sample_request
from simpul.demo.scenarios import FINISHED_SCENARIOS, OPEN_SCENARIOS, SCENARIOS, scenario_for

DAY = date(2026, 11, 24)
MAKERS = (
    sample_documents.letter,
    sample_documents.interface_description,
    sample_documents.data_dictionary,
    sample_documents.diagram,
    sample_documents.result_report,
)


@pytest.mark.parametrize("make", MAKERS)
def test_a_document_has_the_media_type_that_it_declares(make):
    upload = make(sample_request(7, 1, DAY))
    assert detect_media_type(upload.name, io.BytesIO(upload.content)) == upload.media_type


@pytest.mark.parametrize("make", MAKERS)
def test_the_same_seed_makes_the_same_document(make):
    assert make(sample_request(7, 1, DAY)) == make(sample_request(7, 1, DAY))
    assert make(sample_request(7, 1, DAY)) != make(sample_request(8, 1, DAY))


def test_a_docx_contains_no_timestamps():
    with zipfile.ZipFile(io.BytesIO(sample_documents.data_dictionary(sample_request(7, 1, DAY)).content)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_same_seed_makes_the_same_forms():
    assert [sample_request(7, n, DAY).form for n in range(20)] == [sample_request(7, n, DAY).form for n in range(20)]


def test_no_letter_is_dated_in_the_future():
    assert all(date.fromisoformat(sample_request(7, n, DAY).form["letter_date"]) <= DAY for n in range(200))


def test_a_usual_employee_number_causes_no_warning():
    numbers = [employee_number(sample_request(7, n, DAY).rng) for n in range(300)]
    assert {employee_number_warnings(normalize_employee_number(number), DAY) for number in numbers} == {()}


def test_every_unusual_employee_number_causes_a_warning_and_none_is_refused():
    numbers = [employee_number(sample_request(7, n, DAY).rng, unusual=True) for n in range(300)]
    codes = {code for number in numbers for code in employee_number_warnings(normalize_employee_number(number), DAY)}
    assert all(employee_number_warnings(normalize_employee_number(number), DAY) for number in numbers)
    assert {"birth_date", "month_or_contract", "sex", "serial", "age_at_appointment"} <= codes


def test_twelve_requests_play_every_scenario():
    assert {scenario_for(number).name for number in range(12)} == {scenario.name for scenario in SCENARIOS}


def test_requests_are_left_open_in_every_status():
    left = Counter(
        scenario.final_status
        for scenario in map(scenario_for, range(3 * len(OPEN_SCENARIOS)))
        if scenario.name == "left_open"
    )
    assert left == Counter(scenario.final_status for scenario in OPEN_SCENARIOS)


def test_completion_is_the_most_frequent_scenario():
    assert Counter(scenario.name for scenario in FINISHED_SCENARIOS).most_common(1)[0][0] == "completed"
