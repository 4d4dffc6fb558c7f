"""Every page in every state, and how to open it; used by the page checks and the screenshots."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

from playwright.sync_api import expect

from shared.calendar import official_calendar
from shared.web.views.formats import MONTHS
from tests.support.browser.browser_sessions import BrowserSession
from tests.support.browser.email_links import open_contact_link
from tests.support.browser.sample_requests import ODD_NUMBER, PARKED, SampleRequests
from tests.support.browser.upload_page_states import (
    complete_file_failed,
    deliver_file_failed,
    form_file_failed,
    form_file_lost,
    form_filled,
    form_waiting,
)
from tests.support.browser.user_actions import CHECK, DICTIONARY, LETTER, Applicant, Head, Officer, field, pick, put
from tests.support.e2e.request_steps import STEPS
from tests.support.e2e.server_session import TODAY, SubmittedRequest

OpenPage = Callable[[BrowserSession, SampleRequests], None]
NOTE = "Halaman 2 belum memuat tanda tangan dan cap Kepala Dinas."
NEW_EMAIL = "alamat.baru@dishub.example"


@dataclass(frozen=True)
class PageState:
    """`name` is the page and its state; `who` is the signed-in staff account, "" is anonymous."""

    name: str
    who: str
    way: OpenPage


def at(path: str, *, press: str = "") -> OpenPage:
    """Open a page; `press` submits its form."""

    def way(session: BrowserSession, samples: SampleRequests) -> None:
        session.open(path)
        if press:
            refused(session, press)

    return way


def of(path: str, state: str, *, press: str = "") -> OpenPage:
    """Open a page of the request in this status; `press` submits its form."""

    def way(session: BrowserSession, samples: SampleRequests) -> None:
        session.open(path.format(id=samples.asked[state].id))
        if press:
            refused(session, press)

    return way


def followed(state: str, action: str = "", *, press: str = "") -> OpenPage:
    """Open a page of the applicant."""

    def way(session: BrowserSession, samples: SampleRequests) -> None:
        opens(session, samples.asked[state], action)
        if press:
            refused(session, press)

    return way


def opens(session: BrowserSession, asked: SubmittedRequest, action: str = "") -> None:
    """Open the tracking link, then the page of an action."""
    session.open(f"/lacak/{asked.number}?kunci={asked.token}")
    if action:
        session.open(f"/lacak/{asked.number}/{action}")


def refused(session: BrowserSession, button: str) -> None:
    session.page.get_by_role("main").get_by_role("button", name=button, exact=True).click()
    expect(session.page.get_by_role("alert").first).to_be_focused()


def holidays_moved(session: BrowserSession, _samples: SampleRequests) -> None:
    """Add the next working day as a day off, up to the list of the requests that move."""
    page, day = session.open("/pengaturan/libur"), official_calendar().add_working_days(TODAY, 1)
    for label, text in (("Tanggal", str(day.day)), ("Bulan", MONTHS[day.month - 1]), ("Tahun", str(day.year))):
        put(page.get_by_role("group", name="Tanggal").get_by_label(label), text)
    page.get_by_label("Nama").fill("Pemilihan kepala desa serentak")
    page.get_by_role("button", name="Tambah", exact=True).click()
    expect(page.get_by_role("button", name="Simpan", exact=True)).to_be_visible()


def checklist_refused(session: BrowserSession, _samples: SampleRequests) -> None:
    session.open("/pengaturan/daftar-periksa/data").get_by_label("Butir 2").fill("")
    refused(session, "Simpan daftar periksa")


def targets_too_large(session: BrowserSession, _samples: SampleRequests) -> None:
    session.open("/pengaturan/target").get_by_label("Pengerjaan").fill("400")
    refused(session, "Simpan target")


def moving(state: str, step: str, path: str, press: str) -> OpenPage:
    """Open the page, advance the request, then submit the form."""

    def way(session: BrowserSession, samples: SampleRequests) -> None:
        asked = samples.passing[state]
        session.open(path.format(id=asked.id))
        if state == "submitted":
            Officer(session).assess(NOTE)
        if state == "verified":
            Head(session).choose_lead("Dewi Andaian")
            pick(session.page.get_by_role("group", name="Kerumitan"), "Sedang")
        if state == "in_progress":
            field(session.page, "Catatan perkembangan").fill("Sambungan uji berhasil.")
        STEPS[step](asked)
        asked.wait_for_status("withdrawn")
        refused(session, press)

    return way


def form_refused(session: BrowserSession, samples: SampleRequests) -> None:
    applicant = Applicant(session)
    applicant.start()
    applicant.fill(**{"Alamat surel": "rahmat.dishub", "Nomor Pegawai": ODD_NUMBER, "Jabatan": ""})
    applicant.attach("Surat Permohonan", LETTER)
    applicant.attach("Dokumen Persyaratan", DICTIONARY)
    refused(session, CHECK)


def form_checked(session: BrowserSession, samples: SampleRequests) -> None:
    """The answers to check, with an odd Nomor Pegawai."""
    applicant = Applicant(session)
    applicant.start()
    applicant.fill(**{"Nomor Pegawai": ODD_NUMBER})
    applicant.attach_all()
    session.page.get_by_role("button", name=CHECK).click()
    applicant.checks_answers()


def form_bare_refused(session: BrowserSession, samples: SampleRequests) -> None:
    session.open("/")
    refused(session, CHECK)


def form_sent_before(session: BrowserSession, samples: SampleRequests) -> None:
    """Submit the form again from another window with other values."""
    form_filled(session, samples)
    session.page.get_by_role("form", name="Formulir permohonan").evaluate(
        "form => fetch('/', { method: 'POST', body: new FormData(form) })"
    )
    field(session.page, "Jabatan").fill("Arsiparis")
    session.page.get_by_role("button", name=CHECK).click()
    expect(session.page.get_by_role("heading", level=1)).to_have_text("Permohonan ini sudah terkirim")


def received(session: BrowserSession, samples: SampleRequests) -> None:
    Applicant(session).submit_request(**{"Nomor Pegawai": ODD_NUMBER})


def link_refused(session: BrowserSession, samples: SampleRequests) -> None:
    session.open("/lacak")
    refused(session, "Kirim Tautan Lacak")


def link_sent(session: BrowserSession, samples: SampleRequests) -> None:
    session.open("/lacak")
    field(session.page, "Alamat surel").fill("siapa@lain.example")
    session.page.get_by_role("button", name="Kirim Tautan Lacak").click()
    expect(session.page.get_by_role("status").first).to_be_visible()


def survey_refused(session: BrowserSession, samples: SampleRequests) -> None:
    opens(session, samples.asked["completed"], "survei")
    session.page.get_by_role("group", name=re.compile("^U1")).locator("label").nth(2).click()
    refused(session, "Kirim Jawaban")


def step_gone(session: BrowserSession, samples: SampleRequests) -> None:
    """An answer after the pause has ended."""
    opens(session, samples.asked["completed"], "keberatan")


def contact_confirmed(session: BrowserSession, samples: SampleRequests) -> None:
    """Request another email address, and open the link in the email to it."""
    opens(session, samples.asked["submitted"], "kontak")
    field(session.page, "Alamat surel").fill(NEW_EMAIL)
    session.page.get_by_role("button", name="Kirim Konfirmasi").click()
    expect(session.page.get_by_role("status").filter(has_text="surel konfirmasi")).to_be_visible()
    open_contact_link(session, NEW_EMAIL)


def sign_in_refused(session: BrowserSession, samples: SampleRequests) -> None:
    session.open("/masuk")
    field(session.page, "Nama pengguna").fill("nurlaila")
    field(session.page, "Kata sandi").fill("bukan kata sandinya")
    refused(session, "Masuk")


def sign_in_expired(session: BrowserSession, samples: SampleRequests) -> None:
    session.use_session(samples.site.session("dewi"))
    session.open(f"/pekerjaan/{samples.asked['in_progress'].id}/perkembangan")
    field(session.page, "Catatan perkembangan").fill("Sambungan uji berhasil.")
    session.context.clear_cookies()
    session.page.get_by_role("button", name="Catat Perkembangan").click()
    expect(session.page.get_by_text("tetap kami simpan").first).to_be_visible()


def signed_out(session: BrowserSession, samples: SampleRequests) -> None:
    session.use_session(samples.site.new_session("dewi"))
    session.open("/pekerjaan")
    session.page.get_by_role("button", name="Keluar").click()
    expect(session.page.get_by_role("status")).to_have_text("Anda sudah keluar.")


def record(session: BrowserSession, samples: SampleRequests) -> None:
    session.open(samples.record)


def letter(session: BrowserSession, samples: SampleRequests) -> None:
    session.open("/surel")
    session.page.get_by_role("row").filter(has_text="rahmat@dishub.example").first.get_by_role("link").first.click()
    expect(session.page.get_by_role("heading", level=1)).to_contain_text("INT-")


def officer_odd(session: BrowserSession, samples: SampleRequests) -> None:
    session.open(f"/verifikasi/{samples.odd.id}")


def officer_refused(session: BrowserSession, samples: SampleRequests) -> None:
    session.open(f"/verifikasi/{samples.odd.id}")
    pick(Officer(session).letter(), "Belum")
    session.page.locator(".deck .back").evaluate("one => { one.disabled = false }")  # as without a script
    refused(session, "Kembalikan untuk Dilengkapi")


def officer_advised(session: BrowserSession, samples: SampleRequests) -> None:
    session.open(f"/verifikasi/{samples.advised.id}")


def officer_news(session: BrowserSession, samples: SampleRequests) -> None:
    """The queue announces a request that it does not list yet."""
    session.open("/verifikasi")
    Officer(session).listen()
    samples.site.harness.submitted().wait_for_status("submitted")
    expect(session.page.get_by_role("status").filter(has_text="perubahan baru")).to_be_visible()


def officer_claimed(session: BrowserSession, samples: SampleRequests) -> None:
    """Claim a request that is ticked in the queue."""
    session.open("/verifikasi")
    session.page.locator(f"tr[data-id='{samples.odd.id}']").get_by_role("checkbox").check()
    session.page.get_by_role("group", name="Untuk yang dipilih").get_by_role("button", name="Ambil").click()
    expect(session.page).to_have_url(re.compile("/verifikasi/massal$"))


def account_with_open_work(session: BrowserSession, samples: SampleRequests) -> None:
    """Deactivate a lead who has open work."""
    session.open("/akun/dewi")
    session.page.get_by_label("Akun aktif").uncheck()
    refused(session, "Simpan perubahan")


def phrases_refused(session: BrowserSession, samples: SampleRequests) -> None:
    session.open("/kalimat")
    field(session.page, "Kalimat").last.fill("Kalimat tanpa judul dan singkatan.")
    refused(session, "Simpan Kalimat")


def head_advised(session: BrowserSession, samples: SampleRequests) -> None:
    session.open(f"/penugasan/{samples.advised.id}")


def head_rejecting(session: BrowserSession, samples: SampleRequests) -> None:
    session.open(f"/penugasan/{samples.advised.id}/tolak")


def account_refused(session: BrowserSession, samples: SampleRequests) -> None:
    session.open("/akun/baru")
    field(session.page, "Nama").fill("Sahril Teladan")
    field(session.page, "Kata sandi").fill("pendek")
    refused(session, "Tambah akun")


def account_bare_refused(path: str, button: str) -> OpenPage:
    """Submit a form of an account without anything in it."""

    def way(session: BrowserSession, samples: SampleRequests) -> None:
        for box in session.open(path).get_by_role("main").get_by_role("textbox").all():
            box.fill("")
        refused(session, button)

    return way


def account_made(session: BrowserSession, samples: SampleRequests) -> None:
    """Reset a password, which is shown once and can be repeated."""
    session.open("/akun/bekas")
    session.page.get_by_role("checkbox", name="Buatkan kata sandi baru").check()
    session.page.get_by_role("button", name="Simpan perubahan").click()
    expect(session.page.get_by_role("heading", level=1)).to_have_text("Kata sandi untuk bekas")


def own_refused(session: BrowserSession, samples: SampleRequests) -> None:
    session.open("/akun-saya")
    field(session.page, "Kata sandi sekarang").fill("bukan yang ini")
    field(session.page, "Kata sandi baru").fill("tiga-batu-di-pantai-maba")
    refused(session, "Simpan")


STATES = (
    *("submitted", "returned", "verified", "assigned", "in_progress", "on_hold", "delivered", "completed"),
    *("rejected", "withdrawn"),
)
PUBLIC: dict[str, OpenPage] = {
    "form": at("/"),
    "form filled": form_filled,
    "form refused": form_refused,
    "form refused bare": form_bare_refused,
    "form checked": form_checked,
    "form sent before": form_sent_before,
    "form file failed": form_file_failed,
    "form file lost": form_file_lost,
    "form waiting": form_waiting,
    "received": received,
    "standard": at("/standar-pelayanan"),
    "figures": at("/kinerja"),
    "privacy": at("/pelindungan-data"),
    "link": at("/lacak"),
    "link refused": link_refused,
    "link sent": link_sent,
    "track without key": at("/lacak/INT-2026-000001"),
    **{f"track {state}": followed(state) for state in STATES},
    "track documents": followed("delivered", "lihat"),
    "complete": followed("returned", "lengkapi"),
    "complete file failed": complete_file_failed,
    "complete refused": followed("returned", "lengkapi", press="Kirim Ulang"),
    "correct": followed("submitted", "perbaiki"),
    "correct refused": followed("submitted", "perbaiki", press="Simpan Perbaikan"),
    "contact": followed("submitted", "kontak"),
    "contact refused": followed("submitted", "kontak", press="Kirim Konfirmasi"),
    "contact confirm": contact_confirmed,
    "answer": followed("on_hold", "jawab"),
    "answer refused": followed("on_hold", "jawab", press="Kirim Jawaban"),
    "confirm": followed("delivered", "konfirmasi"),
    "object": followed("delivered", "keberatan"),
    "object refused": followed("delivered", "keberatan", press="Ajukan Keberatan"),
    "withdraw": followed("submitted", "batalkan"),
    "withdraw refused": followed("submitted", "batalkan", press="Batalkan Permohonan"),
    "survey": followed("completed", "survei"),
    "survey refused": survey_refused,
    "step gone": step_gone,
    "record": record,
    "record unknown": at("/periksa/BAST-INT-2026-000001-1?kode=x"),
    "not found": at("/tidak-ada"),
    "sign in": at("/masuk"),
    "sign in refused": sign_in_refused,
    "sign in refused bare": account_bare_refused("/masuk", "Masuk"),
    "sign in expired": sign_in_expired,
    "signed out": signed_out,
    "mails": at("/surel"),
    "mail": letter,
}
OFFICER: dict[str, OpenPage] = {
    "officer queue": at("/verifikasi"),
    "officer queue news": officer_news,
    "officer view refused": at("/tampilan?list=verification&query=overdue%3Dtrue", press="Simpan Tampilan"),
    "officer queue archive": at("/verifikasi?status=all"),
    "officer queue empty": at("/verifikasi?search=tidak+ada+yang+begini"),
    "officer request": of("/verifikasi/{id}", "submitted"),
    "officer request search": of("/verifikasi/{id}?kata=integrasi", "submitted"),
    "officer request odd": officer_odd,
    "officer request refused": officer_refused,
    "officer request advised": officer_advised,
    "officer request read only": of("/verifikasi/{id}", "returned"),
    "officer request conflict": moving("submitted", "withdrawal", "/verifikasi/{id}", "Kembalikan untuk Dilengkapi"),
    "officer recommend": of("/verifikasi/{id}/rekomendasi", "submitted"),
    "officer recommend refused": of("/verifikasi/{id}/rekomendasi", "submitted", press="Rekomendasikan Penolakan"),
    "officer team": of("/verifikasi/{id}/tim", "submitted"),
    "officer team refused": of("/verifikasi/{id}/tim", "submitted", press="Simpan Catatan"),
    "officer bulk claimed": officer_claimed,
    "officer not found": at("/verifikasi/00000000-0000-4000-8000-000000000000"),
    "officer elsewhere": at("/penugasan"),
}
HEAD: dict[str, OpenPage] = {
    "head documents": of("/penugasan/{id}/lihat", "verified"),
    "head queue": at("/penugasan"),
    "head queue running": at("/penugasan?tab=running"),
    "head queue archive": at("/penugasan?tab=archive"),
    "head queue empty": at("/penugasan?tab=overdue"),
    "head queue nothing found": at("/penugasan?search=tidak+ada+yang+begini"),
    "head overdue": at("/lewat-batas"),
    "head target": of("/penugasan/{id}/target", "in_progress"),
    "head target refused": of("/penugasan/{id}/target", "in_progress", press="Ubah Target"),
    "head bulk appoint": of("/penugasan/massal?action=assignment&ids={id}", "verified"),
    "head bulk appoint refused": of(
        "/penugasan/massal?action=assignment&ids={id}", "verified", press="Tunjuk penanggung jawab"
    ),
    "head bulk replace": of("/penugasan/massal?action=reassignment&ids={id}", "in_progress"),
    "head notes": of("/penugasan/{id}/catatan", "in_progress"),
    "head notes refused": of("/penugasan/{id}/catatan", "in_progress", press="Simpan Catatan"),
    "head substitutes": at("/pengganti"),
    "head substitutes refused": at("/pengganti", press="Tetapkan Pengganti"),
    "head phrases": at("/kalimat"),
    "head settings": at("/pengaturan"),
    "head phrases refused": phrases_refused,
    "head notifications": at("/akun-saya/notifikasi"),
    "head load": at("/beban-kerja"),
    "head dashboard": at("/dasbor"),
    "head survey": at("/dasbor/kepuasan"),
    "head register": at("/dasbor/register"),
    "head appoint": of("/penugasan/{id}", "verified"),
    "head appoint refused": of("/penugasan/{id}", "verified", press="Tunjuk Penanggung Jawab Teknis"),
    "head appoint conflict": moving("verified", "withdrawal", "/penugasan/{id}", "Tunjuk Penanggung Jawab Teknis"),
    "head request advised": head_advised,
    "head request running": of("/penugasan/{id}", "in_progress"),
    "head request read only": of("/penugasan/{id}", "completed"),
    "head replace": of("/penugasan/{id}/ganti", "in_progress"),
    "head replace refused": of("/penugasan/{id}/ganti", "in_progress", press="Ganti Penanggung Jawab"),
    "head reject": head_rejecting,
    "head reject refused": of("/penugasan/{id}/tolak", "verified", press="Tolak"),
}
LEAD: dict[str, OpenPage] = {
    "lead work": at("/pekerjaan"),
    "lead work empty": at("/pekerjaan?search=tidak+ada+yang+begini"),
    "lead start": of("/pekerjaan/{id}", "assigned"),
    "lead progress": of("/pekerjaan/{id}", "in_progress"),
    "lead progress refused": of("/pekerjaan/{id}/perkembangan", "in_progress", press="Catat Perkembangan"),
    "lead progress conflict": moving("in_progress", "withdrawal", "/pekerjaan/{id}/perkembangan", "Catat Perkembangan"),
    "lead pause": of("/pekerjaan/{id}/tunda", "in_progress"),
    "lead pause refused": of("/pekerjaan/{id}/tunda", "in_progress", press="Tunda"),
    "lead resume": of("/pekerjaan/{id}/lanjutkan", "on_hold"),
    "lead deliver": of("/pekerjaan/{id}/serahkan", "in_progress"),
    "lead deliver file failed": deliver_file_failed,
    "lead deliver refused": of("/pekerjaan/{id}/serahkan", "in_progress", press="Serahkan Dokumen"),
    "lead documents": of("/pekerjaan/{id}/lihat", "in_progress"),
    "lead notes": of("/pekerjaan/{id}/catatan", "in_progress"),
    "lead request delivered": of("/pekerjaan/{id}", "delivered"),
    "lead request completed": of("/pekerjaan/{id}", "completed"),
}
ADMIN: dict[str, OpenPage] = {
    "messages": at("/surel-keluar"),
    "messages empty": at("/surel-keluar?status=failed"),
    "dead letters": at("/kejadian-tertunda"),
    "dead letter": at(f"/kejadian-tertunda/{PARKED}"),
    "dead letter discard": at(f"/kejadian-tertunda/{PARKED}/buang"),
    "accounts": at("/akun"),
    "account new": at("/akun/baru"),
    "account new refused": account_refused,
    "account new refused bare": account_bare_refused("/akun/baru", "Tambah akun"),
    "account": at("/akun/yusuf"),
    "account with open work": account_with_open_work,
    "account password made": account_made,
    "own account": at("/akun-saya"),
    "own account refused": own_refused,
    "own account refused bare": account_bare_refused("/akun-saya", "Simpan"),
    "settings": at("/pengaturan"),
    "holidays": at("/pengaturan/libur"),
    "holidays refused": at("/pengaturan/libur", press="Tambah"),
    "holidays moved": holidays_moved,
    "checklist": at("/pengaturan/daftar-periksa/data"),
    "checklist refused": checklist_refused,
    "targets": at("/pengaturan/target"),
    "targets too large": targets_too_large,
    "api": at("/api/docs"),
}


def _scenes() -> Iterator[PageState]:
    staff = (("nurlaila", OFFICER), ("hasan", HEAD), ("dewi", LEAD), ("admin", ADMIN))
    return chain(
        (PageState(name, "", way) for name, way in PUBLIC.items()),
        (PageState(name, who, way) for who, ways in staff for name, way in ways.items()),
    )


PAGE_STATES = tuple(_scenes())
