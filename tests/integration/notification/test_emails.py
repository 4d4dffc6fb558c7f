from __future__ import annotations

import re
from dataclasses import fields, replace
from datetime import date
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest

from services.notification.domain.applicant_emails import CompletedEmail, TargetChangedEmail
from services.notification.domain.emails import PARAMETERS_BY_KIND, parse_parameters
from services.notification.domain.notification_rules import emails_for
from services.notification.domain.promised_days import promise_working_days
from services.notification.email_rendering import INDONESIAN, EmailContent, InvalidEmail, render
from services.notification.email_texts import parse_sentence
from services.notification.events import SUBSCRIBES_TO
from shared.calendar import official_calendar
from shared.contracts import assignment as a
from shared.contracts import intake as i
from shared.contracts import verification as v
from shared.contracts.facts import (
    Applicant,
    ChecklistItem,
    Complexity,
    DocumentKind,
    DocumentRef,
    Scope,
    Staff,
    Verdict,
)
from shared.contracts.facts import Letter as RequestLetter
from shared.contracts.lifecycle import Lifecycle
from shared.office_contact import OfficeContact

LINK = "https://simpul.example/lacak/INT-2026-000148?kunci=q7Lr-2mVd&x=1"
DAY = date(2026, 12, 7)
SAMPLE_VALUES: dict[str, Any] = {
    "round": 2,
    "items": [{"item": "letter", "note": "Belum ada cap."}, {"item": "documents", "note": "Satuan belum ada."}],
    "percent": 60,
    "documents": 3,
    "automatic": False,
    **dict.fromkeys(
        ("respond_by", "target_date", "previous", "answer_by", "confirm_by", "survey_until", "due"), "2026-12-07"
    ),
    **dict.fromkeys(("reason", "note", "question", "answer", "summary", "description"), "Kata seorang pengguna."),
    "lead": "Yusuf Contoh",
    "lead_username": "yusuf",
    "contact": "yusuf@kantor.example",
    "by": "Hasan Contoh",
    "stage": "work",
    "overdue_days": 7,
    "others": 3,
    "change": 1,
    "unit": "Dinas Perhubungan",
}


KINDS = tuple(PARAMETERS_BY_KIND)
CASES = {"received", "progress", "completed", "withdrawn", "staff_overdue"}
NOT_SHOWN = {
    "assigned": {"lead_username"},
    "reassigned": {"lead_username"},
    "contact_confirmation": {"change"},
    "contested": {"reason"},
    "withdrawn": {"reason"},
    "staff_assigned": {"lead"},
    "staff_reassigned_new": {"lead"},
    "staff_reassigned_old": {"target_date"},
}
"""Parameters that are stored with a message and do not appear in its email."""


def field_names(kind: str) -> list[str]:
    return [field.name for field in fields(PARAMETERS_BY_KIND[kind])]


def shown_values(kind: str) -> set[str]:
    """The values that an email of this kind shows."""
    contact = {"contact"} if kind in ("assigned", "reassigned") else set()
    return set(field_names(kind)) - NOT_SHOWN.get(kind, set()) | contact


def email_content(kind: str, **values: Any) -> EmailContent:
    """Return the content of an email with these values, of which only those of the kind are used, and the contact."""
    given = SAMPLE_VALUES | values
    parameters, contact = {name: given[name] for name in field_names(kind)}, str(given["contact"])
    return EmailContent(
        parse_parameters(kind, parameters), "Rahmat Contoh", "INT-2026-000148", "data", LINK, contact=contact
    )


class Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("kind", KINDS)
def test_every_email_has_a_greeting_and_a_closing_in_both_parts(kind):
    rendered = render(email_content(kind))
    assert rendered.subject.startswith("[INT-2026-000148] ")
    assert rendered.text.startswith("Yth. Bapak/Ibu Rahmat Contoh,\n")
    assert re.search(
        r"\n\nTerima kasih atas .*\n\nDinas Komunikasi dan Informatika\nKabupaten Halmahera Timur\n", rendered.text
    )
    seen = unescape(rendered.html)
    assert "Yth. Bapak/Ibu Rahmat Contoh," in seen
    assert "Dinas Komunikasi dan Informatika<br>Kabupaten Halmahera Timur" in seen
    for form in (rendered.text, seen):
        assert "INT-2026-000148" in form
        assert "Integrasi Data" in form
        assert LINK in form


@pytest.mark.parametrize("kind", KINDS)
def test_every_email_is_well_formed_html_without_external_resources(kind):
    page = Page(render(email_content(kind)).html)
    assert page.open == []
    assert {tag for tag, _ in page.tags}.isdisjoint({"img", "link", "script", "style", "iframe", "form", "object"})
    assert {attributes["href"] for _, attributes in page.tags if "href" in attributes} == {LINK}
    assert not any("src" in attributes or "url(" in (attributes.get("style") or "") for _, attributes in page.tags)


@pytest.mark.parametrize("kind", KINDS)
def test_both_parts_contain_every_value_of_an_email(kind):
    rendered = render(email_content(kind, round=3, percent=61, documents=4))
    expected = {"round": "", "items": "Satuan belum ada.", "percent": "61%", "documents": "4 dokumen", "automatic": ""}
    expected |= {"stage": "Pengerjaan", "overdue_days": "7 hari kerja", "others": "3 permohonan lain"}
    for key in shown_values(kind):
        said = (
            "Senin, 7 Desember 2026"
            if SAMPLE_VALUES[key] == "2026-12-07"
            else expected.get(key, str(SAMPLE_VALUES[key]))
        )
        assert said in rendered.text, key
        assert said in unescape(rendered.html), key


@pytest.mark.parametrize("kind", KINDS)
def test_every_missing_value_is_named(kind):
    for key in field_names(kind):
        values = {name: SAMPLE_VALUES[name] for name in field_names(kind) if name != key}
        with pytest.raises(InvalidEmail, match=f"{kind}: {key}: Field required"):
            render(replace(email_content(kind), parameters=parse_parameters(kind, values)))


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("returned", {"respond_by": "besok"}),
        ("returned", {"respond_by": None}),
        ("returned", {"items": [{"item": "letter"}]}),
        ("returned", {"items": 3}),
        ("progress", {"percent": 101}),
        ("progress", {"percent": "60"}),
        ("received", {"round": True}),
        ("completed", {"automatic": "ya"}),
        ("rejected", {"reason": None}),
    ],
)
def test_a_value_of_the_wrong_type_is_named(kind, wrong):
    with pytest.raises(InvalidEmail, match=next(iter(wrong))):
        render(email_content(kind, **wrong))


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("link", "javascript:alert(1)"),
        ("link", LINK + "\n"),
        ("link", 'https://simpul.example/"><b>'),
        ("number", "INT\r\nBcc: x"),
    ],
)
def test_a_bad_link_and_a_bad_number_are_refused(field, wrong):
    with pytest.raises(InvalidEmail):
        render(replace(email_content("verified"), **{field: wrong}))


def test_an_unknown_kind_is_refused():
    with pytest.raises(InvalidEmail, match="greeting"):
        render(replace(email_content("verified"), parameters=parse_parameters("greeting", {})))


def test_every_kind_has_texts_that_use_only_its_values():
    assert {kind for kind, _ in INDONESIAN.texts} == set(KINDS)
    assert {kind for kind, case in INDONESIAN.texts if case} == set(CASES)
    for (kind, _), text in INDONESIAN.texts.items():
        assert text.slots <= {*shown_values(kind), *(["items_count"] if kind == "returned" else [])}


@pytest.mark.parametrize("kind", KINDS)
def test_every_email_begins_with_number_status_and_next_step(kind: str):
    content = replace(email_content(kind), status="in_progress")
    rendered = render(content)
    number, status, next_step = rendered.text.split("\n\n")[1].split("\n")[:3]
    assert number == "Nomor Registrasi: INT-2026-000148, Integrasi Data"
    assert status.startswith("Status: ")
    assert len(status) > len("Status: ")
    assert next_step.startswith("Langkah berikutnya: ")
    assert len(next_step) > len("Langkah berikutnya: ")
    for fact in (number, status, next_step):
        label, _, value = fact.partition(": ")
        assert re.search(f">{label}</td><td[^>]*><b>{re.escape(value)}</b>", unescape(rendered.html)), fact


@pytest.mark.parametrize(
    ("kind", "status", "next_step"),
    [
        ("returned", "Perlu Dilengkapi", "Dilengkapi paling lambat Senin, 7 Desember 2026"),
        ("delivered", "Menunggu Konfirmasi Serah Terima", "Konfirmasi Anda, paling lambat Senin, 7 Desember 2026"),
        ("target_changed", "Menunggu Pemohon", "Target selesai Senin, 7 Desember 2026"),
        ("staff_verified", "Terverifikasi", "Tunjuk Penanggung Jawab Teknis"),
    ],
)
def test_the_summary_names_the_status_of_that_moment(kind: str, status: str, next_step: str):
    rendered = render(replace(email_content(kind), status="on_hold"))
    assert f"\nStatus: {status}\nLangkah berikutnya: {next_step}\n" in rendered.text


DAYS_OFF = {"2026-12-05": "Sabtu", "2026-12-06": "Minggu", "2026-12-25": "Jumat"}
"""A weekend, and Christmas; 24 December is cuti bersama."""


@pytest.mark.parametrize("day_off", DAYS_OFF)
@pytest.mark.parametrize("kind", KINDS)
def test_no_email_promises_a_day_off(kind: str, day_off: str):
    dates = {name: day_off for name, value in SAMPLE_VALUES.items() if value == "2026-12-07"}
    content = email_content(kind, **dates)
    promised = replace(content, parameters=promise_working_days(content.parameters, official_calendar()))
    rendered, weekday = render(promised), DAYS_OFF[day_off]
    for form in (rendered.text, rendered.html):
        assert f"{weekday}, {date.fromisoformat(day_off).day} Desember" not in form


def test_a_target_is_promised_for_the_next_working_day_and_a_deadline_for_the_one_before():
    calendar, sunday = official_calendar(), date(2026, 12, 6)
    assert promise_working_days(TargetChangedEmail(sunday, DAY, "Alasan."), calendar) == TargetChangedEmail(
        date(2026, 12, 7), DAY, "Alasan."
    )
    assert promise_working_days(CompletedEmail(False, sunday), calendar) == CompletedEmail(False, date(2026, 12, 4))


HOSTILE = '<script>alert("1")</script> & <a href="https://evil.example">klik</a>'


@pytest.mark.parametrize("kind", KINDS)
def test_user_input_is_escaped_in_html(kind):
    texts: dict[str, Any] = {
        key: HOSTILE
        for key, value in SAMPLE_VALUES.items()
        if key in shown_values(kind) and isinstance(value, str) and value[0] != "2"
    }
    if kind == "returned":
        texts["items"] = [{"item": HOSTILE, "note": HOSTILE}]
    html = render(replace(email_content(kind, **texts), name='<script>alert("2")</script>', scope=HOSTILE)).html
    assert "<script" not in html
    assert "&lt;script&gt;alert(&#34;2&#34;)" in html
    assert ("evil.example&#34;" in html) == bool(texts)
    assert {attributes["href"] for _, attributes in Page(html).tags if "href" in attributes} == {LINK}


def test_placeholders_in_user_input_are_not_replaced():
    text = render(email_content("staff_recommended", by="{reason} **{by}** {{ 7*7 }}", reason="{by}")).text
    assert "{reason} **{by}** {{ 7*7 }} menyarankan" in text
    assert "> {by}\n" in text


def test_invisible_characters_are_removed_and_user_lines_are_quoted():
    text = render(
        email_content(
            "staff_answered", answer="Satu\x00\x1b[31m\u202e\r\nTerima kasih,\u2028\n\n\n\nDinas\ttipu\u200b "
        )
    ).text
    assert "> Satu[31m\n> Terima kasih,\n> \n> Dinas tipu\n" in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u202e]", text)


def test_joined_emoji_and_every_script_are_emailed_unchanged():
    written = "Terima kasih \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f3f3\ufe0f\u200d\U0001f308 \U0001fae8"
    written += " \u0645\u06cc\u200c\u062e"
    rendered = render(email_content("staff_answered", answer=written))
    assert f"> {written}\n" in rendered.text
    assert written in unescape(rendered.html)


def test_a_name_stays_on_one_line():
    rendered = render(replace(email_content("verified"), name="Rahmat\r\nBcc: x@y.example\u2029Contoh"))
    assert rendered.text.startswith("Yth. Bapak/Ibu Rahmat Bcc: x@y.example Contoh,\n\n")


@pytest.mark.parametrize(
    "number", ["198502142010011001", "19850214 201001 1 001", "19850214.201001.1.001", "19850214\u200b2010011001"]
)
def test_an_employee_number_is_never_emailed(number):
    rendered = render(email_content("staff_submitted", description=f"Atas nama Rahmat, NIP {number}.", unit=number))
    for form in (rendered.text, unescape(rendered.html), rendered.subject):
        assert "0011001" not in form
        assert "1 001" not in form
    assert "NIP [nomor tidak ditampilkan]." in rendered.text


def test_empty_values_are_left_out():
    assert "Alasan" not in render(email_content("staff_withdrawn", reason="")).text
    assert "Kontak" not in render(email_content("assigned", contact="")).text
    assert ">Catatan<" not in render(email_content("resumed", note=" \n ")).html


OFFICE = OfficeContact("(0921) 123-456", "layanan@kantor.example", "Jalan Contoh 1, Maba")


def test_an_applicant_gets_the_configured_contact_of_the_office():
    rendered = render(replace(email_content("verified"), office=OFFICE))
    assert "\nKabupaten Halmahera Timur\n\nHubungi kami:\nTelepon: (0921) 123-456\n" in rendered.text
    assert "Surel: layanan@kantor.example\nAlamat: Jalan Contoh 1, Maba\n\n-- \n" in rendered.text
    links = {attributes["href"] for _, attributes in Page(rendered.html).tags if "href" in attributes}
    assert links == {LINK, "tel:0921123456", "mailto:layanan@kantor.example"}
    assert "Hubungi kami:" not in render(email_content("verified")).text
    only_phone = render(replace(email_content("verified"), office=OfficeContact(phone="0921 1"))).text
    assert "Telepon: 0921 1\n\n-- " in only_phone


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("staff_")])
def test_without_a_contact_no_email_asks_to_get_in_touch(kind):
    assert "hubungi kami" not in render(email_content(kind)).text.lower()
    assert "hubungi kami" in render(replace(email_content(kind), office=OFFICE)).text.lower()


def test_the_withdrawal_email_asks_to_report_an_unauthorised_withdrawal():
    assert "mohon segera hubungi kami." in render(replace(email_content("withdrawn"), office=OFFICE)).text


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("staff_")])
def test_emails_to_staff_name_the_applicant(kind):
    content = replace(
        email_content(kind), applicant="Rahmat\r\nContoh 198502142010011001", unit="Dinas <b>Perhubungan</b>"
    )
    rendered = render(content)
    assert "\nPemohon: Rahmat Contoh [nomor tidak ditampilkan], Dinas <b>Perhubungan</b>\n" in rendered.text
    assert "Dinas &lt;b&gt;Perhubungan&lt;/b&gt;" in rendered.html
    assert "Pemohon:" not in render(email_content(kind)).text


@pytest.mark.parametrize("kind", ["withdrawn", "contested"])
def test_text_of_an_applicant_is_not_emailed_to_the_applicants_address(kind):
    rendered = render(email_content(kind, reason="Menang undian: https://evil.example"))
    assert "undian" not in rendered.text + rendered.html


@pytest.mark.parametrize("name", ["Menang di https://evil.example", "evil.com", "buka www.evil.example"])
def test_a_name_with_a_web_address_is_not_used_as_greeting(name):
    rendered = render(replace(email_content("received"), name=name))
    assert "evil" not in rendered.text + rendered.html
    assert rendered.text.startswith("Yth. Bapak/Ibu Pemohon,")


def test_members_of_a_role_are_addressed_by_the_role():
    assert render(replace(email_content("staff_submitted"), name="")).text.startswith(
        "Yth. Bapak/Ibu Petugas Layanan TI,"
    )
    assert render(replace(email_content("staff_verified"), name="")).text.startswith(
        "Yth. Bapak/Ibu Penanggung Jawab Struktural,"
    )
    assert render(replace(email_content("staff_withdrawn"), name="")).text.startswith(
        "Yth. Bapak/Ibu Petugas Diskominfo,"
    )


def test_the_return_email_lists_the_missing_items_and_the_last_day():
    text = render(email_content("returned")).text
    assert "ada dua hal yang perlu dilengkapi:" in text
    assert "1. Surat Permohonan\n   Belum ada cap.\n" in text
    assert "2. Dokumen Persyaratan\n   Satuan belum ada.\n" in text
    assert "paling lambat Senin, 7 Desember 2026." in text
    assert "tidak perlu mengajukan permohonan baru" in text


def test_the_rejection_email_states_the_reason_and_where_to_object():
    text = render(email_content("rejected")).text
    assert "> Kata seorang pengguna." in text
    assert "SP4N-LAPOR" in text


def test_the_text_depends_on_the_case():
    assert "Perbaikan" in render(email_content("received", round=2)).subject
    assert "Perbaikan" not in render(email_content("received", round=1)).subject
    assert "%" not in render(email_content("progress", percent=None)).text
    assert "sudah Anda konfirmasi" in render(email_content("completed", automatic=False)).text
    assert "sudah Anda konfirmasi" not in render(email_content("completed", automatic=True)).text


def test_a_date_may_come_as_a_date():
    assert render(email_content("reminder_confirm", confirm_by=DAY)) == render(email_content("reminder_confirm"))


def test_a_sentence_is_parsed_into_spans():
    read = parse_sentence("Sudah **{percent}%** dari {whole}, ** dan {whole}.")
    assert [(span.text, span.strong) for span in read.spans({"percent": 60, "whole": "semua"})] == [
        ("Sudah ", False),
        ("60%", True),
        (" dari ", False),
        ("semua", False),
        (", ** dan ", False),
        ("semua", False),
        (".", False),
    ]


# Rules and rendering together

APPLICANT = Applicant(
    name="Rahmat Contoh",
    employee_number="198502142010011001",
    unit="Dinas Perhubungan",
    position="Analis",
    email="r@dinas.example",
)
LEAD, HEAD = Staff(username="yusuf", name="Yusuf Contoh"), Staff(username="hasan", name="Hasan Contoh")
RESULT = DocumentRef(
    id="1", kind=DocumentKind.RESULT, name="a.pdf", size=1, media_type="application/pdf", sha256="0", key="k" * 10
)
REQUEST: dict[str, Any] = {
    "applicant": APPLICANT,
    "description": "Mohon integrasi data trayek.",
    "scope": Scope.DATA,
    "letter": RequestLetter(number="1/X", date=DAY),
    "documents": (RESULT,),
}
FACTS = [
    i.RequestSubmitted(number="INT-2026-000148", **REQUEST),
    i.RequestResubmitted(round=2, **REQUEST),
    i.RequestCorrected(round=1, **REQUEST),
    i.ContactChangeRequested(change=1, applicant=APPLICANT),
    i.ContactChanged(change=1, applicant=APPLICANT),
    i.RequestExpired(round=1),
    i.RequestWithdrawn(reason="Sudah tidak perlu."),
    i.ApplicantAnswered(pause=1, text="Ya."),
    i.HandoverContested(delivery=1, reason="Belum sesuai."),
    i.HandoverConfirmed(delivery=1, automatic=True, survey_until=DAY),
    i.TrackingLinkRequested(),
    v.RequestReturned(
        round=1, verdicts=(Verdict(item=ChecklistItem.FORM, ok=False, note="Kosong."),), respond_by=DAY, by=HEAD
    ),
    v.RequestVerified(round=1, verdicts=(), by=HEAD),
    v.RejectionRecommended(round=1, reason="Di luar lingkup.", by=HEAD),
    a.RequestRejected(reason="Di luar lingkup.", by=HEAD),
    a.LeadAssigned(lead=LEAD, complexity=Complexity.LOW, target_date=DAY, by=HEAD),
    a.LeadReassigned(lead=LEAD, previous=HEAD, reason="Cuti.", target_date=DAY, by=HEAD),
    a.TargetChanged(target_date=DAY, previous=DAY, reason="Perangkat terlambat.", by=HEAD),
    a.ReminderRequested(responsible="applicant", stage="reply", due=DAY, overdue_days=2, by=HEAD),
    a.ReminderRequested(responsible="staff:yusuf", stage="work", due=DAY, overdue_days=7, others=3, by=HEAD),
    a.WorkStarted(by=LEAD),
    a.WorkProgressed(note="Setengah.", by=LEAD),
    a.WorkPaused(pause=1, question="Mana?", answer_by=DAY, by=LEAD),
    a.WorkResumed(pause=1, days=1, target_date=DAY),
    a.WorkCompleted(delivery=1, summary="Selesai.", documents=(RESULT,), record_number="B-1", confirm_by=DAY, by=LEAD),
]


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.type())
def test_planned_emails_can_be_rendered(fact):
    planned = emails_for(Lifecycle(), LEAD, None, fact)
    assert planned
    for email in planned:
        content = EmailContent(email.parameters, "", "INT-2026-000148", "data", LINK, contact="yusuf@kantor.example")
        assert render(content).text


def test_every_subscribed_event_is_covered_here():
    assert {type(fact) for fact in FACTS} >= SUBSCRIBES_TO
