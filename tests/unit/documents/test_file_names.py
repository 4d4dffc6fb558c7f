"""Sanitized file names: on disk, on pages and in the Content-Disposition header."""

import string
import unicodedata
from email.message import EmailMessage
from email.policy import SMTP
from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from shared.documents.file_names import content_disposition, safe_name


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        ("Surat Permohonan (final).pdf", "Surat Permohonan (final).pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ani\\surat.pdf", "surat.pdf"),
        ("surat.pdf\x00.exe", "surat.pdf.exe"),
        ("surat\r\nSet-Cookie: a=b.pdf", "surat Set-Cookie_ a=b.pdf"),
        ("surat\u202efdp.exe", "suratfdp.exe"),
        ("\u200fsurat\u2066.pdf", "surat.pdf"),
        ("  ..surat..  .pdf  ", "surat.pdf"),
        ("", "dokumen"),
        ("...", "dokumen"),
        (".pdf", "dokumen.pdf"),
        ("/", "dokumen"),
        ("nul.pdf", "_nul.pdf"),
        ('a<b>"c".pdf', "a_b__c_.pdf"),
        ("Pétition naïve.pdf", "Pétition naïve.pdf"),
        ("日本語.pdf", "日本語.pdf"),
    ],
)
def test_a_sanitized_name_stays_readable(raw: str, safe: str):
    assert safe_name(raw) == safe


def test_a_long_name_is_cut_and_keeps_its_extension():
    assert safe_name("a" * 5000 + ".pdf") == "a" * 115 + ".pdf"
    assert len(safe_name("語" * 5000 + ".docx").encode()) <= 255
    assert safe_name("語" * 5000 + ".docx").endswith("語.docx")


ANY_NAME = some.text(max_size=300) | some.text("./\\\u202e\r\n\x00 aé\u0301:", max_size=300)


@given(ANY_NAME)
def test_sanitizing_is_safe_for_every_name_and_idempotent(raw: str):
    name = safe_name(raw)
    assert 0 < len(name) <= 120
    assert not set(name) & set('/\\<>:"|?*')
    assert not any(unicodedata.category(character)[0] == "C" for character in name)
    assert not name.startswith(".")
    assert safe_name(name) == name


def test_a_download_is_an_attachment_under_its_own_name():
    assert content_disposition("surat.pdf") == "attachment; filename=\"surat.pdf\"; filename*=UTF-8''surat.pdf"
    assert content_disposition("naïve 日.pdf") == (
        "attachment; filename=\"naive .pdf\"; filename*=UTF-8''na%C3%AFve%20%E6%97%A5.pdf"
    )
    assert content_disposition("日.pdf").startswith('attachment; filename="dokumen.pdf"')


@given(ANY_NAME)
def test_no_name_breaks_out_of_the_header(raw: str):
    header = content_disposition(raw)
    assert header.isascii()
    assert header.isprintable()
    assert header.startswith("attachment; ")
    assert header.count('"') == 2


WIDE = "\uff02\uff07\uff0f\uff3c\uff1b\uff1d\uff0a\uff05\ufe68\u2033\u2036\u201c\u201d\u00ab\u301d\ufe54\u037e\u2048\u2026\ufe52"
"""Characters that NFKC normalization turns into quotes, slashes, backslashes, semicolons, equals signs, asterisks and dots."""
HOSTILE = some.text(some.sampled_from(WIDE + "\"';\\/=*%\r\n\x00\x7f\u202e\u2066\u200b .aé日"), max_size=60)


def test_full_width_quotes_and_semicolons_inject_no_parameter():
    name = "surat\uff02\uff1b filename*=UTF-8''jahat.hta\uff1b a=\uff02.pdf"
    header = content_disposition(name)
    assert header.count('"') == 2
    assert header.count("filename*=") == 1
    assert (parsed_by_email(header) or "").endswith(".pdf")


def test_a_full_width_dot_starts_no_extension():
    assert content_disposition("surat\uff0ehta\u2024exe").startswith('attachment; filename="surat_hta_exe"; ')


def parsed_by_email(header: str) -> str | None:
    """Return the name that the email parser of the standard library reads."""
    message = EmailMessage(policy=SMTP)
    message["Content-Disposition"] = header
    return message.get_filename()


def parsed_by_hand(header: str) -> dict[str, str]:
    """Parse the parameters as in RFC 6266: tokens or quoted strings between semicolons."""
    kind, _, rest = header.partition(";")
    assert kind == "attachment"
    found: dict[str, str] = {}
    while rest:
        name, _, rest = rest.strip().partition("=")
        assert name not in found
        if rest.startswith('"'):
            found[name], _, rest = rest[1:].partition('"')
            assert "\\" not in found[name]
        else:
            found[name], _, rest = rest.partition(";")
        rest = rest.lstrip("; ")
    return found


@settings(max_examples=settings().max_examples * 2)
@given(ANY_NAME | HOSTILE)
def test_every_parser_of_the_header_reads_the_safe_name(raw: str):
    name = safe_name(raw)
    header = content_disposition(raw)
    parameters = parsed_by_hand(header)
    assert set(parameters) == {"filename", "filename*"}
    assert parameters["filename*"] == "UTF-8''" + quote(name, safe="")
    assert unquote(parameters["filename*"].removeprefix("UTF-8''")) == name
    assert set(parameters["filename"]) <= set(string.ascii_letters + string.digits + " -_.,()[]+=@~#&")
    assert parsed_by_email(header) in (name, parameters["filename"])


@given(ANY_NAME | HOSTILE)
def test_the_ascii_name_keeps_the_extension(raw: str):
    plain, name = parsed_by_hand(content_disposition(raw))["filename"], safe_name(raw)
    assert plain.count(".") <= max(1, name.count("."))
    extension = name.rpartition(".")[2] if "." in name else ""
    if extension.isascii() and extension.isalnum():
        assert plain.rpartition(".")[2] == extension
