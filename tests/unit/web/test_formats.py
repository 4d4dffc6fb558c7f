"""Formats of names and times."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.web.views.formats import format_initials, format_machine_time


@pytest.mark.parametrize(
    ("name", "initials"),
    [
        ("Nurlaila Ibarat", "NI"),
        ("Ronal Misal, S.T.", "RM"),
        ("Marlina Sri Kiranya, S.Sos.", "MK"),
        ("hasan", "H"),
        ("(Plt.) Siti Umpama", "SU"),
        ("", ""),
    ],
)
def test_initials_are_of_the_first_and_last_name_without_degrees(name: str, initials: str) -> None:
    assert format_initials(name) == initials


def test_a_machine_time_has_no_fraction_of_a_second() -> None:
    assert format_machine_time(datetime(2026, 11, 27, 17, 58, 50, 164349, UTC)) == "2026-11-28T02:58:50+09:00"
