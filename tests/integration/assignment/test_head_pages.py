"""The request pages of the structural head: content, forms and errors."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.contracts.assignment import LeadAssigned, LeadReassigned, RequestRejected
from shared.contracts.facts import Fact
from shared.identity.accounts import Role
from tests.support.domain.given_when_then import REQUEST
from tests.support.domain.request_events import (
    APPLICANT,
    confirmed,
    contested,
    expired,
    recommended,
    returned,
    withdrawn,
)
from tests.support.services.assignment_pages import (
    API,
    ASSIGN,
    QUEUE,
    advance_to,
    error_beside,
    page,
    send,
    submit_form,
    visible_text,
)
from tests.support.services.staff_harness import OTHER, PEOPLE, StaffHarness, pdf, staff_harness

HEADS = [who for who, (_, roles) in PEOPLE.items() if Role.STRUCTURAL in roles]
REASON = "Di luar lingkup layanan ini."


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with staff_harness(tmp_path) as opened:
        yield opened


async def test_a_request_is_shown_with_its_form_documents_and_timeline(harness: StaffHarness):
    content = pdf()
    document = await harness.store_document("kamus.pdf", content)
    await advance_to(harness, "verified", document)
    shown = await page(harness, "hasan", QUEUE)
    for words in (
        APPLICANT.name,
        "19850230 201001 1 001",
        APPLICANT.email,
        "500/1/DISHUB",
        "Dinyatakan lengkap",
        "kamus.pdf",
    ):
        assert words in shown.text, words
    got = await page(harness, "hasan", f"{QUEUE}/dokumen/{document.id}")
    assert got.headers["content-disposition"].startswith("attachment")
    assert got.content == content


async def test_the_form_offers_leads_with_their_workload_and_a_target(harness: StaffHarness):
    await advance_to(harness, "assigned", subject=OTHER, number="INT-2026-000002")
    await advance_to(harness, "verified")
    shown = await page(harness, "hasan", QUEUE)
    assert typed_target(shown) == ("21", "12", "2026")
    assert "Sudah diisi 20 hari kerja dari sekarang. Tanggal ini dilihat pemohon." in shown.text
    cards = re.findall(r'name="lead" value="(\w+)">.*?<span class="hint num">(.*?)</span>', shown.text)
    assert cards == [("dewi", "1 terbuka"), ("jafar", "0 terbuka"), ("kepala", "0 terbuka")]
    assert " checked" not in shown.text


async def test_a_lead_is_assigned_and_the_queue_shows_it(harness: StaffHarness):
    await advance_to(harness, "verified")
    answer = await submit_form(harness, "hasan", QUEUE, **ASSIGN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/penugasan?done=assigned&number=INT-2026-000001")
    [event] = await harness.events("assignment")
    assert isinstance(event.fact, LeadAssigned)
    assert (event.fact.lead.username, event.fact.note) == ("dewi", ASSIGN["note"])
    after = await page(harness, "hasan", answer.headers["location"])
    assert "Penanggung jawab teknis untuk INT-2026-000001 sudah ditunjuk." in after.text
    shown = await page(harness, "hasan", QUEUE)
    assert (f'href="{QUEUE}/ganti"' in shown.text, 'name="lead"' in shown.text) == (True, False)


async def test_the_target_is_changed_with_a_reason_and_the_lead_stays(harness: StaffHarness):
    await advance_to(harness, "in_progress")
    assert f'href="{QUEUE}/target"' in (await page(harness, "hasan", QUEUE)).text
    form = await page(harness, "hasan", f"{QUEUE}/target")
    assert "Target sekarang: <b>Senin, 14 Desember 2026</b>." in form.text
    refused = await send(harness, "hasan", f"{QUEUE}/target", form, target_date="2026-12-14", reason="")
    assert (refused.status_code, error_beside(refused, "reason")) == (422, "Wajib diisi.")
    same = await send(harness, "hasan", f"{QUEUE}/target", form, target_date="2026-12-14", reason="Mundur.")
    assert error_beside(same, "target_date") == "Target selesai sudah tanggal itu. Pilih tanggal lain."
    answer = await send(harness, "hasan", f"{QUEUE}/target", form, target_date="2026-12-18", reason="Mundur.")
    assert answer.headers["location"] == "/penugasan?tab=running&done=target&number=INT-2026-000001"
    shown = await page(harness, "hasan", QUEUE)
    assert "Jumat, 18 Desember 2026" in shown.text
    assert "Target selesai diubah" in visible_text(shown)
    assert "Dewi Andaian" in shown.text


def typed_target(shown: httpx.Response) -> tuple[str, ...]:
    """Return the day, month and year in the fields of the target."""
    month = re.search(r'id="target_date_month".*?value="(\d+)" selected', shown.text)
    day, year = (re.search(rf'id="target_date_{part}"[^>]* value="(\d+)"', shown.text) for part in ("day", "year"))
    return tuple(part[1] if part else "" for part in (day, month, year))


@pytest.mark.parametrize("path", ["", "/ganti", "/target"])
async def test_a_target_on_a_day_off_comes_back_with_the_next_working_day(harness: StaffHarness, path: str):
    await advance_to(harness, "assigned" if path else "verified")
    fields = {"": ASSIGN, "/ganti": {"lead": "jafar", "reason": "Cuti."}, "/target": {"reason": "Mundur."}}[path]
    form = await page(harness, "hasan", QUEUE + path)
    offered = await send(harness, "hasan", QUEUE + path, form, **{**fields, "target_date": "2026-12-20"})
    assert offered.status_code == 422
    assert error_beside(offered, "target_date").startswith("Minggu, 20 Desember 2026 bukan hari kerja.")
    assert re.findall(r'name="_do" value="(target-[^"]+)">([^<]+)<', offered.text) == [
        ("target-2026-12-21", "Pakai Senin, 21 Desember 2026"),
        ("target-2026-12-20", "Tetap Minggu, 20 Desember 2026"),
    ]
    typed = {**fields, "target_date": "2026-12-20"}
    again = await send(harness, "hasan", QUEUE + path, offered, **typed)
    assert again.status_code == 422
    chosen = await send(harness, "hasan", QUEUE + path, again, _do="target-2026-12-21", **typed)
    assert chosen.status_code == 303, chosen.text
    event = (await harness.events("assignment"))[-1]
    assert getattr(event.fact, "target_date").isoformat() == "2026-12-21"  # noqa: B009


@pytest.mark.parametrize(
    ("path", "status", "typed"),
    [
        ("", "verified", ASSIGN),
        ("/ganti", "assigned", {"lead": "jafar", "reason": "Cuti."}),
        ("/target", "assigned", {"reason": "Mundur."}),
    ],
)
async def test_a_target_is_typed_in_three_fields(harness: StaffHarness, path: str, status: str, typed: dict[str, Any]):
    await advance_to(harness, status)
    form = await page(harness, "hasan", QUEUE + path)
    others = {name: value for name, value in typed.items() if name != "target_date"}

    async def sent(day: str, month: str, year: str, **more: str) -> httpx.Response:
        parts = {"target_date_day": day, "target_date_month": month, "target_date_year": year}
        return await send(harness, "hasan", QUEUE + path, form, **others, **parts, **more)

    assert 'type="date"' not in form.text
    assert error_beside(await sent("15", "", "2026"), "target_date") == "Isi juga bulan."
    impossible = await sent("31", "11", "2026")
    assert error_beside(impossible, "target_date") == (
        "31 November 2026 tidak ada di kalender. Periksa tanggal, bulan, dan tahunnya."
    )
    assert '<option value="11" selected>November</option>' in impossible.text
    assert 'value="target-2026-12-21"' in (await sent("20", "12", "2026")).text
    assert (await sent("20", "12", "2026", _do="target-2026-12-21")).status_code == 303
    event = (await harness.events("assignment"))[-1]
    assert getattr(event.fact, "target_date").isoformat() == "2026-12-21"  # noqa: B009


async def test_a_target_on_a_day_off_may_be_kept(harness: StaffHarness):
    await advance_to(harness, "assigned")
    form = await page(harness, "hasan", f"{QUEUE}/target")
    typed = {"target_date": "2026-12-20", "reason": "Peresmian hari Minggu."}
    kept = await send(harness, "hasan", f"{QUEUE}/target", form, _do="target-2026-12-20", **typed)
    assert kept.status_code == 303
    # Another form may keep a target that was confirmed before.
    reassign = await page(harness, "hasan", f"{QUEUE}/ganti")
    answer = await send(
        harness, "hasan", f"{QUEUE}/ganti", reassign, lead="jafar", reason="Cuti.", target_date="2026-12-20"
    )
    assert answer.status_code == 303


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
async def test_an_invalid_form_is_shown_again_with_errors_and_input(
    harness: StaffHarness, changes: dict[str, Any], field: str, sentence: str
):
    await advance_to(harness, "verified")
    answer = await submit_form(harness, "hasan", QUEUE, **{**ASSIGN, **changes})
    assert answer.status_code == 422
    assert sentence in error_beside(answer, field)
    assert f'<a href="#{field}">' in answer.text
    assert ">\nMohon didahulukan.</textarea>" in answer.text
    assert "<title>Kesalahan: " in answer.text
    assert await harness.events("assignment") == []


async def test_the_second_of_two_heads_gets_the_conflict_and_keeps_the_input(harness: StaffHarness):
    await advance_to(harness, "verified")
    form = await page(harness, "halima", QUEUE)
    await submit_form(harness, "hasan", QUEUE, **ASSIGN)
    answer = await send(harness, "halima", QUEUE, form, **{**ASSIGN, "lead": "jafar", "note": "Catatan Halima."})
    assert answer.status_code == 409
    said = visible_text(answer)
    assert (
        "Penanggung jawab teknis ditunjuk oleh Hasan Umpama, Penanggung Jawab Struktural pada 23 November 2026" in said
    )
    assert "Muat keadaan terbaru" in said
    assert 'value="jafar" checked' in answer.text
    assert ">\nCatatan Halima.</textarea>" in answer.text
    assert len(await harness.events("assignment")) == 1


async def test_a_form_sent_twice_assigns_once(harness: StaffHarness):
    await advance_to(harness, "verified")
    form = await page(harness, "hasan", QUEUE)
    answers = [await send(harness, "hasan", QUEUE, form, **ASSIGN) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert len(await harness.events("assignment")) == 1


async def test_the_input_survives_an_ended_session(harness: StaffHarness):
    await advance_to(harness, "verified")
    form = await page(harness, "hasan", QUEUE)
    harness.clock.advance(minutes=31)
    answer = await send(harness, "hasan", QUEUE, form, **ASSIGN)
    assert answer.status_code == 401
    assert "Mohon didahulukan." in answer.text
    await harness.sign_in_again_after()
    again = await submit_form(harness, "hasan", QUEUE, **ASSIGN, _resume="1")
    assert (again.status_code, 'value="dewi" checked' in again.text) == (200, True)
    assert await harness.events("assignment") == []


async def test_an_unchanged_target_stays_in_a_reassignment_even_if_it_has_passed(harness: StaffHarness):
    await advance_to(harness, "in_progress")
    await harness.sign_in_again_after(days=24)
    shown = await page(harness, "hasan", f"{QUEUE}/ganti")
    assert re.findall(r'name="lead" value="(\w+)"', shown.text) == ["jafar", "kepala"]
    assert typed_target(shown) == ("14", "12", "2026")
    assert "Target sekarang sudah lewat." in shown.text
    fields = {"lead": "jafar", "reason": "Cuti.", "target_date": "2026-12-14"}
    answer = await send(harness, "hasan", f"{QUEUE}/ganti", shown, **fields)
    assert answer.headers["location"] == "/penugasan?tab=running&done=reassigned&number=INT-2026-000001"
    fact = (await harness.events("assignment"))[-1].fact
    assert isinstance(fact, LeadReassigned)
    assert (fact.lead.username, str(fact.target_date)) == ("jafar", "2026-12-14")


async def test_a_reassignment_needs_a_lead_and_a_reason(harness: StaffHarness):
    await advance_to(harness, "assigned")
    parts = {"target_date_day": "20", "target_date_month": "12", "target_date_year": "2026"}
    answer = await submit_form(harness, "hasan", f"{QUEUE}/ganti", reason=" ", **parts)
    assert answer.status_code == 422
    assert (error_beside(answer, "lead"), error_beside(answer, "reason")) == ("Wajib diisi.", "Wajib diisi.")
    shown = visible_text(answer)
    assert "Penanggung jawab baru wajib diisi." in shown
    assert "Alasan wajib diisi." in shown
    assert typed_target(answer) == ("20", "12", "2026")


async def test_a_request_is_rejected_on_recommendation_after_confirmation(harness: StaffHarness):
    await harness.submitted()
    await harness.publish(recommended)
    shown = await page(harness, "hasan", f"{QUEUE}/tolak")
    assert "Tolak permohonan INT-2026-000001?" in shown.text
    assert "tidak dapat dibatalkan" in shown.text
    assert f">\n{recommended.reason}</textarea>" in shown.text
    answer = await send(harness, "hasan", f"{QUEUE}/tolak", shown, reason=REASON)
    assert answer.headers["location"] == "/penugasan?done=rejected&number=INT-2026-000001"
    [event] = await harness.events("assignment")
    assert isinstance(event.fact, RequestRejected)
    ended = visible_text(await page(harness, "hasan", QUEUE))
    assert "Permohonan ditolak oleh Hasan Umpama pada Senin, 23 November 2026" in ended
    assert REASON in ended


async def test_a_refused_rejection_keeps_the_input(harness: StaffHarness):
    await advance_to(harness, "verified")
    form = await page(harness, "hasan", f"{QUEUE}/tolak")
    refused = await send(harness, "hasan", f"{QUEUE}/tolak", form, reason="")
    assert error_beside(refused, "reason") == "Wajib diisi."
    await harness.publish(withdrawn)
    answer = await send(harness, "hasan", f"{QUEUE}/tolak", form, reason=REASON)
    assert (answer.status_code, f">\n{REASON}</textarea>" in answer.text) == (409, True)
    assert "Permohonan dibatalkan oleh Pemohon" in answer.text


@pytest.mark.parametrize(("status", "step"), [("assigned", "tolak"), ("verified", "ganti"), ("submitted", "ganti")])
async def test_an_impossible_step_redirects_to_the_request(harness: StaffHarness, status: str, step: str):
    await advance_to(harness, status)
    answer = await page(harness, "hasan", f"{QUEUE}/{step}")
    assert (answer.status_code, answer.headers["location"]) == (303, QUEUE)
    assert f'href="{QUEUE}/{step}"' not in (await page(harness, "hasan", QUEUE)).text


async def test_an_objection_and_an_open_question_are_shown(harness: StaffHarness):
    await advance_to(harness, "on_hold")
    shown = visible_text(await page(harness, "hasan", QUEUE))
    assert "Alamat server uji?" in shown
    assert "Jawaban ditunggu sampai Senin, 30 November 2026" in shown


async def test_without_technical_staff_the_page_explains_whom_to_ask(harness: StaffHarness):
    await advance_to(harness, "verified")
    for who in ("dewi", "jafar", "kepala"):
        await harness.platform.identity.change_staff(who, active=False)
    shown = await page(harness, "hasan", QUEUE)
    assert "Mintalah Administrator menambahkannya." in shown.text
    assert "Belum ada penanggung jawab teknis" in (await page(harness, "hasan", "/beban-kerja")).text


async def test_the_pages_are_for_heads_only(harness: StaffHarness):
    await advance_to(harness, "verified")
    for path in ("/penugasan", QUEUE, f"{QUEUE}/ganti", f"{QUEUE}/tolak", "/beban-kerja"):
        for who in PEOPLE:
            shown = await page(harness, who, path)
            assert (shown.status_code in (200, 303)) == (who in HEADS), (who, path)
            assert who in HEADS or (shown.status_code, APPLICANT.name in shown.text) == (403, False), (who, path)


async def test_an_unknown_request_is_a_404_page(harness: StaffHarness):
    for path in (f"/penugasan/{OTHER}", f"/penugasan/{OTHER}/ganti", f"/penugasan/{OTHER}/tolak"):
        shown = await page(harness, "hasan", path)
        assert (shown.status_code, "Permohonan itu tidak ditemukan." in shown.text) == (404, True)


async def test_work_reopened_by_an_objection_shows_it_to_the_head(harness: StaffHarness):
    await advance_to(harness, "in_progress")
    form = {"summary": "Selesai."}
    await harness.post("dewi", f"{API}/{REQUEST}/completion", data=form, files=[("documents", ("a.pdf", pdf()))])
    delivered = visible_text(await page(harness, "hasan", QUEUE))
    assert "Konfirmasi pemohon ditunggu sampai Senin, 30 November 2026" in delivered
    await harness.publish(contested)
    assert "Pemohon berkeberatan atas hasil yang diserahkan" in (await page(harness, "hasan", QUEUE)).text


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ((returned,), "Pemohon diminta melengkapi permohonannya."),
        ((returned, expired), "Permohonan ditutup pada Senin, 23 November 2026"),
        ((), "Petugas sedang memeriksa kelengkapannya."),
    ],
)
async def test_without_a_pending_decision_the_page_explains_the_status(
    harness: StaffHarness, facts: tuple[Fact, ...], words: str
):
    await harness.submitted()
    await harness.publish(*facts)
    shown = await page(harness, "hasan", QUEUE)
    assert words in visible_text(shown)
    assert 'name="lead"' not in shown.text
    assert (f"{QUEUE}/tolak" in shown.text) == (not facts)


async def test_an_automatic_confirmation_is_shown_as_such(harness: StaffHarness):
    await advance_to(harness, "in_progress")
    files = [("documents", ("a.pdf", pdf()))]
    await harness.post("dewi", f"{API}/{REQUEST}/completion", data={"summary": "Selesai."}, files=files)
    await harness.publish(confirmed.model_copy(update={"automatic": True}))
    assert "karena tidak ada keberatan sampai batas konfirmasi" in visible_text(await page(harness, "hasan", QUEUE))
