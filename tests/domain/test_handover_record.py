"""The handover record says what was handed over, in the same bytes however often it is asked for."""

import hashlib
from dataclasses import replace
from datetime import date

import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.assignment.handover import (
    HandedDocument,
    HandoverRecord,
    Party,
    day_in_words,
    handover_record,
    in_words,
)
from services.assignment.paper import dark_runs, printable, width_of, wrapped


def handed(count: int, name: str = "Laporan Integrasi") -> tuple[HandedDocument, ...]:
    return tuple(
        HandedDocument(f"{name} {n}.pdf", 123_456 * n, hashlib.sha256(bytes([n])).hexdigest())
        for n in range(1, count + 1)
    )


RECORD = HandoverRecord(
    number="BAST/INT-2026-000001/1",
    request_number="INT-2026-000001",
    scope="Integrasi Aplikasi",
    letter_number="555/123/2026",
    letter_date=date(2026, 4, 1),
    handed_over_on=date(2026, 4, 13),
    first=Party(
        "Rahmat Contoh, S.Kom.", "19850214 201001 1 001", "Pranata Komputer", "Dinas Komunikasi dan Informatika"
    ),
    second=Party("Siti Contoh", "19900101 202421 2 015", "Kepala Subbagian Data", "Dinas Kesehatan"),
    documents=handed(3),
    verification_url="https://layanan.example/serah-terima/INT-2026-000001?kode=abcdefghijklmnop",
)


def pages(record: HandoverRecord) -> list[str]:
    document = pypdfium2.PdfDocument(handover_record(record))
    return [" ".join(page.get_textpage().get_text_bounded().split()) for page in document]


def test_a_record_names_both_parties_and_every_document():
    text = " ".join(pages(RECORD))
    for party in (RECORD.first, RECORD.second):
        for value in (party.name, party.number, party.position, party.unit):
            assert value in text
    for document in RECORD.documents:
        assert document.name in text
        assert document.sha256[:32] in text
        assert document.sha256[32:] in text
    assert "Mengetahui, Kepala Dinas Komunikasi dan Informatika," in text


def test_the_day_is_told_in_words_and_figures():
    assert "Senin tanggal tiga belas bulan April tahun dua ribu dua puluh enam (13-04-2026)" in pages(RECORD)[0]
    assert day_in_words(date(2027, 1, 1)).startswith("Jumat tanggal satu bulan Januari")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "nol"),
        (10, "sepuluh"),
        (11, "sebelas"),
        (12, "dua belas"),
        (19, "sembilan belas"),
        (20, "dua puluh"),
        (31, "tiga puluh satu"),
        (100, "seratus"),
        (111, "seratus sebelas"),
        (1000, "seribu"),
        (1999, "seribu sembilan ratus sembilan puluh sembilan"),
        (2026, "dua ribu dua puluh enam"),
    ],
)
def test_numbers_are_spelt_as_people_say_them(number: int, words: str):
    assert in_words(number) == words


def test_the_same_facts_give_the_same_bytes():
    assert handover_record(RECORD) == handover_record(replace(RECORD))
    assert handover_record(RECORD) != handover_record(replace(RECORD, verification_url="https://layanan.example/lain"))


def test_a_record_is_dated_by_its_day_not_by_the_clock():
    assert b"/CreationDate (D:20260413000000Z" in handover_record(RECORD)


def test_a_usual_record_is_one_page():
    assert len(pages(RECORD)) == 1


def test_a_long_table_goes_on_under_the_same_headings():
    record = replace(RECORD, documents=handed(20, "Laporan panjang tentang integrasi sistem " * 3))
    text = pages(record)
    assert len(text) >= 2
    assert all("SHA-256" in page for page in text[:2])
    assert all(f"Halaman {n} dari {len(text)}" in page for n, page in enumerate(text, start=1))
    assert all(document.sha256[:32] in " ".join(text) for document in record.documents)


def test_an_open_number_or_head_leaves_room_to_write():
    assert "...." in pages(RECORD)[-1]
    assert "NIP : -" in pages(replace(RECORD, first=replace(RECORD.first, number="")))[0]


@given(some.text(max_size=80))
def test_any_name_can_be_printed(name: str):
    party = replace(RECORD.second, name=name)
    record = replace(RECORD, second=party, documents=(HandedDocument(name, 0, "0" * 64),), summary=name)
    assert handover_record(record).startswith(b"%PDF-")


def test_letters_that_the_fonts_lack_lose_their_marks():
    assert printable("Łukasz Ćosić — “Đặng”\u202e") == 'Lukasz Cosic - "Dang"'
    assert printable("Pétition") == "Pétition"
    assert printable("日本") == "??"


@given(some.text("ab é日", max_size=200), some.floats(8, 60))
def test_wrapped_lines_keep_within_the_width(text: str, width: float):
    lines = wrapped(text, width)
    assert all(width_of(line, False, 11) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(printable(text).split())


def test_dark_modules_side_by_side_are_one_rectangle():
    assert list(dark_runs(bytes([1, 1, 0, 0, 1, 0, 1, 1, 1]))) == [(0, 2), (4, 1), (6, 3)]
    assert list(dark_runs(bytes(4))) == []
