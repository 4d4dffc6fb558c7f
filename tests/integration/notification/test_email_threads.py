"""Emails in a mailbox: threads, reply addresses, and links to the request."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from services.notification.email_composer import path_for_person
from shared.contracts.facts import Fact
from shared.identity.accounts import Role
from shared.mail.folder import FolderMailer, parse_email
from shared.settings import InvalidSettings, load_settings
from tests.support.domain import request_events as tale
from tests.support.domain.given_when_then import REQUEST
from tests.support.services.form_browser import browser
from tests.support.services.intake_harness import intake_harness
from tests.support.services.services_harness import ledger, services_harness
from tests.support.services.staff_harness import StaffHarness

pytestmark = pytest.mark.slow

LINK = re.compile(r"^(http://\S+)\s*$", re.MULTILINE)
OFFICE: dict[str, Any] = {
    "office_phone": "(0921) 123-456",
    "office_email": "layanan@kantor.example",
    "office_address": "Jalan Contoh 1, Maba",
}
LIFE: tuple[Fact, ...] = (tale.submitted, tale.verified, tale.assigned, tale.started, tale.completed, tale.contested)


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with services_harness(tmp_path, "notification", "verification", "assignment", **OFFICE) as opened:
        yield opened


async def mailbox(harness: StaffHarness, *facts: Fact) -> list[EmailMessage]:
    """Return all emails that these facts call for."""
    await harness.publish(*facts)

    async def sent() -> bool:
        rows = await ledger(harness)
        return bool(rows) and {row["status"] for row in rows} == {"sent"}

    await harness.wait_until(sent)
    mailer = harness.platform.mailer
    assert isinstance(mailer, FolderMailer)
    return [parse_email(await mailer.read(one.name)) for one in await mailer.list_messages("", 100)]


def to(mails: list[EmailMessage], address: str) -> list[EmailMessage]:
    return [mail for mail in mails if address in str(mail["To"])]


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


async def test_all_emails_of_a_request_to_one_recipient_are_one_thread(harness: StaffHarness):
    mails = await mailbox(harness, *LIFE)
    applicants, staff = to(mails, tale.APPLICANT.email), to(mails, "@kominfo.example")
    assert len(applicants) == 6
    assert len(staff) == 4
    for one in (applicants, staff):
        [thread] = {(mail["References"], mail["In-Reply-To"]) for mail in one}
        assert thread[0] == thread[1]
        assert str(thread[0]).startswith(f"<{REQUEST}.")
    assert applicants[0]["References"] != staff[0]["References"]
    assert len({mail["Message-ID"] for mail in mails}) == len(mails)


async def test_replies_go_to_the_office(harness: StaffHarness):
    mails = await mailbox(harness, *LIFE)
    assert {str(mail["Reply-To"]) for mail in mails} == {"layanan@kantor.example"}


async def test_only_emails_to_applicants_contain_the_contact_of_the_office(harness: StaffHarness):
    mails = await mailbox(harness, *LIFE)
    assert all("Telepon: (0921) 123-456" in text_of(mail) for mail in to(mails, tale.APPLICANT.email))
    assert not any("Telepon:" in text_of(mail) for mail in to(mails, "@kominfo.example"))


async def test_emails_to_staff_name_the_applicant_and_link_to_the_request_behind_sign_in(harness: StaffHarness):
    mails = to(await mailbox(harness, *LIFE), "@kominfo.example")
    reader = {"/verifikasi/": "nurlaila", "/penugasan/": "hasan", "/pekerjaan/": "dewi"}
    origin, seen = harness.platform.settings.origin, set()
    for mail in mails:
        assert f"Pemohon: {tale.APPLICANT.name}, {tale.APPLICANT.unit}" in text_of(mail)
        [link] = LINK.findall(text_of(mail))
        path = link.removeprefix(origin)
        base_path = path.removesuffix(REQUEST)
        seen.add(base_path)
        async with browser(harness) as nobody, browser(harness, reader[base_path]) as somebody:
            asked = await nobody.get(path)
            assert (asked.status_code, asked.headers["location"]) == (303, f"/masuk?lanjut={quote(path, safe='')}")
            # Assignment does not consume its own facts, so it has no lead here.
            if base_path != "/pekerjaan/":
                assert tale.submitted.number in (await somebody.get(path)).text
    assert seen == set(reader)


def test_the_link_for_a_former_lead_is_the_list_of_own_work():
    assert path_for_person("x", (Role.TECHNICAL,), is_lead=True) == "/pekerjaan/x"
    assert path_for_person("x", (Role.TECHNICAL,), is_lead=False) == "/pekerjaan"
    assert path_for_person("x", (Role.STRUCTURAL, Role.TECHNICAL), is_lead=False) == "/penugasan/x"
    assert path_for_person("x", (Role.OFFICER,), is_lead=False) == "/verifikasi/x"
    assert path_for_person("x", (Role.ADMIN,), is_lead=False) == "/masuk"


async def test_without_office_settings_emails_contain_no_contact(tmp_path: Path):
    async with services_harness(tmp_path, "notification") as harness:
        mails = await mailbox(harness, tale.submitted, tale.withdrawn)
    assert not [mail for mail in mails if mail["Reply-To"] or "hubungi kami" in text_of(mail).lower()]


async def test_the_tracking_page_shows_the_configured_office_contact(tmp_path: Path):
    for settings in ({}, OFFICE):
        async with intake_harness(tmp_path / str(len(settings)), **settings) as intake, intake.client() as client:
            mine = await intake.new_applicant()
            page = (await client.get(f"/lacak/{mine.number}", headers={"Cookie": f"lacak={mine.token}"})).text
        assert "<h2>Perlu bantuan?</h2>" in page
        assert "Sebutkan nomor registrasi Anda." in page
        assert ('href="tel:0921123456"' in page) == bool(settings)
        assert (f'href="mailto:layanan@kantor.example?subject={mine.number}"' in page) == bool(settings)
        assert ("mailto:" in page) == bool(settings)
        assert ("Jalan Contoh 1, Maba" in page) == bool(settings)


@pytest.mark.parametrize("name", ["mail_from", "reply_to", "office_phone", "office_email", "office_address"])
@pytest.mark.parametrize("planted", ["\r\nBcc: x@y.example", "\nX: y", "\r", "\x00", "\u2028", "\x85"])
def test_no_email_setting_breaks_out_of_its_header_line(name: str, planted: str):
    with pytest.raises(InvalidSettings, match=f"SIMPUL_{name.upper()}"):
        load_settings(**{name: f"kantor{planted}@kantor.example"})


@pytest.mark.parametrize("address", ["kantor", "kantor@", "a@b.example, c@d.example", "Kantor <kantor>"])
def test_reply_settings_must_be_addresses(address: str):
    for name in ("reply_to", "office_email"):
        with pytest.raises(InvalidSettings, match=f"SIMPUL_{name.upper()}"):
            load_settings(**{name: address})
    assert load_settings(reply_to="Layanan TI <kantor@kantor.example>").reply_to == "Layanan TI <kantor@kantor.example>"
