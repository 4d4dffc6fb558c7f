"""Working days around the holidays of 2026 and 2027, with and without overrides."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.calendar import WorkingCalendar, end_of_day, official_calendar, parse_overrides, today

calendar = official_calendar()
plain = WorkingCalendar({})
days = st.dates(date(2026, 1, 1), date(2027, 12, 31))


def days_off(year: int) -> dict[date, str]:
    first = date(year, 1, 1)
    every_day = (first + timedelta(days=n) for n in range(366))
    return {day: name for day in every_day if day.year == year and (name := calendar.holiday(day))}


@pytest.mark.parametrize(("year", "public", "shared_leave"), [(2026, 17, 8), (2027, 18, 8)])
def test_a_year_has_its_holidays_and_its_cuti_bersama(year: int, public: int, shared_leave: int):
    names = list(days_off(year).values())
    leave = [name for name in names if name.startswith("Cuti Bersama")]
    assert (len(names) - len(leave), len(leave)) == (public, shared_leave)


def test_a_year_without_a_decree_still_has_its_holidays():
    assert calendar.holiday(date(2030, 8, 17)) == "Hari Kemerdekaan Republik Indonesia"


def test_one_working_day_after_a_friday_is_the_monday():
    assert calendar.add_working_days(date(2026, 7, 10), 1) == date(2026, 7, 13)
    assert calendar.add_working_days(date(2026, 7, 11), 1) == date(2026, 7, 13)


def test_no_working_days_leave_the_day_as_it_is():
    assert calendar.add_working_days(date(2026, 7, 11), 0) == date(2026, 7, 11)


def test_working_days_are_not_counted_backward():
    with pytest.raises(ValueError, match="forward"):
        calendar.add_working_days(date(2026, 7, 10), -1)


def test_nyepi_and_idul_fitri_of_2026_with_their_cuti_bersama_are_one_long_break():
    assert calendar.add_working_days(date(2026, 3, 17), 1) == date(2026, 3, 25)
    assert calendar.working_days_between(date(2026, 3, 17), date(2026, 3, 25)) == 1


def test_the_turn_of_the_year_is_crossed():
    assert calendar.add_working_days(date(2026, 12, 23), 4) == date(2026, 12, 31)
    assert calendar.add_working_days(date(2026, 12, 23), 5) == date(2027, 1, 4)


def test_days_between_are_negative_when_the_end_comes_first():
    assert plain.working_days_between(date(2026, 7, 13), date(2026, 7, 10)) == -1


@given(days, st.integers(0, 60))
def test_days_between_undoes_adding_days(day: date, count: int):
    assert calendar.working_days_between(day, calendar.add_working_days(day, count)) == count


@given(days, st.integers(1, 60))
def test_adding_days_always_ends_on_a_working_day(day: date, count: int):
    assert calendar.is_working_day(calendar.add_working_days(day, count))


def test_a_decree_adds_a_day_off():
    decreed = official_calendar({date(2026, 7, 13): "Cuti Bersama Daerah"})
    assert decreed.holiday(date(2026, 7, 13)) == "Cuti Bersama Daerah"
    assert decreed.add_working_days(date(2026, 7, 10), 1) == date(2026, 7, 14)


def test_a_decree_drops_a_day_off():
    decreed = official_calendar({date(2026, 12, 24): None})
    assert not calendar.is_working_day(date(2026, 12, 24))
    assert decreed.is_working_day(date(2026, 12, 24))


def test_a_dropped_holiday_on_a_saturday_makes_no_working_day():
    assert not official_calendar({date(2026, 3, 21): None}).is_working_day(date(2026, 3, 21))


def test_the_override_table_is_read_from_json():
    table = parse_overrides('{"2028-04-24": "Cuti Bersama Idulfitri", "2028-12-26": null}')
    assert table == {date(2028, 4, 24): "Cuti Bersama Idulfitri", date(2028, 12, 26): None}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[]", "object"),
        ('{"24 April": "x"}', "24 April"),
        ('{"2028-04-24": ""}', "name"),
        ('{"2028-04-24": 1}', "name"),
    ],
)
def test_a_wrong_override_table_is_refused_with_the_offending_key(text: str, says: str):
    with pytest.raises(ValueError, match=says):
        parse_overrides(text)


def test_the_day_begins_at_midnight_in_halmahera_timur():
    assert today(datetime(2026, 7, 10, 14, 59, tzinfo=UTC)) == date(2026, 7, 10)
    assert today(datetime(2026, 7, 10, 15, 0, tzinfo=UTC)) == date(2026, 7, 11)


def test_a_moment_without_a_time_zone_has_no_date():
    with pytest.raises(ValueError, match="time zone"):
        today(datetime(2026, 7, 10, 14, 59))  # noqa: DTZ001


@given(days)
def test_a_day_ends_as_the_next_one_begins(day: date):
    assert today(end_of_day(day)) == day
    assert today(end_of_day(day) + timedelta(microseconds=1)) == day + timedelta(days=1)
