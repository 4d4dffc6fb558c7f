"""The console of the structural head: what is shown, what is sent, and what is said when something is wrong."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.assignment import LeadAssigned, LeadReassigned, RequestRejected
from shared.contracts.facts import Scope
from shared.identity.accounts import Role
from tests.domain.given import REQUEST
from tests.domain.intake_story import APPLICANT, contested, recommended, resubmitted, returned, verified, withdrawn
from tests.services.assignment_ground import API, ASSIGN, QUEUE, fill_in, page, rows, send, text_of, to
from tests.services.desk_ground import OTHER, PEOPLE, Ground, desk_ground, pdf

HEADS = [who for who, (_, roles) in PEOPLE.items() if Role.STRUCTURAL in roles]
REASON = "Di luar lingkup layanan ini."


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    async with desk_ground(tmp_path) as opened:
        yield opened


def id_of(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


async def several(ground: Ground, *statuses: str) -> list[str]:
    """Requests 101, 102 ... in these statuses, one submitted after another."""
    ids = [id_of(number) for number in range(101, 101 + len(statuses))]
    for number, (id, status) in enumerate(zip(ids, statuses, strict=True), 101):
        await to(ground, status, subject=id, number=f"INT-2026-{number:06d}")
        ground.clock.go_on(minutes=1)
    return ids


async def test_the_queue_shows_what_waits_for_a_lead_oldest_first(ground: Ground):
    ids = await several(ground, "verified", "assigned", "verified", "submitted")
    shown = await page(ground, "hasan", "/penugasan")
    assert rows(shown) == [ids[0], ids[2]]
    assert shown.headers["cache-control"] == "no-store"
    assert re.search(r'href="/penugasan" aria-current="page">Penugasan <span class="badge" data-waiting>2<', shown.text)
    assert "Batas tunjuk (internal)" in shown.text
    assert re.search(r'data-live="/api/assignment/live\?last_event_id=[^"]+"', shown.text)
    assert 'class="toast"' in shown.text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?tab=appoint", [0]),
        ("?tab=submitted", [1]),
        ("?tab=running", [2, 3, 4]),
        ("?tab=open", [0, 1, 2, 3, 4]),
        ("?tab=archive", [5, 4, 3, 2, 1, 0]),
        ("?tab=nowhere", [0]),
        ("?lead=dewi", [2, 3, 4]),
        ("?lead=jafar", []),
        ("?status=on_hold", [4]),
        ("?tab=running&status=assigned", [2]),
        ("?tab=archive&status=withdrawn", [5]),
        ("?tab=open&search=int-2026-000104", [3]),
        ("?tab=open&search=perhubungan+rahmat", [0, 1, 2, 3, 4]),
        ("?tab=open&search=kesehatan", []),
    ],
)
async def test_tabs_and_filters_narrow_the_queue(ground: Ground, query: str, found: list[int]):
    ids = await several(ground, "verified", "submitted", "assigned", "in_progress", "on_hold", "submitted")
    await ground.happened(withdrawn, subject=ids[5])
    shown = await page(ground, "hasan", f"/penugasan{query}")
    assert rows(shown) == [ids[place] for place in found]


async def test_tabs_count_what_is_open(ground: Ground):
    ids = await several(ground, "verified", "submitted", "submitted", "assigned", "submitted")
    await ground.happened(recommended, subject=ids[1])
    await ground.happened(withdrawn, subject=ids[4])
    shown = await page(ground, "hasan", "/penugasan")
    counts = re.findall(r'">([^<]+) <span class="badge" data-count="\d">(\d+)<', shown.text)
    assert counts == [
        ("Perlu ditunjuk", "1"),
        ("Penolakan disarankan", "1"),
        ("Diajukan", "2"),
        ("Berjalan", "1"),
        ("Melewati target", "0"),
        ("Semua terbuka", "4"),
    ]
    assert ">Arsip</a>" in shown.text


async def test_a_scope_narrows_what_waits_for_a_lead(ground: Ground):
    await to(ground, "verified", scope=Scope.APPLICATION)
    assert rows(await page(ground, "hasan", "/penugasan?scope=application")) == [REQUEST]
    assert rows(await page(ground, "hasan", "/penugasan?scope=data")) == []


async def test_advice_to_reject_is_marked_until_the_request_comes_back_in_another_round(ground: Ground):
    await ground.submitted()
    await ground.happened(recommended)
    for tab in ("advised", "submitted", "open"):
        shown = await page(ground, "hasan", f"/penugasan?tab={tab}")
        assert (rows(shown), "</svg> Penolakan disarankan</small>" in shown.text) == ([REQUEST], True), tab
    await ground.happened(returned, resubmitted)
    assert rows(await page(ground, "hasan", "/penugasan?tab=advised")) == []
    again = await page(ground, "hasan", "/penugasan?tab=submitted")
    assert (rows(again), "</svg> Penolakan disarankan</small>" in again.text) == ([REQUEST], False)
    assert "Saran penolakan pada putaran 1" in (await page(ground, "hasan", QUEUE)).text


async def test_what_is_late_says_by_how_much_beside_its_state(ground: Ground):
    await to(ground, "assigned")
    await ground.sign_in_everybody_after(days=24)
    shown = await page(ground, "hasan", "/penugasan?tab=overdue")
    assert rows(shown) == [REQUEST]
    assert re.search(r'<span class="st assigned">Ditugaskan</span> <small class="late">Lewat 3 hari kerja', shown.text)
    assert "Target internal: mulai Rab 25 Nov" in shown.text
    assert "Melewati target 3 hari kerja" in (await page(ground, "hasan", QUEUE)).text


async def test_a_target_that_passed_over_the_weekend_counts_no_days(ground: Ground):
    await to(ground, "verified")
    await ground.post("hasan", f"{API}/{REQUEST}/assignment", {**ASSIGN, "target_date": "2026-11-27"})
    await ground.sign_in_everybody_after(days=5)
    shown = await page(ground, "hasan", "/penugasan?tab=overdue")
    assert '<small class="late">Lewat target</small>' in shown.text
    assert "0 hari kerja" not in shown.text


async def test_pages_of_the_queue_follow_each_other_and_keep_what_was_asked(ground: Ground):
    ids = await several(ground, *["verified"] * 3)
    first = await page(ground, "hasan", "/penugasan?search=dinas&limit=2")
    assert rows(first) == ids[:2]
    address = html.unescape(re.findall(r'href="([^"]+)" rel="next"', first.text)[0])
    assert "search=dinas" in address
    second = await page(ground, "hasan", f"{address}&limit=2")
    assert rows(second) == ids[2:]
    assert 'rel="prev"' in second.text


async def test_an_empty_queue_says_so_and_a_search_in_vain_shows_the_way_out(ground: Ground):
    empty = await page(ground, "hasan", "/penugasan")
    assert "Tidak ada yang menunggu penunjukan" in empty.text
    assert 'class="toast"' in empty.text
    await to(ground, "assigned")
    vain = await page(ground, "hasan", "/penugasan?search=INT-2026-000001")
    assert "Tidak ada yang cocok" in vain.text
    way = html.unescape(re.findall(r'href="([^"]+tab=archive&amp;search=[^"]+)"', vain.text)[-1])
    assert rows(await page(ground, "hasan", way)) == [REQUEST]


async def test_a_request_is_shown_with_everything_that_was_sent_and_happened(ground: Ground):
    content = pdf()
    document = await ground.keep("kamus.pdf", content)
    await to(ground, "verified", document)
    shown = await page(ground, "hasan", QUEUE)
    for words in (
        APPLICANT.name,
        "19850230 201001 1 001",
        APPLICANT.email,
        "500/1/DISHUB",
        "Dinyatakan lengkap",
        "kamus.pdf",
    ):
        assert words in shown.text, words
    got = await page(ground, "hasan", f"{QUEUE}/dokumen/{document.id}")
    assert got.headers["content-disposition"].startswith("attachment")
    assert got.content == content


async def test_the_form_offers_leads_with_their_load_and_a_target(ground: Ground):
    await to(ground, "assigned", subject=OTHER, number="INT-2026-000002")
    await to(ground, "verified")
    shown = await page(ground, "hasan", QUEUE)
    assert 'value="2026-12-21"' in shown.text
    assert "Sudah diisi 20 hari kerja dari sekarang. Tanggal ini dilihat pemohon." in shown.text
    cards = re.findall(r'name="lead" value="(\w+)">.*?<span class="hint num">(.*?)</span>', shown.text)
    assert cards == [("dewi", "1 terbuka"), ("jafar", "0 terbuka"), ("kepala", "0 terbuka")]
    assert " checked" not in shown.text


async def test_a_lead_is_appointed_and_the_queue_says_so(ground: Ground):
    await to(ground, "verified")
    answer = await fill_in(ground, "hasan", QUEUE, **ASSIGN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/penugasan?done=assigned&number=INT-2026-000001")
    [event] = await ground.events("assignment")
    assert isinstance(event.fact, LeadAssigned)
    assert (event.fact.lead.username, event.fact.note) == ("dewi", ASSIGN["note"])
    after = await page(ground, "hasan", answer.headers["location"])
    assert "Penanggung jawab teknis untuk INT-2026-000001 sudah ditunjuk." in after.text
    shown = await page(ground, "hasan", QUEUE)
    assert (f'href="{QUEUE}/ganti"' in shown.text, 'name="lead"' in shown.text) == (True, False)


@pytest.mark.parametrize("query", ["?done=assigned&number=%3Cb%3E", "?done=assigned&number=Anda+kalah"])
async def test_nobody_puts_words_into_a_message_by_its_address(ground: Ground, query: str):
    assert (await page(ground, "hasan", f"/penugasan{query}")).status_code == 422


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"lead": None}, "lead", "Pilih penanggung jawab teknis."),
        ({"complexity": None}, "complexity", "Pilih kerumitan pekerjaan."),
        ({"target_date": ""}, "target_date", "Pilih target selesai."),
        ({"target_date": "2026-11-20"}, "target_date", "Pilih target selesai hari ini (23-11-2026) atau sesudahnya."),
        ({"target_date": "besok"}, "target_date", "Tulis tanggal dengan susunan tahun-bulan-hari"),
        ({"lead": "nurlaila"}, "lead", "Pilih penanggung jawab teknis yang akunnya masih aktif."),
    ],
)
async def test_a_form_that_is_not_right_comes_back_with_the_reason_and_what_was_typed(
    ground: Ground, changes: dict[str, Any], field: str, sentence: str
):
    await to(ground, "verified")
    answer = await fill_in(ground, "hasan", QUEUE, **{**ASSIGN, **changes})
    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert f'<a href="#{field}">' in answer.text
    assert f'id="{field}-e"' in answer.text
    assert ">\nMohon didahulukan.</textarea>" in answer.text
    assert "<title>Kesalahan: " in answer.text
    assert await ground.events("assignment") == []


async def test_the_second_of_two_heads_learns_who_was_first_and_keeps_what_was_typed(ground: Ground):
    await to(ground, "verified")
    form = await page(ground, "halima", QUEUE)
    await fill_in(ground, "hasan", QUEUE, **ASSIGN)
    answer = await send(ground, "halima", QUEUE, form, **{**ASSIGN, "lead": "jafar", "note": "Catatan Halima."})
    assert answer.status_code == 409
    said = text_of(answer)
    assert "Penanggung jawab teknis ditunjuk oleh Hasan Umpama, Penanggung Jawab Struktural pada 23-11-2026" in said
    assert "Muat keadaan terbaru" in said
    assert 'value="jafar" checked' in answer.text
    assert ">\nCatatan Halima.</textarea>" in answer.text
    assert len(await ground.events("assignment")) == 1


async def test_a_form_sent_twice_appoints_once(ground: Ground):
    await to(ground, "verified")
    form = await page(ground, "hasan", QUEUE)
    answers = [await send(ground, "hasan", QUEUE, form, **ASSIGN) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert len(await ground.events("assignment")) == 1


async def test_an_ended_session_gives_back_what_was_typed(ground: Ground):
    await to(ground, "verified")
    form = await page(ground, "hasan", QUEUE)
    ground.clock.go_on(minutes=31)
    answer = await send(ground, "hasan", QUEUE, form, **ASSIGN)
    assert answer.status_code == 401
    assert "Mohon didahulukan." in answer.text
    await ground.sign_in_everybody_after()
    again = await fill_in(ground, "hasan", QUEUE, **ASSIGN, _resume="1")
    assert (again.status_code, 'value="dewi" checked' in again.text) == (200, True)
    assert await ground.events("assignment") == []


async def test_a_lead_is_replaced_and_a_target_left_as_it_was_stays_though_it_has_passed(ground: Ground):
    await to(ground, "in_progress")
    await ground.sign_in_everybody_after(days=24)
    shown = await page(ground, "hasan", f"{QUEUE}/ganti")
    assert re.findall(r'name="lead" value="(\w+)"', shown.text) == ["jafar", "kepala"]
    assert 'value="2026-12-14"' in shown.text
    assert "Target sekarang sudah lewat." in shown.text
    fields = {"lead": "jafar", "reason": "Cuti.", "target_date": "2026-12-14"}
    answer = await send(ground, "hasan", f"{QUEUE}/ganti", shown, **fields)
    assert answer.headers["location"] == "/penugasan?tab=running&done=reassigned&number=INT-2026-000001"
    fact = (await ground.events("assignment"))[-1].fact
    assert isinstance(fact, LeadReassigned)
    assert (fact.lead.username, str(fact.target_date)) == ("jafar", "2026-12-14")


async def test_a_replacement_needs_a_lead_and_a_reason(ground: Ground):
    await to(ground, "assigned")
    answer = await fill_in(ground, "hasan", f"{QUEUE}/ganti", target_date="2026-12-20", reason=" ")
    assert answer.status_code == 422
    assert {"Pilih penanggung jawab teknis.", "Isi alasan."} <= set(re.findall(r"</svg> ([^<]+)</p>", answer.text))
    assert 'value="2026-12-20"' in answer.text


async def test_a_request_is_rejected_on_advice_after_asking_once_more(ground: Ground):
    await ground.submitted()
    await ground.happened(recommended)
    shown = await page(ground, "hasan", f"{QUEUE}/tolak")
    assert "Tolak permohonan INT-2026-000001?" in shown.text
    assert "tidak dapat dibatalkan" in shown.text
    assert f">\n{recommended.reason}</textarea>" in shown.text
    answer = await send(ground, "hasan", f"{QUEUE}/tolak", shown, reason=REASON)
    assert answer.headers["location"] == "/penugasan?done=rejected&number=INT-2026-000001"
    [event] = await ground.events("assignment")
    assert isinstance(event.fact, RequestRejected)
    ended = text_of(await page(ground, "hasan", QUEUE))
    assert "Permohonan ditolak oleh Hasan Umpama pada Senin, 23 November 2026" in ended
    assert REASON in ended


async def test_a_rejection_without_a_reason_or_too_late_keeps_what_was_typed(ground: Ground):
    await to(ground, "verified")
    form = await page(ground, "hasan", f"{QUEUE}/tolak")
    assert "Isi alasan." in (await send(ground, "hasan", f"{QUEUE}/tolak", form, reason="")).text
    await ground.happened(withdrawn)
    answer = await send(ground, "hasan", f"{QUEUE}/tolak", form, reason=REASON)
    assert (answer.status_code, f">\n{REASON}</textarea>" in answer.text) == (409, True)
    assert "Permohonan dibatalkan pemohon oleh Pemohon" in answer.text


@pytest.mark.parametrize(("status", "step"), [("assigned", "tolak"), ("verified", "ganti"), ("submitted", "ganti")])
async def test_a_step_that_is_not_open_leads_back_to_the_request(ground: Ground, status: str, step: str):
    await to(ground, status)
    answer = await page(ground, "hasan", f"{QUEUE}/{step}")
    assert (answer.status_code, answer.headers["location"]) == (303, QUEUE)
    assert f'href="{QUEUE}/{step}"' not in (await page(ground, "hasan", QUEUE)).text


async def test_an_objection_and_an_open_question_are_shown(ground: Ground):
    await to(ground, "on_hold")
    shown = text_of(await page(ground, "hasan", QUEUE))
    assert "Alamat server uji?" in shown
    assert "Jawaban ditunggu sampai Senin, 30 November 2026" in shown


async def test_the_load_of_every_lead_leads_to_their_requests(ground: Ground):
    await to(ground, "assigned")
    await ground.sign_in_everybody_after(days=24)
    shown = await page(ground, "hasan", "/beban-kerja")
    assert rows(shown) == ["dewi", "jafar", "kepala"]
    assert 'data-version="1-1-True"' in shown.text
    assert 'href="/penugasan?lead=dewi"' in shown.text
    assert rows(await page(ground, "hasan", "/penugasan?lead=dewi")) == [REQUEST]


async def test_work_of_somebody_who_no_longer_leads_is_not_lost_from_sight(ground: Ground):
    await to(ground, "assigned")
    await ground.platform.identity.change_staff("dewi", active=False)
    shown = await page(ground, "hasan", "/beban-kerja")
    assert rows(shown) == ["dewi", "jafar", "kepala"]
    assert "Tidak lagi bertugas sebagai penanggung jawab teknis" in shown.text
    listed = await page(ground, "hasan", "/penugasan?lead=dewi")
    assert '<option value="dewi" selected>Dewi Andaian</option>' in listed.text


async def test_without_leads_nobody_can_be_appointed_and_the_page_says_whom_to_ask(ground: Ground):
    await to(ground, "verified")
    for who in ("dewi", "jafar", "kepala"):
        await ground.platform.identity.change_staff(who, active=False)
    shown = await page(ground, "hasan", QUEUE)
    assert "Mintalah Administrator menambahkannya." in shown.text
    assert "Belum ada penanggung jawab teknis" in (await page(ground, "hasan", "/beban-kerja")).text


async def test_the_console_is_for_heads_alone(ground: Ground):
    await to(ground, "verified")
    for path in ("/penugasan", QUEUE, f"{QUEUE}/ganti", f"{QUEUE}/tolak", "/beban-kerja"):
        for who in PEOPLE:
            shown = await page(ground, who, path)
            assert (shown.status_code in (200, 303)) == (who in HEADS), (who, path)
            assert who in HEADS or (shown.status_code, APPLICANT.name in shown.text) == (403, False), (who, path)


async def test_what_was_never_heard_of_is_a_page_that_says_so(ground: Ground):
    for path in (f"/penugasan/{OTHER}", f"/penugasan/{OTHER}/ganti", f"/penugasan/{OTHER}/tolak"):
        shown = await page(ground, "hasan", path)
        assert (shown.status_code, "Permohonan itu tidak ditemukan." in shown.text) == (404, True)


async def test_work_reopened_by_an_objection_shows_it_to_the_head(ground: Ground):
    await to(ground, "in_progress")
    form = {"summary": "Selesai."}
    await ground.post("dewi", f"{API}/{REQUEST}/completion", data=form, files=[("documents", ("a.pdf", pdf()))])
    delivered = text_of(await page(ground, "hasan", QUEUE))
    assert "Konfirmasi pemohon ditunggu sampai Senin, 30 November 2026" in delivered
    await ground.happened(contested)
    assert "Pemohon berkeberatan atas hasil yang diserahkan" in (await page(ground, "hasan", QUEUE)).text


async def test_a_verification_is_seen_by_whoever_has_both_roles_too(ground: Ground):
    await ground.submitted()
    await ground.happened(verified)
    await ground.post("hasan", f"{API}/{REQUEST}/assignment", {**ASSIGN, "lead": "kepala"})
    shown = await page(ground, "kepala", "/penugasan")
    assert re.findall(r"data-waiting>(\d+)<", shown.text) == ["0", "1"]
    assert rows(await page(ground, "kepala", "/pekerjaan")) == [REQUEST]
