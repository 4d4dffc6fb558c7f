"""Nomor Pegawai: normalization, refusals and warnings."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, strategies

from services.intake.domain.employee_number import employee_number_warnings, normalize_employee_number
from shared.runtime.decider import Refusal
from shared.web.views.employee_number import group_digits, mask_employee_number
from shared.web.views.labels import WARNING_MESSAGES

TODAY = date(2026, 11, 23)


def refusal_of(written: str) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        normalize_employee_number(written)
    return refusal.value


@pytest.mark.parametrize(
    "written",
    [
        "198502142010011001",
        "19850214 201001 1 001",
        " 19850214.201001.1.001 ",
        "19850214-201001-1-001",
        "19850214\u00a0201001\u20131\u2011001\n",
        "\ufeff198502142010011001\u202e",
        "NIP. '19850214\u2212201001\u22121\u2212001",
    ],
)
def test_separators_between_digits_are_ignored(written: str):
    assert normalize_employee_number(written) == "198502142010011001"


@pytest.mark.parametrize("number", ["198502142010011001", "199001012024212015", "198808172025241002"])
def test_numbers_of_pns_and_pppk_pass_without_a_warning(number: str):
    assert employee_number_warnings(normalize_employee_number(number), TODAY) == ()


@pytest.mark.parametrize(
    ("number", "codes"),
    [
        ("198502302010011001", ("birth_date",)),
        ("198513142010011001", ("birth_date",)),
        ("000002142010011001", ("birth_date", "age_at_appointment")),
        ("198502142010131001", ("month_or_contract",)),
        ("198502142010001001", ("month_or_contract",)),
        ("198502142010201001", ("month_or_contract",)),
        ("198502142010301001", ("month_or_contract",)),
        ("198502142010013001", ("sex",)),
        ("198502142010010001", ("sex",)),
        ("198502142010011000", ("serial",)),
        ("198502142027011001", ("appointment_year",)),
        ("198502142000011001", ("age_at_appointment",)),
        ("195002142011011001", ("age_at_appointment",)),
        ("198502302010133000", ("birth_date", "month_or_contract", "sex", "serial")),
    ],
)
def test_implausible_numbers_give_warning_codes(number: str, codes: tuple[str, ...]):
    assert employee_number_warnings(normalize_employee_number(number), TODAY) == codes


@pytest.mark.parametrize(
    "number", ["199002142006011001", "195002142010011001", "198502142010291001", "198502142010211001"]
)
def test_boundary_values_give_no_warning(number: str):
    assert employee_number_warnings(number, TODAY) == ()


def test_a_future_birth_date_gives_a_warning():
    assert "birth_date" in employee_number_warnings("202612242010011001", TODAY)


def test_the_appointment_year_is_compared_with_the_day_of_submission():
    assert employee_number_warnings("198502142027011001", date(2027, 1, 1)) == ()


def test_the_old_nine_digit_number_is_recognized():
    assert refusal_of("131110468").code == "employee_number_old"
    assert refusal_of("131 110 468").code == "employee_number_old"


@pytest.mark.parametrize("length", [1, 8, 10, 17, 19, 5000])
def test_any_other_length_is_refused_with_its_count(length: int):
    refusal = refusal_of("1" * length)
    assert (refusal.code, refusal.params) == ("employee_number_length", {"count": length, "expected": 18})


@pytest.mark.parametrize(
    "written",
    [
        "١٩٨٥٠٢١٤٢٠١٠٠١١٠٠١",
        "१९८५०२१४२०१००११००१",
        "１９８５０２１４２０１００１１００１",  # noqa: RUF001
        "19850214201001100²",
        "19850214201001100O",
        "19850214/201001/1/001",
        "198502142010011001\x00",
    ],
)
def test_only_ascii_digits_are_digits(written: str):
    assert refusal_of(written).code == "employee_number_not_digits"


@pytest.mark.parametrize("written", ["", "   ", ". - ."])
def test_a_blank_number_is_missing(written: str):
    assert refusal_of(written).code == "employee_number_missing"


def test_a_number_is_grouped_for_reading_and_masked_in_lists():
    assert group_digits("198502142010011001") == "19850214 201001 1 001"
    assert mask_employee_number("198502142010011001") == "198502** ****** * ***"


@given(strategies.text(alphabet="0123456789", min_size=18, max_size=18), strategies.dates())
def test_any_18_digits_are_accepted_and_survive_grouping(number: str, day: date):
    assert normalize_employee_number(group_digits(number)) == number
    assert set(employee_number_warnings(number, day)) <= WARNING_MESSAGES.keys()
