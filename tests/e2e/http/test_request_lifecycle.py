"""The lifecycle of a request over HTTP with real files and a real SMTP server."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from email.message import EmailMessage
from typing import Any

import httpx
import pytest

from simpul.client import ApiError, SimpulClient
from simpul.client_types import RequestForm, Upload, Verdict
from tests.support import office_files
from tests.support.e2e.server_process import Inbox, ServerProcess, address_of, signed_in_clients
from tests.support.sample_submission import ALL_OK
from tests.support.sample_submission import FORM as FORM_WITHOUT_PHONE

FORM: RequestForm = {**FORM_WITHOUT_PHONE, "phone": "0812-3456-7890"}
LETTER = office_files.pdf("Surat permohonan.pdf", "Surat permohonan integrasi data kepada Diskominfo.")
REQUIREMENTS = [
    office_files.word("Kamus data.docx", "Kolom dan satuannya."),
    office_files.picture("Alur.png"),
    office_files.sheet("Contoh.xlsx"),
]
RESULTS = [
    office_files.pdf("Laporan.pdf", "Laporan integrasi."),
    office_files.open_text("Panduan.odt", "Cara memakai."),
]


async def until(look: Callable[[], Awaitable[dict[str, Any]]], status: str, **more: Any) -> dict[str, Any]:
    """Return the request once it has this status, after the other services consumed the events."""
    ends, seen = time.monotonic() + 30, {}
    while time.monotonic() < ends:
        try:
            seen = await look()
        except ApiError as error:
            if error.status != 404:
                raise
        if seen.get("status") == status and all(seen.get(name) == value for name, value in more.items()):
            return seen
        await asyncio.sleep(0.02)
    raise AssertionError(f"still {seen.get('status')}, not {status}")


async def mail(inbox: Inbox, address: str, count: int) -> list[EmailMessage]:
    """Return the first messages to this address once so many have arrived."""
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        if len(found := inbox.to(address)) >= count:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"{address} got {inbox.subjects(address)}, not {count} messages")


def text_of(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


async def check_document(client: SimpulClient, number: str, document: dict[str, Any], sent: Upload) -> None:
    content = await client.download(number, document["id"])
    assert content == sent.content
    assert document["sha256"] == hashlib.sha256(sent.content).hexdigest()
    assert document["size"] == len(sent.content)
    assert document["media_type"] == sent.media_type


async def test_a_request_goes_through_every_state_and_everybody_is_told(
    inbox_and_server: tuple[Inbox, ServerProcess],
) -> None:
    inbox, server = inbox_and_server
    async with signed_in_clients(server) as people:
        officer, head, lead = people["nurlaila"], people["hasan"], people["dewi"]
        made = await people[""].submit(FORM, LETTER, REQUIREMENTS)
        number, id_ = made["number"], made["id"]
        assert re.fullmatch(r"INT-\d{4}-000001", number)
        assert made["status"] == "submitted"
        applicant = people[""].with_token(made["tracking_token"])

        def tracked() -> Awaitable[dict[str, Any]]:
            return applicant.track(number)

        # an officer finds the letter wanting, the applicant replaces just that
        seen = await until(lambda: officer.request("verification", id_), "submitted")
        assert [item["item"] for item in seen["checklist"]] == ["form", "letter", "scope", "documents"]
        for document, sent in zip(seen["documents"], [LETTER, *REQUIREMENTS], strict=True):
            await check_document(applicant, number, document, sent)
            assert await officer.document("verification", id_, document["id"]) == sent.content
        page = await officer.page_image(id_, seen["documents"][0]["id"], 1)
        assert page.startswith(b"\x89PNG")
        unsigned = [Verdict(item="letter", ok=False, note="Halaman 1 belum ditandatangani."), *ALL_OK[2:], ALL_OK[0]]
        assert (await officer.return_request(id_, unsigned))["status"] == "returned"
        returned = await until(tracked, "returned")
        assert [(item["item"], item["note"]) for item in returned["open_items"]] == [
            ("letter", "Halaman 1 belum ditandatangani.")
        ]
        signed = office_files.pdf("Surat bertanda tangan.pdf", "Surat permohonan, ditandatangani.")
        again = await applicant.resubmit(number, RequestForm(letter_number="500.11/13/DISHUB/2026"), letter=signed)
        assert again["status"] == "submitted"
        await until(lambda: officer.request("verification", id_), "submitted", round=2)
        assert (await officer.verify(id_, ALL_OK))["status"] == "verified"

        # the head appoints, and replaces, the lead
        await until(lambda: head.request("assignment", id_), "verified")
        assert {"dewi", "yusuf"} == {each["username"] for each in (await head.leads())["items"]}
        target = date.today() + timedelta(days=30)  # noqa: DTZ011
        assert (await head.assign(id_, "yusuf", "medium", target))["status"] == "assigned"
        assert (await head.reassign(id_, "dewi", "Yusuf sedang dinas luar."))["status"] == "assigned"
        assert (await lead.start(id_))["status"] == "in_progress"
        assert (await lead.progress(id_, "Sambungan uji berhasil.", 40))["status"] == "in_progress"

        # a pause that the applicant's answer ends
        assert (await lead.pause(id_, "Alamat server uji?"))["status"] == "on_hold"
        assert (await until(tracked, "on_hold"))["question"] == "Alamat server uji?"
        await applicant.answer(number, "Server uji sudah siap.")
        await until(lambda: lead.request("assignment", id_), "in_progress")

        # delivery, objection, second delivery, confirmation, survey
        assert (await lead.complete(id_, "Data tersinkron setiap malam.", RESULTS[:1]))["status"] == "delivered"
        await until(tracked, "delivered")
        await applicant.contest(number, "Panduan belum ada.")
        await until(lambda: lead.request("assignment", id_), "in_progress")
        assert (await lead.complete(id_, "Dengan panduan.", RESULTS))["status"] == "delivered"
        delivered = await until(tracked, "delivered")
        results = [document for document in delivered["documents"] if document["kind"] == "result"]
        for document, sent in zip(results, RESULTS, strict=True):
            await check_document(applicant, number, document, sent)
        [record] = [document for document in delivered["documents"] if document["kind"] == "handover_record"]
        drawn = await applicant.download(number, record["id"])
        assert drawn.startswith(b"%PDF-")
        assert hashlib.sha256(drawn).hexdigest() == record["sha256"]
        assert (await applicant.confirm(number))["status"] == "completed"
        assert (await applicant.survey(number, [4, 4, 3, 4, 3, 4, 4, 3, 4]))["status"] == "completed"

        # the history is whole and in order
        history = (await tracked())["timeline"]
        assert [entry["event"] for entry in history] == [
            "RequestSubmitted",
            "RequestReturned",
            "RequestResubmitted",
            "RequestVerified",
            "LeadAssigned",
            "LeadReassigned",
            "WorkStarted",
            "WorkProgressed",
            "WorkPaused",
            "ApplicantAnswered",
            "WorkResumed",
            "WorkCompleted",
            "HandoverContested",
            "WorkCompleted",
            "HandoverConfirmed",
            "SurveyAnswered",
        ]
        assert sorted(entry["time"] for entry in history) == [entry["time"] for entry in history]
        assert history[1]["by"] == "Nurlaila Ibarat, Petugas Layanan TI"

        # everybody was told
        letters = await mail(inbox, "rahmat@dishub.example", 14)
        assert len(letters) == 14
        assert all(letter["Subject"].startswith(f"[{number}] ") for letter in letters)
        assert all(text_of(letter).startswith("Yth. Bapak/Ibu Rahmat Contoh,") for letter in letters if letter)
        assert not any("198502142010011001" in letter.as_string() for letter in inbox.messages)
        assert len(await mail(inbox, address_of("nurlaila"), 2)) == 2
        assert len(await mail(inbox, address_of("hasan"), 1)) == 1
        assert len(await mail(inbox, address_of("yusuf"), 2)) == 2
        assert len(await mail(inbox, address_of("dewi"), 3)) == 3
        await check_link(server, letters[0], number)
        ledger = (await people["admin"].messages(request=number))["items"]
        assert {message["status"] for message in ledger} == {"sent"}
        assert len(ledger) == len(inbox.messages)

    done = server.simpul("events", "verify", "--json")
    assert done.returncode == 0, done.stdout + done.stderr


async def check_link(server: ServerProcess, letter: EmailMessage, number: str) -> None:
    """Expect that the email's link opens the request at an address without the key."""
    found = re.search(r"http://\S+/lacak/\S+", text_of(letter))
    assert found is not None
    async with httpx.AsyncClient(follow_redirects=True) as browser:
        page = await browser.get(found[0])
        assert page.status_code == 200
        assert number in page.text
        assert "kunci" not in str(page.url)
        assert (await httpx.AsyncClient().get(f"{server.url}/lacak/{number}")).status_code == 404


@pytest.mark.parametrize("way", ["withdrawn", "rejected"])
async def test_a_request_may_end_early_and_is_told_so(inbox_and_server: tuple[Inbox, ServerProcess], way: str) -> None:
    inbox, server = inbox_and_server
    async with signed_in_clients(server) as people:
        made = await people[""].submit(FORM, LETTER, REQUIREMENTS[:1])
        number, id_ = made["number"], made["id"]
        applicant = people[""].with_token(made["tracking_token"])
        await until(lambda: people["hasan"].request("assignment", id_), "submitted")
        if way == "withdrawn":
            assert (await applicant.withdraw(number, "Sudah dikerjakan sendiri."))["status"] == "withdrawn"
        else:
            await until(lambda: people["nurlaila"].request("verification", id_), "submitted")
            await people["nurlaila"].recommend(id_, "Di luar lingkup.")
            assert (await people["hasan"].reject(id_, "Di luar lingkup layanan ini."))["status"] == "rejected"
        await until(lambda: applicant.track(number), way)
        await until(lambda: people["nurlaila"].request("verification", id_), way)
        with pytest.raises(ApiError) as refused:
            await people["nurlaila"].verify(id_, ALL_OK)
        assert refused.value.status == 409
        assert refused.value.problem["current"]["status"] == way
        assert len(await mail(inbox, "rahmat@dishub.example", 2)) == 2
