"""Recognizes formats by their first bytes, in one pass, with advice for formats that are not accepted."""

from __future__ import annotations

from dataclasses import dataclass

PDF_MARK_WITHIN = 1024
HEAD_BYTES = 2048
PDF_MARK = b"%PDF-"

_AS_PICTURE = "Mohon simpan ulang sebagai JPEG atau PNG."
_AS_PDF = "Mohon simpan ulang atau cetak ke PDF."
_AS_ZIP = "Mohon buat ulang sebagai ZIP biasa."
_AS_DOCUMENT = "Mohon simpan ulang sebagai DOCX, XLSX, atau PDF."
_CONVERT_ON_PHONE = (
    "Mohon ubah menjadi JPEG di ponsel sebelum dikirim; pada iPhone pilih Pengaturan > Kamera > Format > "
    '"Paling Kompatibel" lalu foto ulang, atau kirim tangkapan layar fotonya.'
)
_NO_MEDIA = "Rekaman suara dan video tidak diperlukan dalam permohonan."


@dataclass(frozen=True, slots=True)
class ForeignFormat:
    """A format that is not accepted, with its name and advice for the user (both in Indonesian)."""

    label: str
    advice: str


_BY_START: tuple[tuple[bytes, ForeignFormat], ...] = (
    (b"GIF8", ForeignFormat("gambar GIF", _AS_PICTURE)),
    (b"II*\0", ForeignFormat("gambar TIFF", "Mohon simpan ulang sebagai PDF, JPEG, atau PNG.")),
    (b"MM\0*", ForeignFormat("gambar TIFF", "Mohon simpan ulang sebagai PDF, JPEG, atau PNG.")),
    (b"II+\0", ForeignFormat("gambar TIFF", "Mohon simpan ulang sebagai PDF, JPEG, atau PNG.")),
    (b"MM\0+", ForeignFormat("gambar TIFF", "Mohon simpan ulang sebagai PDF, JPEG, atau PNG.")),
    (b"8BPS", ForeignFormat("gambar Photoshop (PSD)", _AS_PICTURE)),
    (b"\0\0\x01\0", ForeignFormat("gambar ikon (ICO)", _AS_PICTURE)),
    (b"\0\0\0\x0cjP  ", ForeignFormat("gambar JPEG 2000", _AS_PICTURE)),
    (b"\xff\x4f\xff\x51", ForeignFormat("gambar JPEG 2000", _AS_PICTURE)),
    (b"\0\0\0\x0cJXL ", ForeignFormat("gambar JPEG XL", _AS_PICTURE)),
    (b"\xff\x0a", ForeignFormat("gambar JPEG XL", _AS_PICTURE)),
    (b"Rar!\x1a\x07", ForeignFormat("arsip RAR", _AS_ZIP)),
    (b"7z\xbc\xaf\x27\x1c", ForeignFormat("arsip 7z", _AS_ZIP)),
    (b"\x1f\x8b", ForeignFormat("arsip GZIP", _AS_ZIP)),
    (b"BZh", ForeignFormat("arsip BZIP2", _AS_ZIP)),
    (b"\xfd7zXZ\0", ForeignFormat("arsip XZ", _AS_ZIP)),
    (b"\x28\xb5\x2f\xfd", ForeignFormat("arsip Zstandard", _AS_ZIP)),
    (b"MSCF", ForeignFormat("arsip CAB", _AS_ZIP)),
    (b"{\\rtf", ForeignFormat("dokumen RTF", "Mohon simpan ulang sebagai DOCX atau PDF.")),
    (b"%!PS", ForeignFormat("dokumen PostScript", _AS_PDF)),
    (b"AT&TFORM", ForeignFormat("dokumen DjVu", _AS_PDF)),
    (b"SQLite format 3\0", ForeignFormat("basis data SQLite", _AS_DOCUMENT)),
    (b"ID3", ForeignFormat("rekaman MP3", _NO_MEDIA)),
    (b"OggS", ForeignFormat("rekaman Ogg", _NO_MEDIA)),
    (b"fLaC", ForeignFormat("rekaman FLAC", _NO_MEDIA)),
    (b"\x1a\x45\xdf\xa3", ForeignFormat("video Matroska atau WebM", _NO_MEDIA)),
)
_RIFF = {
    b"WEBP": ForeignFormat("gambar WebP", _AS_PICTURE),
    b"AVI ": ForeignFormat("video AVI", _NO_MEDIA),
    b"WAVE": ForeignFormat("rekaman WAV", _NO_MEDIA),
}
_HEIC = ForeignFormat("foto HEIC dari ponsel", _CONVERT_ON_PHONE)
_AVIF = ForeignFormat("gambar AVIF", _AS_PICTURE)
_VIDEO = ForeignFormat("video atau rekaman", _NO_MEDIA)
_BMP = ForeignFormat("gambar BMP", _AS_PICTURE)
_TAR = ForeignFormat("arsip TAR", _AS_ZIP)
_TEXT = ForeignFormat("teks biasa", _AS_DOCUMENT)
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1", b"heif")
_SPACE = b" \t\r\n\v\f"
_LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyz")


def foreign_format(head: bytes) -> ForeignFormat | None:
    """Return the format of a file that is not accepted, None if it is unknown."""
    for start, known in _BY_START:
        if head.startswith(start):
            return known
    if head[4:8] == b"ftyp":
        return _iso_media(head[8:12])
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12])
    if head.startswith(b"BM") and head[6:10] == bytes(4):
        return _BMP
    if head[257:262] == b"ustar":
        return _TAR
    return _TEXT if _is_text(head) else None


def has_pdf_header(head: bytes) -> bool:
    """Whether the PDF header begins within the first 1,024 bytes, where readers look for it."""
    return PDF_MARK in head[: PDF_MARK_WITHIN + len(PDF_MARK) - 1]


def first_element(head: bytes) -> bytes:
    """Return the name of the first element of an HTML or XML file in lower case, "" if it is neither.

    Spaces, declarations and comments before the element are skipped in one pass.
    """
    text = head.removeprefix(b"\xef\xbb\xbf").lower()
    at = _skip_prolog(text)
    if at < 0 or not text.startswith(b"<", at):
        return b""
    at += 1
    if text.startswith(b"!doctype", at):
        at = _skip_space(text, at + len(b"!doctype"))
    end = at
    while end < len(text) and text[end] in _LETTERS:
        end += 1
    return text[at:end]


def _skip_prolog(text: bytes) -> int:
    """Return the offset behind spaces, declarations and comments; -1 if one of them is not closed."""
    at = _skip_space(text, 0)
    while True:
        if text.startswith(b"<?xml", at):
            end = text.find(b"?>", at)
            length = 2
        elif text.startswith(b"<!--", at):
            end = text.find(b"-->", at + 4)
            length = 3
        else:
            return at
        if end < 0:
            return -1
        at = _skip_space(text, end + length)


def _skip_space(text: bytes, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _iso_media(brand: bytes) -> ForeignFormat:
    if brand in _HEIC_BRANDS:
        return _HEIC
    return _AVIF if brand in (b"avif", b"avis") else _VIDEO


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # otherwise the head ends within a character
            return False
        text = head[: error.start].decode()
    return bool(text.strip()) and all(character.isprintable() or character.isspace() for character in text)
