"""The satisfaction survey by Permenpan RB 14/2017, against values computed by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from services.assignment.oversight.satisfaction import SurveySums, band_of


def test_the_example_of_the_office_gives_80_56_and_b():
    sums = SurveySums().add(1, (3, 3, 3, 4, 3, 3, 4, 3, 3))
    assert (sums.n, sums.ikm, sums.band) == (1, Decimal("80.56"), "B")
    assert [sums.mean(index) for index in range(9)] == [Decimal(score) for score in (3, 3, 3, 4, 3, 3, 4, 3, 3)]


def test_means_weigh_each_answer_and_the_index_each_element_alike():
    # U1 is (3 + 3 + 4) / 3 = 3.33, all others 3 or 4; the sum of the means is 3.3333 + 8 x 3 = 27.3333.
    sums = SurveySums()
    for first in (3, 3, 4):
        sums = sums.add(1, (first, *[3] * 8))
    assert (sums.mean(0), sums.mean(1)) == (Decimal("3.33"), Decimal("3.00"))
    assert sums.ikm == Decimal("75.93")  # 27.3333 / 9 x 25 = 75.9259
    assert sums.band == "C"
    assert (sums.element_band(0), sums.element_band(1)) == ("B", "C")  # 83.33 and 75.00


def test_without_answers_there_is_no_index():
    assert (SurveySums().ikm, SurveySums().band, SurveySums().mean(0)) == (None, None, None)


@pytest.mark.parametrize(
    ("index", "band"),
    [
        ("100.00", "A"),
        ("88.31", "A"),
        ("88.30", "B"),
        ("76.61", "B"),
        ("76.60", "C"),
        ("65.00", "C"),
        ("64.99", "D"),
        ("25.00", "D"),
    ],
)
def test_each_band_begins_where_the_regulation_says(index: str, band: str):
    assert band_of(Decimal(index)) == band
