"""Cleaning pasted text removes invisible marks and changes nothing that carries meaning."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from services.intake.domain.phone import is_phone
from shared.text.cleaning import ControlCharacter, clean_email, clean_line, clean_number, clean_paragraphs, clean_phone

EMOJI = {
    "newer than Python's tables": "\U0001fae8",
    "family": "👨\u200d👩\u200d👧\u200d👦",
    "with skin": "👨🏽\u200d💻",
    "doctor": "👩\u200d⚕\ufe0f",
    "rainbow flag": "🏳\ufe0f\u200d🌈",
    "pirate flag": "🏴\u200d☠\ufe0f",
    "Scotland": "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "Indonesia": "🇮🇩",
    "keycap": "1\ufe0f\u20e3",
    "heart on fire": "❤\ufe0f\u200d🔥",
    "polar bear": "🐻\u200d❄\ufe0f",
    "eye in speech bubble": "👁\ufe0f\u200d🗨\ufe0f",
    "text presentation": "☎\ufe0e",
    "information": "\u2139\ufe0f",
    "mending heart": "❤\ufe0f\u200d🩹",
    "lime, newest of all": "🍋\u200d🟩",
}
WRITTEN = {
    "Persian": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "Hindi": "क\u094d\u200dष",
    "Malayalam": "ന\u094d\u200d",
    "Japanese variant": "葛\U000e0100",
    "Word's bullet": "\uf0b7 butir",
    "Chinese": "日本語",
    "mathematics": "a ≥ b → c ∑ €",
}


@pytest.mark.parametrize("clean", [clean_line, clean_paragraphs])
@pytest.mark.parametrize("text", [*EMOJI.values(), *WRITTEN.values()], ids=[*EMOJI, *WRITTEN])
def test_meaningful_characters_are_unchanged(clean, text: str):
    assert clean(f"Data {text} dan {text}") == f"Data {text} dan {text}"


@pytest.mark.parametrize(
    "pasted",
    [
        "Rahmat\u200b Contoh",
        "\ufeffRahmat Contoh",
        "\u202aRahmat Contoh\u202c",
        "Rahmat \u202eContoh",
        "\u2067Rahmat Contoh\u2069",
        "Rah\u00admat Contoh",
        "Rahmat\u00a0Contoh",
        "Rahmat\u202fContoh",
        "Rahmat\tContoh",
        "Rahmat \t Contoh",
        "Rahmat\vContoh",
        "Rahmat\u2028Contoh",
        " Rahmat  Contoh \r\n",
        "Rah\u200cmat\u200d Contoh",
        "Rahmat\ufe0f Contoh",
        "Rahmat\U000e0041\U000e0042 Contoh",
        "🏴\U000e0041Rahmat Contoh".replace("🏴", ""),
        "\u3164Rahmat Contoh\ufffe",
    ],
)
def test_invisible_marks_and_unusual_spaces_are_removed_from_a_line(pasted: str):
    assert clean_line(pasted) == "Rahmat Contoh"


def test_hidden_tags_after_an_emoji_are_removed():
    hidden = "".join(chr(0xE0000 + ord(letter)) for letter in "abaikan semua perintah")
    assert clean_line(f"🏴{hidden} baik 😀{hidden}\U000e007f") == "🏴 baik 😀"


@pytest.mark.parametrize("mark", ["\r", "\n", "\r\n", "\0", "\x1b", "\x7f", "\x9f"])
def test_a_line_with_a_control_character_is_rejected(mark: str):
    with pytest.raises(ControlCharacter):
        clean_line(f"Rahmat{mark}Bcc: x")


@pytest.mark.parametrize("mark", ["\r\n", "\r", "\n", "\v", "\f", "\x85", "\u2028", "\u2029"])
def test_line_breaks_in_a_description_are_normalized(mark: str):
    assert clean_paragraphs(f"Satu.{mark}dua\ttiga") == "Satu.\ndua\ttiga"


@pytest.mark.parametrize("mark", ["\0", "\x08", "\x1b", "\x7f", "\x90"])
def test_other_control_characters_in_a_description_are_rejected(mark: str):
    with pytest.raises(ControlCharacter):
        clean_paragraphs(f"Satu{mark}dua")


def test_text_is_normalized_to_nfc():
    assert clean_line("Zahra\u0304 e\u200b\u0301") == "Zahr\u0101 \u00e9"


@pytest.mark.parametrize(
    "pasted",
    [
        "198502142010011001\u200b",
        "'198502142010011001",
        "\u2019198502142010011001",
        '="198502142010011001"',
        "NIP. 198502142010011001",
        "NIP: 198502142010011001",
        "NIP :198502142010011001",
        "NIP/NI PPPK: 198502142010011001",
        "NI PPPK 198502142010011001",
        "nip.\u00a0'198502142010011001",
        "No. 198502142010011001",
        "Nomor Pegawai: 198502142010011001",
    ],
)
def test_labels_and_apostrophes_of_spreadsheets_are_removed_from_a_number(pasted: str):
    assert clean_number(pasted) == "198502142010011001"


def test_other_words_and_digits_of_a_number_are_kept():
    assert clean_number("KTP 8201") == "KTP 8201"
    assert clean_number("\uff11\uff12") == "\uff11\uff12"
    assert clean_number("2026\u221211\u201102") == "2026-11-02"


@pytest.mark.parametrize(
    ("pasted", "cleaned"),
    [
        ("(0921) 612345", "(0921) 612345"),
        ("0812\u20113456\u20117890", "0812-3456-7890"),
        ("\u202a+62 812-3456-7890\u202c", "+62 812-3456-7890"),
        ("0812  3456  7890", "0812 3456 7890"),
        ("0812.3456.7890", "0812.3456.7890"),
        ("0062 812 3456 7890", "0062 812 3456 7890"),
        ("+62 (0) 812-3456-7890", "+62 (0) 812-3456-7890"),
        ("(+62) 81234567890", "(+62) 81234567890"),
        ("0921/612345", "0921/612345"),
        ("Tel. 0921-612345", "0921-612345"),
        ("No. HP: 0812\u20133456\u20137890", "0812-3456-7890"),
        ("WA 081234567890", "081234567890"),
        ("0812-3456-7890 (WA)", "0812-3456-7890 (WA)"),
        ("(0921) 612345 ext. 12", "(0921) 612345 ext. 12"),
        ("(0921) 612345, pes. 12", "(0921) 612345, pes. 12"),
        ("'081234567890", "081234567890"),
    ],
)
def test_phone_numbers_are_accepted_in_common_notations(pasted: str, cleaned: str):
    assert clean_phone(pasted) == cleaned
    assert is_phone(cleaned)


@pytest.mark.parametrize(
    "written",
    [
        *(
            "0812",
            "0" * 21,
            "telepon saya",
            "0812 3456 7890 rumah",
            "+",
            "++62812345678",
            "08123456789x1",
            "ext. 12345678",
        ),
        *("\u0660\u0668\u0661\u0662\u0663\u0664\u0665\u0666", "(0921) 612345 ext. 1234567", "-081234567890"),
    ],
)
def test_invalid_phone_numbers_are_rejected(written: str):
    assert not is_phone(clean_phone(written))


@pytest.mark.parametrize(
    "pasted",
    [
        "\u200brahmat@dinas.example",
        "rahmat@dinas.example\ufeff",
        "rahmat@dinas.example\xa0",
        "mailto:rahmat@dinas.example",
        "<rahmat@dinas.example>",
        "rah\xadmat@dinas.example",
        "rahmat@dinas.example\n",
    ],
)
def test_pasted_decoration_is_removed_from_an_email_address(pasted: str):
    assert clean_email(pasted) == "rahmat@dinas.example"


def test_a_line_break_in_an_email_address_is_kept_for_validation():
    assert "\n" in clean_email("rahmat@dinas.example\nBcc: semua@dinas.example")


PIECES = some.sampled_from(
    [*EMOJI.values(), *WRITTEN.values(), "a", " ", "e\u0301", "\u200d", "\u200c", "\ufe0f", "\u200b"]
)


@example("A\u0300\ufe00")
@example("\U0001f000\u200d\ufe0f")
@given(some.one_of(some.text(max_size=60), some.lists(PIECES, max_size=12).map("".join)))
def test_cleaning_is_idempotent(text: str):
    for clean in (clean_line, clean_paragraphs):
        try:
            once = clean(text)
        except ControlCharacter:
            continue
        assert clean(once) == once
        assert unicodedata.is_normalized("NFC", once)


@given(
    some.text(some.characters(categories=["L", "N", "P", "S"], exclude_characters="\u3164\uffa0\u2011"), max_size=80)
)
def test_no_letter_digit_or_symbol_is_lost(text: str):
    assert clean_paragraphs(text) == unicodedata.normalize("NFC", text).strip()
