"""Invalid, oversized, mislabelled or too many files, and interrupted uploads, on the real server."""

from __future__ import annotations

import functools
import io
import os
import re
import socket
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from simpul.client_types import Upload
from tests.support import office_files
from tests.support.e2e.server_session import (
    DICTIONARY,
    FILES,
    FORM,
    LETTER,
    ServerHarness,
    SubmittedRequest,
    refusal_errors,
    wait_until,
)

MIB = 1024 * 1024
LOCKED = office_files.encrypted_pdf("Surat permohonan.")
HEAD = b"POST /api/requests HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=garis\r\n"


@functools.cache
def a_bomb() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("isi.txt", bytes(100 * MIB))
    return written.getvalue()


def a_nested_bomb() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(16):
            archive.writestr(f"{number}.zip", a_bomb() if number == 0 else b"PK")
    return written.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("surat.pdf", b"MZ\x90\x00\x03" + bytes(500), "adalah program, bukan dokumen"),
        ("surat.pdf", b"\x7fELF" + bytes(500), "adalah program, bukan dokumen"),
        ("surat.exe", LETTER.content, "adalah program, bukan dokumen"),
        ("surat.pdf.exe", LETTER.content, "adalah program, bukan dokumen"),
        ("surat\u202efdp.exe", LETTER.content, "adalah program, bukan dokumen"),
        ("halaman.html", b"<!doctype html><script>alert(1)</script>", "cetak ke PDF"),
        ("surat.pdf", b"<html><script>alert(1)</script></html>", "cetak ke PDF"),
        ("gambar.svg", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "sebagai PNG atau PDF"),
        ("gambar.png", b'<?xml version="1.0"?><svg onload="alert(1)"/>', "sebagai PNG atau PDF"),
        ("kosong.pdf", b"", "Berkas kosong"),
        ("arsip.zip", a_bomb(), "mengembang"),
        ("kamus.docx", a_bomb(), "mengembang"),
        ("arsip.zip", a_nested_bomb(), "Arsip"),
        ("surat.png", LETTER.content, "Isi berkas adalah PDF, tetapi namanya berakhiran .png"),
        ("catatan.txt", b"catatan", "PDF, DOCX, XLSX, ODT, ODS, PNG, JPEG, ZIP"),
        ("tanpa akhiran", b"catatan", "PDF, DOCX, XLSX, ODT, ODS, PNG, JPEG, ZIP"),
        ("terpotong.pdf", LETTER.content[:-200], "rusak atau tidak lengkap"),
        ("terkunci.pdf", LOCKED, "kata sandi"),
        ("foto.jpg", b"\0\0\0\x18ftypheic" + bytes(200), "foto HEIC dari ponsel"),
    ],
)
@pytest.mark.parametrize("place", ["letter", "requirements"])
def test_a_file_that_is_no_document_is_415(simpul: ServerHarness, place: str, name: str, content: bytes, sentence: str):
    others = [file for file in FILES if file[0] != place]
    with simpul.assert_nothing_stored():
        told = refusal_errors(simpul.submit([*others, (place, Upload(name, content, "application/pdf"))]), 415)
    assert sentence in told[place]


def test_thirty_files_are_too_many(simpul: ServerHarness):
    with simpul.assert_nothing_stored():
        told = refusal_errors(simpul.submit([FILES[0], *([FILES[1]] * 30)]), 422)
    assert "terlalu banyak" in " ".join(told.values())
    with simpul.assert_nothing_stored():
        told = refusal_errors(simpul.submit([FILES[0], *([FILES[1]] * 11)]), 422)
    assert told["requirements"] == "Unggah paling banyak 10 berkas. Sekarang 11."


def test_a_file_over_the_limit_in_a_body_within_it_is_413(simpul: ServerHarness):
    large = Upload("besar.pdf", LETTER.content + bytes(26 * MIB), "application/pdf")
    with simpul.assert_nothing_stored():
        told = refusal_errors(simpul.submit([("letter", large), FILES[1]]), 413)
    assert "25 MiB" in told["letter"]


def test_eighty_megabytes_are_413_before_a_byte_of_them_is_sent(simpul: ServerHarness):
    with simpul.assert_nothing_stored():
        answer = simpul.raw(HEAD + b"Content-Length: 80000000\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"60 MiB" in answer
    assert b"nosniff" in answer


def test_who_sends_eighty_megabytes_all_the_same_reads_why_they_are_refused(simpul: ServerHarness):
    large = Upload("besar.pdf", LETTER.content + bytes(80_000_000), "application/pdf")
    with simpul.assert_nothing_stored():
        told = refusal_errors(simpul.submit([("letter", large), FILES[1]]), 413)
        assert "60 MiB" in told[""]
        assert held_open(simpul) == []


def test_chunks_without_a_length_are_counted(simpul: ServerHarness):
    def form() -> Iterator[bytes]:
        for number in range(3):
            yield f'--garis\r\nContent-Disposition: form-data; name="requirements"; filename="{number}.pdf"'.encode()
            yield b"\r\n\r\n" + LETTER.content
            yield from (bytes(MIB) for _ in range(22))
            yield b"\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=garis"}
    with simpul.assert_nothing_stored():
        told = refusal_errors(simpul.http.post("/api/requests", content=form(), headers=headers), 413)
        assert "60 MiB" in told[""]
        wait_until(lambda: held_open(simpul) == [])


def test_an_upload_that_is_cut_off_leaves_nothing_behind(simpul: ServerHarness):
    with simpul.assert_nothing_stored():
        for _ in range(3):
            connection = simpul.connected()
            connection.sendall(HEAD + b"Content-Length: 20000000\r\n\r\n" + part("letter", b"surat.pdf"))
            connection.sendall(LETTER.content + bytes(8 * MIB))
            time.sleep(0.05)
            connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
            )  # a reset, as of a lost line
            connection.close()
        wait_until(lambda: held_open(simpul) == [])
    assert simpul.submit().status_code == 201


def part(field: str, filename: bytes) -> bytes:
    return b'--garis\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n' % (field.encode(), filename)


def held_open(simpul: ServerHarness) -> list[str]:
    """Return the temporary files that the server has open, on a system with /proc."""
    folders = [folder for pid in simpul.server.pids if (folder := Path(f"/proc/{pid}/fd")).exists()]
    links = [os.readlink(link) for folder in folders for link in folder.iterdir() if link.is_symlink()]
    return [link for link in links if link.endswith("(deleted)")]


def named(filename: bytes) -> bytes:
    """Return the multipart body of a form whose letter has this raw file name."""
    fields = [
        f'--garis\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in FORM.items()
    ]
    letter = part("letter", filename) + LETTER.content + b"\r\n"
    return (
        "".join(fields).encode() + letter + part("requirements", b"a.docx") + DICTIONARY.content + b"\r\n--garis--\r\n"
    )


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (b"../../../etc/cron.d/surat.pdf", "surat.pdf"),
        (b"..\\..\\windows\\surat.pdf", "surat.pdf"),
        (b"/etc/passwd.pdf", "passwd.pdf"),
        (b"..%2f..%2fsurat.pdf", "%2f"),
        ("surat\u202efdp.pdf".encode(), "suratfdp.pdf"),
        ("\u2067surat\u2069.pdf".encode(), "surat.pdf"),
        (b"surat\0.pdf", "surat.pdf"),
        (b"surat.pdf\r\nSet-Cookie: a=b", "_surat.pdf"),
        (b"surat%0d%0aSet-Cookie: a=b.pdf", "surat"),
        (b"<script>alert(1)</script>.pdf", "script"),
        (b"CON.pdf", "_CON.pdf"),
        (b".pdf", "dokumen.pdf"),
        (b"surat\xff\xfe.pdf", "surat"),
        (b"n" * 4000 + b".pdf", "n" * 100),
    ],
)
def test_a_name_that_misleads_is_made_harmless(simpul: ServerHarness, raw: bytes, kept: str):
    headers = {"Content-Type": "multipart/form-data; boundary=garis"}
    asked = SubmittedRequest.of(simpul, simpul.http.post("/api/requests", content=named(raw), headers=headers))
    [document, _] = asked.seen()[0]["documents"]
    assert document["name"].startswith(kept)
    assert document["name"].endswith(".pdf")
    assert re.fullmatch(r"[^\x00-\x1f\x7f/\\\\<>:\"|?*\u202a-\u202e\u2066-\u2069]{1,120}", document["name"])
    sent = simpul.call(asked.token, "GET", f"/api/requests/{asked.number}/documents/{document['id']}")
    assert sent.content == LETTER.content
    assert sent.headers["content-disposition"].startswith('attachment; filename="')
    assert "set-cookie" not in sent.headers


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"n" * 5000 + b".pdf", "Beri nama yang lebih pendek"),
        ("ñ".encode() * 5000 + b".pdf", "Beri nama yang lebih pendek"),
        (b'surat.pdf"; name="colour', "Ada isian yang perlu diperbaiki."),
    ],
)
def test_a_name_that_breaks_the_form_is_refused_whole(simpul: ServerHarness, raw: bytes, sentence: str):
    headers = {"Content-Type": "multipart/form-data; boundary=garis"}
    with simpul.assert_nothing_stored():
        told = refusal_errors(simpul.http.post("/api/requests", content=named(raw), headers=headers), 422)
    assert sentence in told[""]
