"""Files with unusual or missing extensions, and files of unsupported formats."""

from __future__ import annotations

from io import BytesIO

import pytest

from shared.documents.inspection.detection import detect_media_type
from shared.documents.media_types import ACCEPT, JPEG, PDF, PNG, ZIP, stored_name
from shared.documents.port import DocumentRefused
from tests.support.minimal_files import small_pdf, small_picture

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)


@pytest.mark.parametrize("extension", ["jpg", "jpeg", "jpe", "jfif", "jif", "JPG", "JFIF"])
def test_a_jpeg_is_accepted_with_every_usual_extension(extension: str):
    name = f"foto.{extension}"
    assert detect_media_type(name, BytesIO(small_picture("JPEG"))) == JPEG
    assert stored_name(name, JPEG) == name
    assert f".{extension.lower()}" in ACCEPT.split(",")


@pytest.mark.parametrize(
    ("raw", "media_type", "name"),
    [
        ("Surat permohonan", PDF, "Surat permohonan.pdf"),
        ("Surat no. 12.2026", PDF, "Surat no. 12.2026.pdf"),
        ("Surat Dinas Kab. Haltim", PDF, "Surat Dinas Kab. Haltim.pdf"),
        ("IMG_0042", JPEG, "IMG_0042.jpg"),
        ("lampiran", ZIP, "lampiran.zip"),
        ("", PNG, "dokumen.png"),
        ("n" * 500, PDF, "n" * 115 + ".pdf"),
        ("surat.pdf", PDF, "surat.pdf"),
        ("foto.jpeg", JPEG, "foto.jpeg"),
    ],
)
def test_a_file_without_an_extension_is_stored_with_the_usual_one(raw: str, media_type: str, name: str):
    assert stored_name(raw, media_type) == name
    assert stored_name(name, media_type) == name


@pytest.mark.parametrize("name", ["Surat permohonan", "Surat no. 12.2026", "", "Surat Dinas Kab. Haltim"])
def test_a_file_without_an_extension_is_recognized_by_its_content(name: str):
    assert detect_media_type(name, BytesIO(small_pdf())) == PDF
    with pytest.raises(DocumentRefused):
        detect_media_type(name, BytesIO(b"MZ\x90\x00"))


FOREIGN = {
    "HEIC": HEIC,
    "AVIF": b"\0\0\0\x1cftypavif" + bytes(200),
    "video": b"\0\0\0\x1cftypisom" + bytes(200),
    "WebP": b"RIFF\x24\0\0\0WEBPVP8 " + bytes(200),
    "TIFF": small_picture("TIFF"),
    "BMP": small_picture("BMP"),
    "GIF": small_picture("GIF"),
    "RAR": b"Rar!\x1a\x07\x01\x00" + bytes(200),
    "7z": b"7z\xbc\xaf\x27\x1c\0\4" + bytes(200),
    "GZIP": b"\x1f\x8b\x08\0" + bytes(200),
    "TAR": b"isi.txt".ljust(257, b"\0") + b"ustar\x0000" + bytes(300),
    "RTF": b"{\\rtf1\\ansi Surat}",
    "PostScript": b"%!PS-Adobe-3.0\n",
    "teks": b"Nomor;Nama\n1;Siti Nurjanah\n" * 200,
}


@pytest.mark.parametrize("label", FOREIGN)
@pytest.mark.parametrize("name", ["foto.jpg", "surat.pdf", "IMG_0042.HEIC", "tanpa akhiran", "berkas.dat"])
def test_an_unsupported_format_is_named_under_any_file_name(label: str, name: str):
    with pytest.raises(DocumentRefused) as refusal:
        detect_media_type(name, BytesIO(FOREIGN[label]))
    assert refusal.value.code == "not_accepted"
    assert label in refusal.value.message.split(". ")[0]
    assert refusal.value.message.endswith("PDF, DOCX, XLSX, ODT, ODS, PNG, JPEG, ZIP.")


def test_a_heic_photo_is_refused_with_advice_for_the_phone():
    with pytest.raises(DocumentRefused, match="Paling Kompatibel"):
        detect_media_type("foto.jpg", BytesIO(HEIC))


def test_text_cut_within_a_two_byte_character_is_text():
    for length in range(2040, 2060):
        with pytest.raises(DocumentRefused, match="teks biasa"):
            detect_media_type("catatan.txt", BytesIO(("a" * length + "é" * 10).encode()))
