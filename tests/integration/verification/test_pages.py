"""The officers' pages: the queue, a request with its documents and checklist, and that no input is lost."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import httpx
import pytest

from shared.contracts.facts import DocumentKind, DocumentRef, Scope
from shared.contracts.verification import RejectionRecommended, RequestReturned, RequestVerified
from shared.storage import subsets
from shared.web.documents import previews
from tests.support.domain.given_when_then import REQUEST
from tests.support.domain.request_events import (
    APPLICANT,
    LETTER,
    RESULT,
    assigned,
    completed,
    confirmed,
    corrected,
    rejected,
    resubmitted,
    started,
    withdrawn,
)
from tests.support.services.staff_harness import OTHER, PEOPLE, StaffHarness, pdf, staff_harness

QUEUE = "/verifikasi"
HERE = f"{QUEUE}/{REQUEST}"
ADVICE = f"{HERE}/rekomendasi"
ITEMS = ("form", "letter", "scope", "documents")
NOTE = 'Belum ada "tanda tangan" <b>\ndan cap.'
ALL_OK = {f"ok_{item}": "yes" for item in ITEMS}
VERIFY = {**ALL_OK, "acknowledged": "birth_date", "_do": "verify"}
RETURN = {**ALL_OK, "ok_letter": "no", "note_letter": NOTE, "_do": "return"}


@pytest.fixture
async def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StaffHarness]:
    monkeypatch.setattr(previews, "RENDER_WAIT_SECONDS", 30.0)  # however busy the machine is
    async with staff_harness(tmp_path) as opened:
        yield opened


def browser(harness: StaffHarness, who: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(harness.app)
    cookies = {"simpul": f"token of {who}"}
    return httpx.AsyncClient(transport=transport, base_url=harness.platform.settings.origin, cookies=cookies)


async def look(harness: StaffHarness, path: str = HERE, who: str = "nurlaila") -> httpx.Response:
    async with browser(harness, who) as client:
        return await client.get(path)


async def send(
    harness: StaffHarness, page: httpx.Response, path: str = HERE, /, who: str = "nurlaila", **fields: str
) -> httpx.Response:
    """Send the form of the page with these fields on top of its hidden ones."""
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    async with browser(harness, who) as client:
        return await client.post(path, data={**hidden, **fields})


def rows(page: httpx.Response) -> list[str]:
    return re.findall(r'<tr data-id="([^"]+)"', page.text)


def tab_counts(page: httpx.Response) -> list[int]:
    return [int(count) for count in tab_texts(page)]


def tab_texts(page: httpx.Response) -> list[str]:
    return re.findall(r'data-count="tab \d">([^<]+)<', page.text)


def textarea_value(page: httpx.Response, name: str) -> str:
    [text] = re.findall(rf'<textarea id="{name}"[^>]*>\n(.*?)</textarea>', page.text, re.DOTALL)
    return unescape(text)


def checked_radios(page: httpx.Response) -> set[str]:
    return set(re.findall(r'id="(ok_\w+-\w+)" value="\w+" checked', page.text))


def error_links(page: httpx.Response) -> set[str]:
    return set(re.findall(r'<a href="#(\w+)">', page.text))


async def submit_five(harness: StaffHarness) -> list[str]:
    """Submit five requests, a minute apart."""
    ids = [f"00000000-0000-4000-8000-0000000001{n:02d}" for n in range(5)]
    for place, request_id in enumerate(ids):
        applicant = APPLICANT.model_copy(update={"unit": "Dinas Sosial" if place % 2 else "Dinas Kesehatan"})
        scope = Scope.APPLICATION if place == 4 else Scope.DATA
        await harness.submitted(
            subject=request_id, number=f"INT-2026-0000{place:02d}", applicant=applicant, scope=scope
        )
        harness.clock.advance(minutes=1)
    return ids


# The queue


async def test_the_queue_shows_the_longest_waiting_request_first(harness: StaffHarness):
    ids = await submit_five(harness)
    page = await look(harness, QUEUE)
    assert (page.status_code, rows(page)) == (200, ids)
    assert 'Verifikasi <span class="badge" data-count="/verifikasi">5<' in page.text
    for words in (
        "INT-2026-000000",
        "Rahmat Contoh",
        "Dinas Kesehatan",
        "Data trayek dihubungkan ke portal data.",
        "Sel 24 Nov",
        "1 peringatan",
    ):
        assert words in page.text
    assert APPLICANT.employee_number not in page.text
    assert page.headers["cache-control"] == "no-store"


async def test_overdue_requests_show_the_working_days(harness: StaffHarness):
    await harness.submitted()
    await harness.sign_in_again_after(days=1)
    assert ">lewat" not in (await look(harness, QUEUE)).text
    await harness.sign_in_again_after(days=6)
    assert ">lewat 4<" in (await look(harness, QUEUE)).text
    assert "Lewat 4 hari kerja" in (await look(harness)).text


async def test_lists_are_by_status_and_count_open_requests(harness: StaffHarness):
    ids = await submit_five(harness)
    for request_id, fact in ((ids[0], withdrawn), (ids[1], assigned)):
        await harness.publish(fact, subject=request_id)
    page = await look(harness, f"{QUEUE}/{ids[2]}")
    assert (await send(harness, page, f"{QUEUE}/{ids[2]}", **RETURN)).status_code == 303
    for query, found in (
        ("", ids[3:]),
        ("?status=returned", [ids[2]]),
        ("?status=open", ids[1:]),
        ("?status=all", ids[::-1]),
    ):
        page = await look(harness, QUEUE + query)
        assert rows(page) == found, query
        assert tab_counts(page) == [2, 0, 1, 0, 4], query
    assert "Sen 7 Des" in (await look(harness, f"{QUEUE}?status=returned")).text


async def test_a_tab_with_more_requests_than_are_counted_shows_so_many_and_a_plus(
    harness: StaffHarness, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(subsets, "MAX_ENTRIES", 4)
    monkeypatch.setattr(subsets, "MAX_TESTED_ENTRIES", 4)
    monkeypatch.setattr(subsets, "MAX_LOOKUPS", 4)
    ids = await submit_five(harness)
    assert tab_texts(await look(harness, QUEUE)) == ["4+", "0", "0", "0", "4+"]
    await harness.publish(withdrawn, subject=ids[0])
    assert tab_texts(await look(harness, QUEUE)) == ["4", "0", "0", "0", "4"]


async def test_the_queue_is_searched_filtered_and_paged_both_ways(harness: StaffHarness):
    ids = await submit_five(harness)
    for query, found in (
        ("?search=kesehatan+000002&unit=&scope=", [ids[2]]),
        ("?unit=Dinas+Sosial", [ids[1], ids[3]]),
        ("?scope=application", [ids[4]]),
    ):
        assert rows(await look(harness, QUEUE + query)) == found, query
    first = await look(harness, f"{QUEUE}?limit=2&scope=data")
    [onward] = re.findall(r'href="([^"]+)" rel="next"', first.text)
    second = await look(harness, unescape(onward))
    [back] = re.findall(r'href="([^"]+)" rel="prev"', second.text)
    assert (rows(first), rows(second)) == (ids[:2], ids[2:4])
    assert rows(await look(harness, unescape(back))) == ids[:2]
    assert 'rel="next"' not in second.text


async def test_an_empty_queue_says_why_and_how_to_clear_the_filter(harness: StaffHarness):
    page = await look(harness, QUEUE)
    assert "Tidak ada yang perlu diperiksa" in page.text
    assert 'class="toast"' in page.text
    await submit_five(harness)
    page = await look(harness, f"{QUEUE}?search=%22%3Cb%3Epariwisata&status=open")
    assert "Tidak ada permohonan yang cocok" in page.text
    assert "Ada 5 permohonan bila penyaring dilepas." in page.text
    assert f'href="{QUEUE}?status=open">Lepas penyaring' in page.text
    assert "<b>pariwisata" not in page.text


@pytest.mark.parametrize("query", ["after=x", "limit=0", "status=done", "scope=x", "unknown=1"])
async def test_an_invalid_query_gets_an_error_page(harness: StaffHarness, query: str):
    page = await look(harness, f"{QUEUE}?{query}")
    assert page.status_code == 422
    assert page.headers["content-type"].startswith("text/html")
    assert "Isian perlu diperbaiki" in page.text


@pytest.mark.parametrize("who", [name for name in PEOPLE if name not in ("nurlaila", "samsul")])
async def test_only_officers_open_and_send_these_pages(harness: StaffHarness, who: str):
    await harness.submitted()
    page = await look(harness)
    for path in (QUEUE, HERE, ADVICE, f"{HERE}/dokumen/{LETTER.id}"):
        assert (await look(harness, path, who)).status_code == 403, path
    assert (await send(harness, page, HERE, who, **VERIFY)).status_code == 403
    assert (await send(harness, page, ADVICE, who, reason="x")).status_code == 403
    assert await harness.events("verification") == []


async def test_unknown_requests_and_documents_get_a_404_page(harness: StaffHarness):
    for path in (f"{QUEUE}/{OTHER}", f"{QUEUE}/{OTHER}/rekomendasi", f"{QUEUE}/{OTHER}/dokumen/x"):
        page = await look(harness, path)
        assert (page.status_code, "Permohonan itu tidak ditemukan." in page.text) == (404, True)


# Decisions


async def test_a_request_is_verified_and_the_next_one_is_linked(harness: StaffHarness):
    await harness.submitted()
    await harness.submitted(subject=OTHER, number="INT-2026-000002")
    answer = await send(harness, await look(harness), **VERIFY)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{QUEUE}?selesai={REQUEST}")
    [event] = await harness.events("verification")
    assert isinstance(event.fact, RequestVerified)
    assert (event.fact.by.username, event.fact.acknowledged) == ("nurlaila", ("birth_date",))
    for _ in range(2):
        page = await look(harness, answer.headers["location"])
        assert "INT-2026-000001 dinyatakan lengkap." in page.text
        assert f'href="{QUEUE}/{OTHER}">Periksa berikutnya: INT-2026-000002' in page.text
    assert "dinyatakan lengkap" not in (await look(harness, answer.headers["location"], "samsul")).text


async def test_a_request_is_returned_with_a_note_on_what_is_missing(harness: StaffHarness):
    await harness.submitted()
    answer = await send(harness, await look(harness), **{**RETURN, "note_form": "Tidak jadi."})
    assert answer.status_code == 303
    [event] = await harness.events("verification")
    assert isinstance(event.fact, RequestReturned)
    assert [verdict.note for verdict in event.fact.verdicts] == ["", NOTE, "", ""]
    page = await look(harness, answer.headers["location"])
    assert "INT-2026-000001 dikembalikan." in page.text
    assert "Senin, 7 Desember 2026" in page.text
    assert "Tidak ada lagi yang perlu diperiksa." in page.text


@pytest.mark.parametrize(
    ("sent", "fields"),
    [
        ({"_do": "verify"}, {"ok_form", "ok_letter", "ok_scope", "ok_documents", "acknowledged"}),
        ({**VERIFY, "acknowledged": ""}, {"acknowledged"}),
        ({**VERIFY, "ok_scope": "no", "note_scope": "Berbeda."}, {"ok_scope"}),
        ({**VERIFY, "ok_scope": "no", "ok_form": ""}, {"ok_form", "ok_scope", "note_scope"}),
        ({**RETURN, "note_letter": " "}, {"note_letter"}),
        ({**RETURN, "note_letter": "x" * 501}, {"note_letter"}),
        ({**RETURN, "ok_letter": "perhaps"}, {"ok_letter"}),
        ({**ALL_OK, "_do": "return"}, {"ok_form"}),
    ],
)
async def test_all_errors_are_shown_beside_their_items(harness: StaffHarness, sent: dict[str, str], fields: set[str]):
    await harness.submitted()
    page = await send(harness, await look(harness), **sent)
    assert page.status_code == 422
    assert error_links(page) == fields
    for field in fields:
        assert f'id="{field}-e"' in page.text
    assert "<title>Kesalahan: " in page.text
    assert await harness.events("verification") == []


async def test_a_form_with_unknown_fields_or_buttons_is_refused(harness: StaffHarness):
    await harness.submitted()
    page = await look(harness)
    for sent in ({**VERIFY, "status": "verified"}, {**VERIFY, "_do": "reject"}, {**VERIFY, "round": "x"}):
        assert (await send(harness, page, **sent)).status_code == 422, sent
    assert await harness.events("verification") == []


async def test_choices_and_notes_are_kept_after_an_error(harness: StaffHarness):
    await harness.submitted()
    page = await send(harness, await look(harness), ok_form="yes", ok_letter="no", note_letter=NOTE, _do="return")
    assert (page.status_code, textarea_value(page, "note_letter")) == (422, NOTE)
    assert checked_radios(page) == {"ok_form-yes", "ok_letter-no"}
    again = await send(harness, page, **RETURN)
    assert again.status_code == 303


async def test_a_form_that_is_sent_twice_decides_once(harness: StaffHarness):
    await harness.submitted()
    page = await look(harness)
    first, second = await send(harness, page, **RETURN), await send(harness, page, **RETURN)
    assert (first.status_code, second.status_code) == (303, 303)
    other = await send(harness, page, **VERIFY)
    assert (other.status_code, "Dikembalikan untuk dilengkapi oleh Nurlaila Ibarat" in other.text) == (409, True)
    assert len(await harness.events("verification")) == 1


# Conflicts


async def test_a_late_decision_shows_the_conflict_and_keeps_the_form(harness: StaffHarness):
    await harness.submitted()
    page = await look(harness)
    await send(harness, await look(harness, who="samsul"), HERE, "samsul", **VERIFY)
    late = await send(harness, page, **RETURN)
    assert late.status_code == 409
    assert "Dinyatakan lengkap oleh Samsul Seandainya, Petugas Layanan TI pada 23 November 2026, 12.00 WIT" in late.text
    assert (textarea_value(late, "note_letter"), "ok_letter-no" in checked_radios(late)) == (NOTE, True)
    assert 'value="verify"' not in late.text
    assert 'class="deck' not in late.text
    still = await send(harness, late, **{**RETURN, "_do": f"look:{LETTER.id}:1"})
    assert (textarea_value(still, "note_letter"), 'class="deck' in still.text) == (NOTE, False)


async def test_a_checklist_of_an_earlier_round_decides_nothing(harness: StaffHarness):
    await harness.submitted()
    page = await look(harness)
    await send(harness, await look(harness, who="samsul"), HERE, "samsul", **RETURN)
    await harness.publish(resubmitted)
    late = await send(harness, page, **VERIFY)
    assert (late.status_code, "dikirim ulang oleh Pemohon" in late.text) == (409, True)
    assert 'class="deck' not in late.text
    fresh = await look(harness)
    assert "Putaran 1, Samsul Seandainya: Belum ada" in fresh.text
    assert (await send(harness, fresh, **VERIFY)).status_code == 303


async def test_a_form_that_was_corrected_since_is_looked_at_again(harness: StaffHarness):
    await harness.submitted()
    page, advice = await look(harness), await look(harness, ADVICE)
    await harness.publish(corrected)
    late = await send(harness, page, **VERIFY)
    assert (late.status_code, "Isian diperbaiki pemohon" in late.text) == (409, True)
    assert 'class="deck' not in late.text
    refused = await send(harness, advice, ADVICE, reason="Di luar lingkup layanan.")
    assert (refused.status_code, "Isian diperbaiki pemohon" in refused.text) == (409, True)
    assert (await send(harness, await look(harness), **VERIFY)).status_code == 303


async def test_a_partly_filled_form_reports_that_the_request_was_withdrawn(harness: StaffHarness):
    await harness.submitted()
    page = await look(harness)
    await harness.publish(withdrawn)
    again = await send(harness, page, note_letter=NOTE, _do="look")
    assert (textarea_value(again, "note_letter"), "Permohonan dibatalkan oleh Pemohon" in again.text) == (NOTE, True)
    untouched = await send(harness, page, _do="look")
    assert "tindakan Anda tidak disimpan" not in untouched.text
    assert "belum pernah diperiksa" in untouched.text


async def test_a_form_survives_an_expired_session(harness: StaffHarness):
    await harness.submitted()
    page = await look(harness)
    harness.clock.advance(minutes=31)
    ended = await send(harness, page, **RETURN)
    assert (ended.status_code, "Sesi Anda berakhir" in ended.text) == (401, True)
    await harness.sign_in_again_after(minutes=1)
    back = await send(harness, await look(harness), **{**RETURN, "_resume": "1"})
    assert (back.status_code, textarea_value(back, "note_letter")) == (200, NOTE)
    assert checked_radios(back) == {"ok_form-yes", "ok_letter-no", "ok_scope-yes", "ok_documents-yes"}
    assert await harness.events("verification") == []


async def test_a_form_without_csrf_token_decides_nothing(harness: StaffHarness):
    await harness.submitted()
    answer = await send(harness, await look(harness), **VERIFY, _csrf="0" * 128)
    assert "Isian Anda masih ada" in answer.text
    assert await harness.events("verification") == []


# Documents


def page_image(page: httpx.Response) -> str:
    """Return the address of the page image that is shown."""
    [image] = re.findall(r'<img class="paper[^"]*" src="([^"]+)"', page.text)
    return unescape(image)


def in_order(page: httpx.Response) -> list[str]:
    return [unescape(name) for name in re.findall(r'class="tab".*?<span class="name">(.*?)</span>', page.text)]


async def test_documents_are_shown_page_by_page_with_the_letter_first(harness: StaffHarness):
    data = await harness.store_document("kamus data.pdf", pdf(1))
    letter = await harness.store_document("surat.pdf", pdf(3), DocumentKind.LETTER)
    await harness.submitted(data, letter)
    page = await look(harness)
    assert in_order(page) == ["Surat Permohonan", "kamus data.pdf"]
    assert "halaman 1 dari 3" in page.text
    assert (await look(harness, page_image(page))).headers["content-type"] == "image/png"
    second = await look(harness, f"{HERE}?dokumen={letter.id}&halaman=2")
    assert "halaman 2 dari 3" in second.text
    assert f"look:{letter.id}:1" in second.text
    assert f"look:{letter.id}:3" in second.text
    assert 'width="544" height="770"' in second.text
    download = await look(harness, f"{HERE}/dokumen/{letter.id}")
    assert download.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize("query", ["dokumen=x&halaman=2", "halaman=99", "halaman=-1", "halaman=%D9%A3", "dokumen="])
async def test_a_url_without_a_valid_page_shows_the_first_of_the_letter(harness: StaffHarness, query: str):
    letter = await harness.store_document("surat.pdf", pdf(3), DocumentKind.LETTER)
    await harness.submitted(letter)
    named = query if "dokumen" in query else f"dokumen={letter.id}&{query}"
    assert "halaman 1 dari 3" in (await look(harness, f"{HERE}?{named}")).text


async def test_changing_the_page_without_script_keeps_the_form(harness: StaffHarness):
    letter = await harness.store_document("surat.pdf", pdf(3), DocumentKind.LETTER)
    await harness.submitted(letter)
    half = {"ok_form": "yes", "ok_letter": "no", "note_letter": NOTE, "acknowledged": "birth_date"}
    page = await send(harness, await look(harness), **half, _do=f"look:{letter.id}:2")
    assert (page.status_code, "halaman 2 dari 3" in page.text) == (200, True)
    assert (textarea_value(page, "note_letter"), checked_radios(page)) == (NOTE, {"ok_form-yes", "ok_letter-no"})
    assert 'value="birth_date" checked' in page.text
    assert 'class="sum"' not in page.text
    refused = await send(harness, page, **half, _do="verify")
    assert (refused.status_code, "halaman 2 dari 3" in refused.text) == (422, True)


async def test_words_are_searched_in_a_document_without_script_and_the_form_is_kept(
    harness: StaffHarness, caplog: pytest.LogCaptureFixture
):
    letter = await harness.store_document("surat.pdf", pdf(3, "Halam\xe1n"), DocumentKind.LETTER)
    await harness.submitted(letter)
    typed = {"ok_form": "yes", "ok_letter": "no", "note_letter": NOTE}
    with caplog.at_level(logging.INFO):
        page = await send(harness, await look(harness), **typed, kata=" HALAMAN ", _do=f"look:{letter.id}:1")
    assert f"nurlaila searched document {letter.id}" in caplog.text
    assert '"HALAMAN" ada 3 kali di 3 halaman.' in unescape(page.text)
    assert (textarea_value(page, "note_letter"), checked_radios(page)) == (NOTE, {"ok_form-yes", "ok_letter-no"})
    assert (
        f'value="look:{letter.id}:3:0:100:1" data-look="?dokumen={letter.id}&amp;halaman=3&amp;kata=HALAMAN"'
        in page.text
    )
    nothing = await look(harness, f"{HERE}?kata=%3Cb%3E")
    assert "&lt;b&gt;&#34; tidak ada dalam teks dokumen ini." in nothing.text
    for short in ("a", "%27%27", "a%27", "%CC%81%CC%81"):  # without quotes and accents
        assert "Tulis paling sedikit 2 huruf." in (await look(harness, f"{HERE}?kata={short}")).text, short
    refused = await send(harness, page, **typed, kata="HALAMAN", _do="verify")
    assert refused.status_code == 422


async def test_words_are_searched_over_the_api(harness: StaffHarness):
    letter = await harness.store_document("surat.pdf", pdf(2), DocumentKind.LETTER)
    await harness.submitted(letter)
    path = f"/api/verification/requests/{REQUEST}/documents"
    found = await harness.get("nurlaila", f"{path}/{letter.id}/matches", params={"search": "halaman 2"})
    assert (found.status_code, found.json()) == (
        200,
        {"matches": [{"page": 2, "count": 1, "excerpt": "Halaman 2"}], "has_text": True, "is_complete": True},
    )
    for wrong, status in (
        (f"{letter.id}/matches?search=a", 422),
        (f"{letter.id}/matches?search=%27%27", 422),
        (f"{letter.id}/matches?search=a%CC%81%CC%81", 422),
        (f"{letter.id}/matches", 422),
        ("x/matches?search=ab", 404),
    ):
        assert (await harness.get("nurlaila", f"{path}/{wrong}")).status_code == status, wrong


async def test_a_document_that_cannot_be_shown_can_be_downloaded(harness: StaffHarness):
    broken = await harness.store_unchecked("rusak.pdf", b"%PDF-1.7\nno more than this", "application/pdf")
    archive = RESULT.model_copy(update={"id": "arsip", "name": "arsip.zip", "media_type": "application/zip"})
    lost = RESULT.model_copy(update={"id": "hilang"})
    await harness.submitted(broken, archive, lost)
    for document_id, words in (
        (broken.id, "tidak dapat ditampilkan"),
        ("arsip", "Dokumen ZIP tidak"),
        ("hilang", "tidak ditemukan"),
    ):
        page = await look(harness, f"{HERE}?dokumen={document_id}")
        assert page.status_code == 200, document_id
        assert words in page.text, document_id
        assert "<img" not in page.text, document_id
        assert f"{HERE}/dokumen/{document_id}" in page.text, document_id
    missing = await look(harness, f"{HERE}/dokumen/hilang")
    assert (missing.status_code, missing.headers["content-type"].startswith("text/html")) == (404, True)


async def test_pages_are_counted_at_once_even_when_rendering_is_slow(
    harness: StaffHarness, monkeypatch: pytest.MonkeyPatch
):
    letter = await harness.store_document("surat.pdf", pdf(3), DocumentKind.LETTER)
    await harness.submitted(letter)
    monkeypatch.setattr(previews, "RENDER_WAIT_SECONDS", 0.0)
    page = await look(harness)
    assert "Halaman 1 dari 3" in page.text
    assert f"look:{letter.id}:2" in page.text
    assert (await look(harness, page_image(page))).status_code == 200


async def test_a_page_is_turned_and_enlarged_without_script(harness: StaffHarness):
    letter = await harness.store_document("surat.pdf", pdf(2), DocumentKind.LETTER)
    await harness.submitted(letter)
    half = {"ok_form": "yes", "note_letter": NOTE}
    turned = await send(harness, await look(harness), **half, _do=f"look:{letter.id}:2:90:200:1")
    assert (
        page_image(turned)
        == f"/api/verification/requests/{REQUEST}/documents/{letter.id}/pages/2?width=2000&rotation=90"
    )
    assert 'class="paper scaled"' in turned.text
    assert 'width="1088" height="769"' in turned.text
    assert (">200%<" in turned.text, checked_radios(turned)) == (True, {"ok_form-yes"})
    assert f"look:{letter.id}:2:180:200:1" in turned.text
    assert f"look:{letter.id}:2:90:300:1" in turned.text
    assert f"look:{letter.id}:2:90:1:1" in turned.text
    assert (await look(harness, page_image(turned))).headers["content-type"] == "image/png"
    refused = await send(harness, turned, **half, _do="verify")
    assert (refused.status_code, page_image(refused)) == (422, page_image(turned))


async def test_each_page_has_a_thumbnail(harness: StaffHarness):
    letter = await harness.store_document("surat.pdf", pdf(3), DocumentKind.LETTER)
    await harness.submitted(letter)
    page = await look(harness)
    thumbnails = re.findall(r'<img src="([^"]+)" width="52"', page.text)
    assert [address.partition("/pages/")[2] for address in thumbnails] == [f"{n}?width=120" for n in (1, 2, 3)]
    for address, status in ((thumbnails[2], 200), (f"{thumbnails[2]}1", 422), (f"{thumbnails[2]}&rotation=45", 422)):
        assert (await look(harness, address)).status_code == status, address


async def test_the_page_of_the_signature_is_linked_from_its_item(harness: StaffHarness):
    letter = await harness.store_document("surat.pdf", pdf(3), DocumentKind.LETTER)
    data = await harness.store_document("kamus data.pdf", pdf(1))
    await harness.submitted(letter, data)
    page = await look(harness)
    proofs = re.findall(r'class="proof" .*?value="([^"]+)".*?<span class="name">(.*?)</span>', page.text)
    assert proofs == [
        (f"look:{letter.id}:3:0:100:1", "hal. 3"),
        (f"look:{letter.id}:1:0:100:1", "hal. 1"),
        (f"look:{data.id}:1:0:100:1", "1 berkas"),
    ]


# A later round


async def return_and_resubmit(harness: StaffHarness) -> tuple[DocumentRef, ...]:
    """Return a request, and resubmit it with a new letter and a file in place of another; the old ones first."""
    letter = await harness.store_document("surat.pdf", pdf(2), DocumentKind.LETTER)
    data, flow = [await harness.store_document(name, pdf(1)) for name in ("kamus.pdf", "alur.pdf")]
    await harness.submitted(letter, data, flow)
    await send(harness, await look(harness), **{**RETURN, "ok_documents": "no", "note_documents": "Kurang."})
    signed, filled = [
        (await harness.store_document(name, pdf(3), kind)).model_copy(update={"round": 2})
        for name, kind in (("surat-ttd.pdf", DocumentKind.LETTER), ("kamus baru.pdf", DocumentKind.REQUIREMENT))
    ]
    documents, replaced = (signed, filled, flow), (letter.id, data.id)
    await harness.publish(resubmitted.model_copy(update={"documents": documents, "replaced": replaced}))
    return letter, data, signed, filled, flow


async def test_a_later_round_carries_passed_verdicts_and_asks_for_the_failed_ones(harness: StaffHarness):
    await return_and_resubmit(harness)
    page = await look(harness)
    assert "Yang dilengkapi (2)" in page.text
    assert "2 butir lain <small>sesuai sejak putaran 1</small>" in page.text
    assert checked_radios(page) == {"ok_form-yes", "ok_scope-yes"}
    assert re.findall(r'role="radiogroup" id="(\w+)"', page.text) == [
        "ok_letter",
        "ok_documents",
        "ok_form",
        "ok_scope",
    ]
    answer = await send(harness, page, **VERIFY)
    assert answer.status_code == 303


async def test_a_replaced_file_is_shown_beside_its_old_version(harness: StaffHarness):
    letter, data, signed, filled, flow = await return_and_resubmit(harness)
    page = await look(harness)
    images = re.findall(r'<img class="paper" src="[^"]*documents/([^"]+)"', page.text)
    assert images == [f"{letter.id}/pages/1", f"{signed.id}/pages/1"]
    assert "<h3>Lama <span>putaran 1, " in page.text
    assert "<h3>Baru <span>putaran 2, " in page.text
    assert 'class="panes duos"' in page.text
    second = await look(harness, f"{HERE}?dokumen={signed.id}&halaman=3")
    images = re.findall(r'<img class="paper" src="[^"]*documents/([^"]+)"', second.text)
    assert images == [f"{letter.id}/pages/1", f"{signed.id}/pages/3"]
    alone = await look(harness, f"{HERE}?dokumen={signed.id}&banding=0")
    assert (page_image(alone).partition("documents/")[2], "Bandingkan" in alone.text) == (f"{signed.id}/pages/1", True)
    other = await look(harness, f"{HERE}?dokumen={filled.id}")
    images = re.findall(r'<img class="paper" src="[^"]*documents/([^"]+)"', other.text)
    assert images == [f"{data.id}/pages/1", f"{filled.id}/pages/1"]
    same = await look(harness, f"{HERE}?dokumen={flow.id}")
    assert (page_image(same).partition("documents/")[2], "Bandingkan" in same.text) == (f"{flow.id}/pages/1", False)


async def test_files_of_earlier_rounds_are_told_and_readable(harness: StaffHarness):
    letter, data, *_ = await return_and_resubmit(harness)
    whole = (await harness.get("nurlaila", f"/api/verification/requests/{REQUEST}")).json()
    assert [(one["id"], one["round"]) for one in whole["replaced_documents"]] == [(letter.id, 1), (data.id, 1)]
    assert (await look(harness, f"{HERE}/dokumen/{letter.id}")).status_code == 200
    page = await look(harness, f"{HERE}?dokumen={letter.id}")
    assert in_order(page)[-2:] == ["Surat Permohonan", "kamus.pdf"]
    assert page.text.count('<span class="badge">lama</span>') == 2


# The queue around a request


async def test_a_request_tells_its_place_in_the_queue_and_links_its_neighbours(harness: StaffHarness):
    ids = await submit_five(harness)
    page = await look(harness, f"{QUEUE}/{ids[2]}")
    assert "3 dari 5" in page.text
    assert re.findall(rf'href="{QUEUE}/([^"/]+)" title="(\w+)', page.text) == [
        (ids[1], "Sebelumnya"),
        (ids[3], "Berikutnya"),
    ]
    first = await look(harness, f"{QUEUE}/{ids[0]}")
    assert re.findall(rf'href="{QUEUE}/([^"/]+)" title="(\w+)', first.text) == [(ids[1], "Berikutnya")]
    await harness.publish(withdrawn, subject=ids[1])
    assert "Permohonan lain dalam antrean" not in (await look(harness, f"{QUEUE}/{ids[1]}")).text


async def test_a_request_opened_from_a_filtered_list_goes_on_in_that_list(harness: StaffHarness):
    ids = await submit_five(harness)
    listed = await look(harness, f"{QUEUE}?unit=Dinas+Sosial&sort=-received_at")
    opened = [unescape(url) for url in re.findall(rf'class="go" href="({QUEUE}/[^"]+)"', listed.text)]
    suffix = "?daftar=unit%3DDinas%2BSosial%26sort%3D-received_at"
    assert opened == [f"{QUEUE}/{ids[3]}{suffix}", f"{QUEUE}/{ids[1]}{suffix}"]
    first, last = [await look(harness, url) for url in opened]
    assert ("1 dari 2" in first.text, "2 dari 2" in last.text) == (True, True)
    assert re.findall(r'href="([^"]+)" title="(\w+)', first.text)[:1] == [(opened[1], "Berikutnya")]
    assert f'href="{QUEUE}?unit=Dinas+Sosial&amp;sort=-received_at"' in first.text
    assert f'action="{opened[0]}"' in first.text
    answer = await send(harness, first, opened[0], **VERIFY)
    assert answer.headers["location"] == f"{QUEUE}?unit=Dinas+Sosial&sort=-received_at&selesai={ids[3]}"
    after = await look(harness, answer.headers["location"])
    assert f'href="{opened[1]}">Periksa berikutnya: INT-2026-000001' in after.text


@pytest.mark.parametrize("broken", ["status%3Dnothing", "limit%3D0", "%00", "sort"])
async def test_a_request_whose_address_names_no_list_is_in_the_queue(harness: StaffHarness, broken: str):
    ids = await submit_five(harness)
    page = await look(harness, f"{QUEUE}/{ids[2]}?daftar={broken}")
    assert (page.status_code, "3 dari 5" in page.text) == (200, True)


# Access


async def test_a_page_is_rendered_once_and_each_access_is_logged_once(
    harness: StaffHarness, caplog: pytest.LogCaptureFixture
):
    letter = await harness.store_document("surat.pdf", pdf(2), DocumentKind.LETTER)
    await harness.submitted(letter)
    with caplog.at_level(logging.INFO):
        page = await look(harness)
        harness.platform.settings.documents.rename(harness.platform.settings.documents.with_name("gone"))
        assert (await look(harness, page_image(page))).status_code == 200
    noted = [record.getMessage() for record in caplog.records if "looked at page" in record.getMessage()]
    assert noted == [f"nurlaila looked at page 1 of document {letter.id}"]


# Decided requests and recommendations


async def test_a_decided_request_is_read_only_with_its_history(harness: StaffHarness):
    await harness.submitted()
    await send(harness, await look(harness), **VERIFY)
    await harness.publish(assigned, started, completed, confirmed)
    page = await look(harness)
    for words in ("Selesai", "Dewi Andaian", "Hasil pemeriksaan", "Sesuai", "laporan.pdf", "Serah terima dikonfirmasi"):
        assert words in page.text, words
    assert page.text.count("<time datetime") == 6
    assert "Peringatan Nomor Pegawai sudah dicocokkan" in page.text
    assert 'name="ok_form"' not in page.text
    assert 'class="deck' not in page.text


async def test_a_recommended_request_still_awaits_a_decision(harness: StaffHarness):
    await harness.submitted()
    answer = await send(harness, await look(harness, ADVICE), ADVICE, reason="Di luar lingkup <b>")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{QUEUE}?selesai={REQUEST}")
    [event] = await harness.events("verification")
    assert isinstance(event.fact, RejectionRecommended)
    assert "Penolakan INT-2026-000001 direkomendasikan." in (await look(harness, answer.headers["location"])).text
    page = await look(harness, who="samsul")
    assert "Penolakan direkomendasikan oleh Nurlaila Ibarat" in page.text
    assert ADVICE not in page.text
    assert 'value="verify"' in page.text
    closed = await look(harness, ADVICE)
    assert ("<textarea" in closed.text, "Di luar lingkup &lt;b&gt;" in closed.text) == (False, True)


async def test_a_recommendation_needs_a_reason_and_keeps_it_after_a_conflict(harness: StaffHarness):
    await harness.submitted()
    page = await look(harness, ADVICE)
    empty = await send(harness, page, ADVICE, reason=" ")
    assert (empty.status_code, error_links(empty)) == (422, {"reason"})
    await harness.publish(rejected)
    late = await send(harness, page, ADVICE, reason=NOTE)
    assert (late.status_code, textarea_value(late, "reason")) == (409, NOTE)
    assert "oleh Hasan Umpama, Penanggung Jawab Struktural" in late.text
    assert "Rekomendasikan Penolakan</button>" not in late.text
    assert await harness.events("verification") == []


async def test_a_second_recommendation_names_the_first(harness: StaffHarness):
    await harness.submitted()
    page = await look(harness, ADVICE, "samsul")
    await send(harness, await look(harness, ADVICE), ADVICE, reason="Di luar lingkup.")
    second = await send(harness, page, ADVICE, "samsul", reason=NOTE)
    assert (second.status_code, textarea_value(second, "reason")) == (409, NOTE)
    assert "Nurlaila Ibarat" in second.text


async def test_pages_declare_their_live_stream_and_cursor(harness: StaffHarness):
    await harness.submitted()
    cursor = await harness.services["verification"].runtime.store.latest_change()
    for path, subject in ((QUEUE, ""), (HERE, REQUEST), (ADVICE, REQUEST)):
        page = await look(harness, path)
        assert f'data-live="/api/verification/live?last_event_id={cursor}"' in page.text, path
        assert 'data-version="1"' in page.text, path
        assert ('data-subject="' in page.text) is bool(subject), path
