"""The console of the structural head: what is shown, what is sent, and what is said when something is wrong."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.assignment import LeadAssigned, LeadReassigned, RequestRejected
from shared.contracts.facts import Fact
from shared.identity.accounts import Role
from tests.domain.given import REQUEST
from tests.domain.intake_story import (
    APPLICANT,
    confirmed,
    contested,
    expired,
    recommended,
    returned,
    withdrawn,
)
from tests.services.assignment_ground import API, ASSIGN, QUEUE, beside, fill_in, page, send, text_of, to
from tests.services.desk_ground import OTHER, PEOPLE, Ground, desk_ground, pdf

HEADS = [who for who, (_, roles) in PEOPLE.items() if Role.STRUCTURAL in roles]
REASON = "Di luar lingkup layanan ini."


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    async with desk_ground(tmp_path) as opened:
        yield opened


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


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"lead": None}, "lead", "Wajib diisi."),
        ({"complexity": None}, "complexity", "Wajib diisi."),
        ({"target_date": ""}, "target_date", "Wajib diisi."),
        (
            {"target_date": "2026-11-20"},
            "target_date",
            "Pilih target selesai hari ini (23 November 2026) atau sesudahnya.",
        ),
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
    assert sentence in beside(answer, field)
    assert f'<a href="#{field}">' in answer.text
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
    assert (
        "Penanggung jawab teknis ditunjuk oleh Hasan Umpama, Penanggung Jawab Struktural pada 23 November 2026" in said
    )
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
    assert (beside(answer, "lead"), beside(answer, "reason")) == ("Wajib diisi.", "Wajib diisi.")
    told = text_of(answer)
    assert "Penanggung jawab baru wajib diisi." in told
    assert "Alasan wajib diisi." in told
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
    refused = await send(ground, "hasan", f"{QUEUE}/tolak", form, reason="")
    assert beside(refused, "reason") == "Wajib diisi."
    await ground.happened(withdrawn)
    answer = await send(ground, "hasan", f"{QUEUE}/tolak", form, reason=REASON)
    assert (answer.status_code, f">\n{REASON}</textarea>" in answer.text) == (409, True)
    assert "Permohonan dibatalkan oleh Pemohon" in answer.text


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


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ((returned,), "Pemohon diminta melengkapi permohonannya."),
        ((returned, expired), "Permohonan ditutup pada Senin, 23 November 2026"),
        ((), "Petugas sedang memeriksa kelengkapannya."),
    ],
)
async def test_where_nothing_can_be_decided_the_page_says_what_is_awaited(
    ground: Ground, facts: tuple[Fact, ...], words: str
):
    await ground.submitted()
    await ground.happened(*facts)
    shown = await page(ground, "hasan", QUEUE)
    assert words in text_of(shown)
    assert 'name="lead"' not in shown.text
    assert (f"{QUEUE}/tolak" in shown.text) == (not facts)


async def test_silence_that_confirmed_a_handover_is_told_as_that(ground: Ground):
    await to(ground, "in_progress")
    files = [("documents", ("a.pdf", pdf()))]
    await ground.post("dewi", f"{API}/{REQUEST}/completion", data={"summary": "Selesai."}, files=files)
    await ground.happened(confirmed.model_copy(update={"automatic": True}))
    assert "karena tidak ada keberatan sampai batas konfirmasi" in text_of(await page(ground, "hasan", QUEUE))
