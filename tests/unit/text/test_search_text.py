"""Search compares folded text, so that names are found however they are typed or pasted."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.assignment.projections import requests_query as assignments_query
from services.assignment.projections import work_list_query
from services.verification.projections import requests_query
from shared.text.folding import fold_text
from shared.text.search import (
    MAX_QUERY_LENGTH,
    MAX_TEXT_LENGTH,
    MAX_WORDS,
    build_search_text,
    normalize_query,
    request_search_text,
)
from tests.support.domain.request_events import APPLICANT, DEWI, SUBMIT

APOSTROPHES = "'\u2019\u2018\u02bb\u02bc`\u00b4\u2032"


@pytest.mark.parametrize("apostrophe", APOSTROPHES)
def test_apostrophes_make_no_difference(apostrophe: str):
    assert fold_text(f"Jum{apostrophe}at") == fold_text("Jumat") == "jumat"


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("Zahr\u0101", "zahra"),
        ("Zahra\u0304", "ZAHR\u0100"),
        ("Andr\u00e9", "andre"),
        ("Andr\u00e9", unicodedata.normalize("NFD", "Andr\u00e9")),
        ("\u0110\u1eb7ng \u0141ukasz \u00d8rsted", "dang lukasz orsted"),
        ("Stra\u00dfe", "STRASSE"),
        ("INT-2026-000001", "int\u20112026\u2011000001"),
        ("az\u2010Zahra", "az-zahra"),
        ("500\u201312/A", "500-12/a"),
        ("Di\u00adnas\u00a0Perhubungan\u200b", "dinas perhubungan"),
        ("\uff32\uff41\uff48\uff4d\uff41\uff54", "rahmat"),
        ("\ufb01tur", "fitur"),
    ],
)
def test_accents_case_width_hyphens_and_invisible_marks_make_no_difference(written: str, asked: str):
    assert normalize_query(asked) == fold_text(written)


def test_a_request_is_searched_by_seven_fields():
    text = request_search_text("INT-2026-000001", APPLICANT, SUBMIT.letter, "Data trayek\ndihubungkan.", DEWI)
    found = [text, APPLICANT.name, APPLICANT.unit, APPLICANT.email, SUBMIT.letter.number, "Trayek", DEWI.name]
    assert all(fold_text(one) in text for one in ["INT-2026-000001", *found])


def test_a_long_description_is_cut_off_and_the_number_is_kept():
    text = build_search_text("INT-2026-000001", "\ufdfa" * 5000)
    assert len(text) == MAX_TEXT_LENGTH
    assert text.startswith("int-2026-000001 ")


def test_a_query_is_bounded_and_has_each_word_once():
    assert normalize_query("a b a") == "a b"
    assert len(normalize_query(" ".join(map(str, range(500)))).split()) <= MAX_WORDS
    assert len(normalize_query("x" * 10_000)) == MAX_QUERY_LENGTH


def test_a_query_of_marks_finds_nothing_and_a_blank_query_is_empty():
    assert normalize_query(" \u2019 ") == "\u2019"
    assert normalize_query("  ") == ""


def test_every_list_normalizes_its_query():
    for find in (
        requests_query(search="JUM\u02bbAT"),
        assignments_query(search="JUM\u02bbAT"),
        work_list_query("dewi", search="JUM`AT"),
    ):
        assert find.search == "jumat"


@given(some.text(max_size=80))
def test_folding_is_idempotent(text: str):
    assert fold_text(fold_text(text)) == fold_text(text)


@given(some.text(max_size=80))
def test_composed_and_decomposed_text_fold_to_the_same(text: str):
    assert fold_text(unicodedata.normalize("NFC", text)) == fold_text(unicodedata.normalize("NFD", text))
