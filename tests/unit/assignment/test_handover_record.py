"""The content and rendering of the handover record."""

import hashlib
from dataclasses import replace
from datetime import date

import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from services.assignment.handover_record.pdf_fonts import FONT_FILES, printable, width_of
from services.assignment.handover_record.pdf_layout import dark_runs, wrap_lines
from services.assignment.handover_record.record import (
    HandoverDocument,
    HandoverRecord,
    Party,
    day_in_words,
    handover_record,
    in_words,
)
from shared.web.views.employee_number import number_kind


def handed(count: int, name: str = "Laporan Integrasi") -> tuple[HandoverDocument, ...]:
    return tuple(
        HandoverDocument(f"{name} {n}.pdf", 123_456 * n, hashlib.sha256(bytes([n])).hexdigest())
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


def test_the_date_is_in_words_and_figures():
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
def test_numbers_are_spelt_in_words(number: int, words: str):
    assert in_words(number) == words


def test_equal_content_gives_equal_bytes():
    assert handover_record(RECORD) == handover_record(replace(RECORD))
    assert handover_record(RECORD) != handover_record(replace(RECORD, verification_url="https://layanan.example/lain"))


def test_a_record_is_dated_by_its_day_not_by_the_clock():
    assert b"/CreationDate (D:20260413000000Z" in handover_record(RECORD)


def test_a_usual_record_is_one_page():
    assert len(pages(RECORD)) == 1


def test_a_long_table_repeats_its_headings():
    record = replace(RECORD, documents=handed(20, "Laporan panjang tentang integrasi sistem " * 3))
    text = pages(record)
    assert len(text) >= 2
    assert all("SHA-256" in page for page in text[:2])
    assert all(f"Halaman {n} dari {len(text)}" in page for n, page in enumerate(text, start=1))
    assert all(document.sha256[:32] in " ".join(text) for document in record.documents)


def test_a_missing_number_or_head_leaves_space_to_fill_in():
    assert "...." in pages(RECORD)[-1]
    assert "NIP : -" in pages(replace(RECORD, first=replace(RECORD.first, number="")))[0]


@settings(max_examples=settings().max_examples // 2)
@given(some.text(max_size=80))
def test_any_name_can_be_printed(name: str):
    party = replace(RECORD.second, name=name)
    record = replace(RECORD, second=party, documents=(HandoverDocument(name, 0, "0" * 64),), summary=name)
    assert handover_record(record).startswith(b"%PDF-")


NAME = "Jum\u02bbat az-Zahr\u0101\u02bc"
SUMMARY = "Baris satu.\n\u2022 butir a\n\u2022 butir b \u2192 c \u2265 5 \u20ac"


def lines_of(record: HandoverRecord) -> list[str]:
    """Return the text of the record, line by line."""
    document = pypdfium2.PdfDocument(handover_record(record))
    return [line.strip() for page in document for line in page.get_textpage().get_text_bounded().splitlines()]


def test_a_name_is_printed_as_it_was_typed_at_the_head_and_under_the_signature():
    lines = lines_of(replace(RECORD, second=replace(RECORD.second, name=NAME)))
    assert f"2. Nama : {NAME}" in lines
    assert NAME in lines


def test_a_summary_keeps_its_lines_bullets_arrows_and_signs():
    lines = lines_of(replace(RECORD, summary=SUMMARY))
    start = lines.index("Keterangan: Baris satu.")
    assert lines[start : start + 3] == ["Keterangan: Baris satu.", *SUMMARY.split("\n")[1:]]


def test_a_long_line_in_our_own_font_is_copied_with_its_spaces():
    words = "kata panjang Zahr\u0101 terbungkus ke baris berikutnya " * 6
    text = " ".join(lines_of(replace(RECORD, summary=words)))
    assert words.strip() in text


def test_many_empty_lines_are_one():
    assert len(pages(replace(RECORD, summary="satu" + "\n" * 3000 + "dua"))) == len(
        pages(replace(RECORD, summary="a\n\nb"))
    )


@pytest.mark.parametrize(
    "text",
    [
        "\u0110\u1eb7ng \u0141ukasz \u01a0\u01b0 \u1e25\u1e63\u1e6d",
        "\u2018\u2019\u201c\u201d\u2013\u2014\u2026\u2022\u2020\u2030\u2122\u0152\u0161\u017e",
        "\u2190\u2191\u2192\u2193\u2194 \u2264\u2265\u2260\u2248\u221e\u2211\u221a",
        "\u20ac\u00a3\u00a5\u20b1\u20ab\u20a6",
        "\u02bb\u02bc\u02bd\u02be\u02bf \u25aa\u25cf\u25e6\u25a1",
    ],
)
def test_letters_signs_arrows_and_currencies_are_printed_and_copied_as_they_are(text: str):
    assert printable(text) == text
    assert text in " ".join(lines_of(replace(RECORD, summary=text)))


def test_characters_without_a_glyph_are_replaced_by_letters_or_code_points():
    assert printable("\u65e5\u672c") == "[U+65E5][U+672C]"
    assert printable("\U0001f468\u200d\U0001f469 \u2764\ufe0f") == "[U+1F468][U+1F469] [U+2764]"
    assert printable("\U0001d400\uff21 \u2713 \uf0b7 a\u2011b \u202ex") == "AA \u221a \u2022 a-b x"
    assert printable("5 \u20bd") == "5 RUB"
    assert "?" not in " ".join(lines_of(replace(RECORD, summary="\U0001fae8 \u65e5 \ue000 \U000fffff")))


@given(some.characters(exclude_characters="?\u037e\ufe16\ufe56\uff1f\u2047\u2048\u2049"))
def test_no_character_becomes_a_question_mark(character: str):
    assert "?" not in printable(character)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("19850214 201001 1 001", "NIP"),
        ("19900101 202421 2 015", "NI PPPK"),
        ("19880817 202529 2 41", "NIP"),
        ("198808172025291001", "NI PPPK"),
        ("198808172025201001", "NIP"),
        ("198808172025121001", "NIP"),
        ("", "NIP"),
    ],
)
def test_an_employee_number_has_the_label_of_its_kind(number: str, kind: str):
    assert number_kind(number) == kind


def test_both_parties_numbers_have_the_label_of_their_kind():
    lines = lines_of(RECORD)
    assert "NIP : 19850214 201001 1 001" in lines
    assert "NI PPPK : 19900101 202421 2 015" in lines
    assert "NI PPPK 19900101 202421 2 015" in lines


def test_fonts_are_embedded_only_when_needed_and_as_subsets():
    assert b"FontFile2" not in handover_record(RECORD)
    odd = handover_record(replace(RECORD, summary=SUMMARY))
    assert odd.count(b"/FontFile2") == 1
    assert len(odd) < len(handover_record(RECORD)) + 30_000
    assert odd == handover_record(replace(RECORD, summary=SUMMARY))


def test_the_fonts_are_small_and_come_with_their_licence():
    for file in FONT_FILES.values():
        assert file.stat().st_size < 150_000
    assert "SIL OPEN FONT LICENSE Version 1.1" in (FONT_FILES[False].parent / "OFL.txt").read_text()


@given(some.text("ab é日ā→", max_size=200), some.floats(8, 60))
def test_wrapped_lines_keep_within_the_width(text: str, width: float):
    lines = wrap_lines(text, width)
    assert all(width_of(line, False, 11) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(printable(text).split())


def test_dark_modules_side_by_side_are_one_rectangle():
    assert list(dark_runs(bytes([1, 1, 0, 0, 1, 0, 1, 1, 1]))) == [(0, 2), (4, 1), (6, 3)]
    assert list(dark_runs(bytes(4))) == []
