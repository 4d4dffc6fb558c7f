"""What all pages share: forms lose no input, are handled once and need a CSRF token."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import escape, unescape
from pathlib import Path

import httpx
import pytest

from shared.documents.file_names import safe_name
from shared.documents.orphan_sweep import GRACE_PERIOD
from shared.web.api.validation import labelled_message
from shared.web.forms.held_files import HOLD_DURATION
from tests.support.services.forms_harness import PASSWORD, PDF, Browser, FormsHarness, forms_harness, hidden_fields

NOTE = 'Uji "satu" & </textarea><b>\n  dua'
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def simpul(tmp_path: Path) -> AsyncIterator[FormsHarness]:
    async with forms_harness(tmp_path) as made:
        yield made


@pytest.fixture
def browser(simpul: FormsHarness) -> Browser:
    return simpul.browser()


async def signed_in(browser: Browser, username: str = "officer", **more: str) -> httpx.Response:
    page = await browser.get("/masuk")
    return await browser.send("/masuk", page, username=username, password=PASSWORD, **more)


def typed(page: httpx.Response, name: str) -> str:
    [text] = re.findall(rf'<textarea id="{name}"[^>]*>\n(.*?)</textarea>', page.text, re.DOTALL)
    return unescape(text)


async def test_a_valid_form_redirects_and_passes_its_key(simpul, browser):
    page = await browser.get("/catatan")
    answer = await browser.send("/catatan", page, note="Uji berhasil.", percent=" 40 ", days=["satu", "dua"])
    assert (answer.status_code, answer.headers["location"]) == (303, "/done")
    [(key, note)] = simpul.public_form.notes
    assert key == hidden_fields(page)["_key"]
    assert (note.note, note.percent, note.days) == ("Uji berhasil.", 40, ("satu", "dua"))


async def test_errors_are_shown_beside_the_input(simpul, browser):
    page = await browser.get("/catatan")
    answer = await browser.send("/catatan", page, note="abc", percent="200", other="x")
    assert answer.status_code == 422
    assert simpul.public_form.notes == []
    assert "<title>Kesalahan: Catatan - Simpul</title>" in answer.text
    assert '<a href="#note">Isi catatan: Tulis paling sedikit 5 huruf. Sekarang baru 3.</a>' in answer.text
    assert 'aria-describedby="note-e" aria-invalid="true"' in answer.text
    assert "Isian ini tidak dikenal." in answer.text
    assert (typed(answer, "note"), 'value="200"' in answer.text) == ("abc", True)
    assert hidden_fields(answer)["_key"] == hidden_fields(page)["_key"]


async def test_a_cleared_field_stays_empty_and_an_untouched_one_has_its_initial_value(browser):
    page = await browser.get("/catatan")
    assert 'name="percent" type="text" value="30"' in page.text
    again = await browser.send("/catatan", page, note="abc", percent="")
    assert 'name="percent" type="text" value=""' in again.text


async def test_a_conflict_is_explained_and_input_is_kept(browser):
    page = await browser.get("/catatan")
    answer = await browser.send("/catatan", page, note="conflict")
    assert answer.status_code == 409
    assert "Sudah diputus oleh Sahril." in answer.text
    assert "Muat keadaan terbaru" in answer.text
    assert typed(answer, "note") == "conflict"


async def test_a_form_sent_twice_with_other_content_says_so_and_can_be_sent_again(simpul, browser):
    page = await browser.get("/catatan")
    await browser.send("/catatan", page, note="Uji pertama.")
    again = await browser.send("/catatan", page, note="Uji kedua.")
    assert (again.status_code, len(simpul.public_form.notes)) == (409, 1)
    assert "Halaman ini sudah pernah dikirim" in again.text
    assert typed(again, "note") == "Uji kedua."
    assert (await browser.send("/catatan", again, note="Uji kedua.")).status_code == 303
    assert [note.note for _, note in simpul.public_form.notes] == ["Uji pertama.", "Uji kedua."]


@pytest.mark.parametrize("token", [None, "", "0" * 128, "x" * 128, "00"])
async def test_a_form_without_csrf_token_is_given_back_and_not_handled(simpul, browser, token):
    page = await browser.get("/catatan")
    answer = await browser.send("/catatan", page, _csrf=token, note=NOTE)
    assert (answer.status_code, simpul.public_form.notes) == (200, [])
    assert "Isian Anda masih ada" in answer.text


async def test_a_form_given_back_is_shown_first_and_handled_when_it_is_sent(simpul, browser):
    page = await browser.get("/catatan")
    back = await browser.send("/catatan", page, _csrf=None, note=NOTE)
    resumed = await browser.client.post("/catatan", data=given_back(back))
    assert (resumed.status_code, simpul.public_form.notes) == (200, [])
    assert typed(resumed, "note") == NOTE
    assert "Kesalahan" not in resumed.text
    assert (await browser.send("/catatan", resumed, note=typed(resumed, "note"))).status_code == 303
    assert simpul.public_form.notes[0][1].note == NOTE


def given_back(page: httpx.Response) -> dict[str, str]:
    """Return the fields of the page that gives back the input."""
    areas = re.findall(r'<textarea name="([^"]+)" hidden>\n(.*?)</textarea>', page.text, re.DOTALL)
    return {**hidden_fields(page), **{name: unescape(text) for name, text in areas}}


async def test_the_csrf_token_of_another_browser_is_refused(simpul, browser):
    page = await browser.get("/catatan")
    other = simpul.browser()
    await other.get("/catatan")
    assert "Isian Anda masih ada" in (await other.send("/catatan", page, note="Uji berhasil.")).text
    assert simpul.public_form.notes == []


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}]
)
async def test_a_form_of_another_site_is_refused(simpul, browser, headers):
    page = await browser.get("/catatan")
    data = {**hidden_fields(page), "note": "Uji berhasil."}
    answer = await browser.client.post("/catatan", data=data, headers=headers)
    assert (answer.status_code, simpul.public_form.notes) == (403, [])
    assert "tidak berasal dari halaman Simpul" in answer.text


async def test_the_csrf_token_is_masked_and_its_cookie_is_http_only(simpul, browser):
    first = await browser.get("/catatan")
    assert "httponly" in first.headers["set-cookie"].lower()
    assert "samesite=lax" in first.headers["set-cookie"].lower()
    second = await browser.get("/catatan")
    assert "set-cookie" not in second.headers
    assert hidden_fields(first)["_csrf"] != hidden_fields(second)["_csrf"]
    for page in (first, second):
        assert (await browser.send("/catatan", page, note="Uji berhasil.")).status_code == 303


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"note=%ff%fe", "application/x-www-form-urlencoded", 400),
        (b"\xff", "application/x-www-form-urlencoded", 400),
        (b"&".join([b"a=b"] * 500), "application/x-www-form-urlencoded", 400),
        (b"note=" + b"a" * 300_000, "application/x-www-form-urlencoded", 413),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\n", "multipart/form-data; boundary=x", 400),
    ],
)
async def test_an_unreadable_form_gets_an_error_page(simpul, browser, content, kind, status):
    answer = await browser.client.post("/catatan", content=content, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert simpul.public_form.notes == []


async def test_an_anonymous_user_is_sent_to_sign_in_and_back(browser):
    answer = await browser.get("/kerja/7?bagian=dua")
    assert (answer.status_code, answer.headers["location"]) == (303, "/masuk?lanjut=%2Fkerja%2F7%3Fbagian%3Ddua")
    page = await browser.get(answer.headers["location"])
    back = await browser.send("/masuk", page, username="officer", password=PASSWORD)
    assert (back.status_code, back.headers["location"]) == (303, "/kerja/7?bagian=dua")
    assert (await browser.get("/kerja/7")).status_code == 200


async def test_a_session_that_ended_during_a_form_gives_back_the_input(simpul, browser):
    await signed_in(browser)
    page = await browser.get("/kerja/7")
    simpul.clock.advance(minutes=31)
    ended = await browser.send("/kerja/7", page, note=NOTE, percent="60")
    assert (ended.status_code, simpul.staff_form.notes) == (401, [])
    assert "Sesi Anda berakhir" in ended.text
    [kept] = re.findall(r'<textarea name="kept" hidden>\n(.*?)</textarea>', ended.text, re.DOTALL)
    wrong = await browser.send("/masuk", ended, username="officer", password="salah", kept=unescape(kept))
    assert wrong.status_code == 401
    [kept] = re.findall(r'<textarea name="kept" hidden>\n(.*?)</textarea>', wrong.text, re.DOTALL)
    back = await browser.send("/masuk", wrong, username="officer", password=PASSWORD, kept=unescape(kept))
    assert "Isian Anda masih ada" in back.text
    assert 'action="/kerja/7"' in back.text
    resumed = await browser.client.post("/kerja/7", data=given_back(back))
    assert (typed(resumed, "note"), 'value="60"' in resumed.text) == (NOTE, True)
    assert simpul.staff_form.notes == []
    assert (await browser.send("/kerja/7", resumed, note=NOTE, percent="60")).status_code == 303
    assert simpul.staff_form.notes[0][0] == hidden_fields(page)["_key"]


async def test_background_polls_do_not_extend_the_session(simpul, browser):
    await signed_in(browser)
    for _ in range(3):
        simpul.clock.advance(minutes=12)
        answer = await browser.get("/kerja/7", headers={"X-Live": "1"})
    assert answer.status_code == 303
    await signed_in(browser)
    for _ in range(3):
        simpul.clock.advance(minutes=12)
        answer = await browser.get("/kerja/7")
    assert answer.status_code == 200


async def test_a_session_of_another_role_is_refused_on_a_page(simpul, browser):
    await signed_in(browser, "technical")
    answer = await browser.get("/kerja/7")
    assert (answer.status_code, "tidak berwenang" in answer.text) == (403, True)
    assert "Ke pekerjaan Anda" in answer.text
    token = hidden_fields(answer)["_csrf"]
    assert (await browser.client.post("/kerja/7", data={"_csrf": token, "note": "Uji."})).status_code == 403
    assert simpul.staff_form.notes == []


async def test_a_bearer_token_opens_no_page(simpul, browser):
    token, _ = await simpul.platform.identity.sign_in("officer", PASSWORD, "", "192.0.2.1")
    answer = await browser.get("/kerja/7", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 303


async def test_errors_are_html_for_browsers_and_json_for_api_clients(browser):
    for path, kind in (("/tidak-ada", "text/html"), ("/api/tidak-ada", "application/problem+json")):
        answer = await browser.get(path)
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (404, kind)
    page = await browser.client.put("/catatan")
    assert (page.status_code, "Alamat ini tidak menerima" in page.text) == (405, True)


async def test_a_page_runs_only_scripts_with_its_nonce_and_is_not_stored(browser):
    page = await browser.get("/catatan")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert re.search(r"script-src 'nonce-[\w-]{20,}'", policy)
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert not re.search(r"<style| style=| on[a-z]+=", page.text)
    assert policy != (await browser.get("/catatan")).headers["content-security-policy"]


async def test_a_page_is_compressed(browser):
    packed = await browser.get("/catatan", headers={"Accept-Encoding": "gzip"})
    plain = await browser.get("/catatan", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content) / 1.5
    assert (packed.headers["vary"], plain.headers["vary"]) == ("Accept-Encoding", "Accept-Encoding")


# Files


def a_letter(name: str = "Surat.pdf", content: bytes = PDF) -> tuple[str, tuple[str, bytes, str]]:
    return ("letter", (name, content, "application/pdf"))


def a_paper(name: str, content: bytes = PDF) -> tuple[str, tuple[str, bytes, str]]:
    return ("requirements", (name, content, "application/pdf"))


async def test_uploaded_files_are_held_when_something_else_is_wrong(simpul, browser):
    page = await browser.get("/berkas")
    files = [a_letter(), a_paper("Satu.pdf"), a_paper("Gambar.svg", b"<svg/>")]
    wrong = await browser.send("/berkas", page, files, note="abc")
    assert wrong.status_code == 422
    assert "Gambar.svg: Gambar SVG tidak diterima" in wrong.text
    assert all(name in wrong.text for name in ("Surat.pdf", "Satu.pdf", "Sekarang baru 3"))
    right = await browser.send("/berkas", wrong, [a_paper("Dua.pdf")], note="Uji berhasil.")
    assert (right.status_code, simpul.papers.stored) == (303, [["Surat.pdf", "Satu.pdf", "Dua.pdf"]])


async def test_an_oversized_file_does_not_affect_the_rest_of_the_form(simpul, browser):
    page = await browser.get("/berkas")
    files = [a_letter(content=b"%PDF-" + b"x" * 300_000), a_paper("Satu.pdf")]
    wrong = await browser.send("/berkas", page, files, note="Uji berhasil.")
    assert (wrong.status_code, "Surat.pdf: Ukuran berkas melebihi batas" in wrong.text) == (422, True)
    assert (typed(wrong, "note"), "Satu.pdf" in wrong.text) == ("Uji berhasil.", True)
    assert (await browser.send("/berkas", wrong, [a_letter()], note="Uji berhasil.")).status_code == 303
    assert simpul.papers.stored == [["Surat.pdf", "Satu.pdf"]]


async def test_a_held_file_is_removed_by_its_button_and_a_new_letter_replaces_the_old(simpul, browser):
    page = await browser.get("/berkas")
    wrong = await browser.send("/berkas", page, [a_letter(), a_paper("Satu.pdf"), a_paper("Dua.pdf")], note="abc")
    [first] = re.findall(r'name="remove" value="([^"]+)">Hapus<span class="vh"> Satu.pdf', wrong.text)
    fewer = await browser.send("/berkas", wrong, note="abc", remove=first)
    assert (fewer.status_code, "Satu.pdf" in fewer.text, "Kesalahan" in fewer.text) == (200, False, False)
    right = await browser.send("/berkas", fewer, [a_letter("Baru.pdf")], note="Uji berhasil.")
    assert (right.status_code, simpul.papers.stored) == (303, [["Baru.pdf", "Dua.pdf"]])


async def test_a_file_uploaded_ahead_belongs_to_its_form(simpul, browser):
    page = await browser.get("/berkas")
    letter = await browser.send("/berkas/unggah", page, [a_letter()], field="letter")
    paper = await browser.send("/berkas/unggah", page, [a_paper("Satu.pdf")], field="requirements")
    refused = await browser.send("/berkas/unggah", page, [a_paper("x.svg", b"<svg/>")], field="requirements")
    assert (letter.status_code, refused.status_code, 'class="err"' in refused.text) == (200, 200, True)
    held = dict(re.findall(r'name="(held[^"]+)" value="([^"]+)"', letter.text + paper.text))
    assert (await browser.send("/berkas", page, note="Uji berhasil.", **held)).status_code == 303
    assert simpul.papers.stored == [["Surat.pdf", "Satu.pdf"]]


async def test_a_form_with_an_unsent_file_is_refused_until_the_file_is_removed(simpul, browser):
    page = await browser.get("/berkas")
    sent = {"note": "Uji berhasil.", "unsent.requirements": "Denah <b>.pdf"}
    refused = await browser.send("/berkas", page, [a_letter(), a_paper("Satu.pdf")], **sent)
    shown = escape(safe_name("Denah <b>.pdf"))
    assert (refused.status_code, "<b>.pdf" in refused.text) == (422, False)
    assert f"{shown} belum tersimpan. Pilih kembali berkasnya, atau hapus dari daftar." in refused.text
    again = await browser.send("/berkas", refused, note="Uji berhasil.")
    assert (again.status_code, simpul.papers.stored) == (422, []), "the page carries the name on"
    [remove] = re.findall(r'name="remove" value="(unsent[^"]+)"', again.text)
    removed = await browser.send("/berkas", again, remove=unescape(remove))
    assert (removed.status_code, "Denah" in removed.text) == (200, False)
    assert (await browser.send("/berkas", removed, note="Uji berhasil.")).status_code == 303
    assert simpul.papers.stored == [["Surat.pdf", "Satu.pdf"]]


async def test_a_held_file_is_valid_for_its_own_form_until_it_expires(simpul, browser):
    page, other = await browser.get("/berkas"), await browser.get("/berkas")
    wrong = await browser.send("/berkas", page, [a_letter(), a_paper("Satu.pdf")], note="abc")
    held = {name: value for name, value in hidden_fields(wrong).items() if name.startswith("held.")}
    stolen = await browser.send("/berkas", other, note="Uji berhasil.", **held)
    assert (stolen.status_code, "sudah tidak tersimpan" in stolen.text) == (422, True)
    forged = {name: value[:-1] + ("0" if value[-1] != "0" else "1") for name, value in held.items()}
    assert (await browser.send("/berkas", page, note="Uji berhasil.", **forged)).status_code == 422
    swapped = {"held.letter": held["held.requirements"], "held.requirements": held["held.letter"]}
    assert (await browser.send("/berkas", page, note="Uji berhasil.", **swapped)).status_code == 422
    simpul.clock.advance(hours=21)
    assert (await browser.send("/berkas", page, note="Uji berhasil.", **held)).status_code == 422
    assert simpul.papers.stored == []


async def test_showing_the_form_again_does_not_extend_a_held_file(simpul, browser):
    page = await browser.get("/berkas")
    shown = await browser.send("/berkas", page, [a_letter(), a_paper("Satu.pdf")], note="abc")
    for _ in range(2):
        simpul.clock.advance(hours=9)
        shown = await browser.send("/berkas", shown, note="abc")
        assert "sudah tidak tersimpan" not in shown.text
    simpul.clock.advance(hours=3)
    late = await browser.send("/berkas", shown, note="Uji berhasil.")
    assert (late.status_code, "Unggah sekali lagi" in late.text) == (422, True)
    assert simpul.papers.stored == []


async def test_a_held_file_that_is_too_old_in_its_store_must_be_uploaded_again(simpul, browser):
    page = await browser.get("/berkas")
    shown = await browser.send("/berkas", page, [a_letter(), a_paper("Satu.pdf")], note="abc")
    for path in simpul.platform.settings.documents.rglob("*"):
        os.utime(path, times=((simpul.clock() - timedelta(hours=21)).timestamp(),) * 2)
    late = await browser.send("/berkas", shown, note="Uji berhasil.")
    assert (late.status_code, "Unggah sekali lagi" in late.text) == (422, True)


def test_a_held_file_expires_hours_before_the_sweep_may_remove_it():
    assert timedelta(hours=4) <= GRACE_PERIOD - HOLD_DURATION


async def test_a_removed_held_file_must_be_uploaded_again(simpul, browser):
    page = await browser.get("/berkas")
    wrong = await browser.send("/berkas", page, [a_letter(), a_paper("Satu.pdf")], note="abc")
    for path in simpul.platform.settings.documents.rglob("*"):
        if path.is_file():
            path.unlink()
    again = await browser.send("/berkas", wrong, note="Uji berhasil.")
    assert (again.status_code, "Satu.pdf sudah tidak tersimpan" in again.text) == (422, True)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("Wajib diisi.", "Alamat surel wajib diisi."),
        ("Paling panjang 254 karakter.", "Alamat surel: Paling panjang 254 karakter."),
        ("Alamat surel tidak dikenali.", "Alamat surel tidak dikenali."),
    ],
)
def test_a_message_away_from_its_field_names_the_field_once(message: str, said: str):
    assert labelled_message("Alamat surel", message) == said
