"""Sample requests with texts of maximum length, without spaces or of realistic words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from shared.work_units import WORK_UNITS
from simpul.client_types import Upload
from tests.support.browser.browser_sessions import SiteUnderTest
from tests.support.browser.sample_requests import PARKED, SampleRequests, create_sample_requests
from tests.support.e2e.request_steps import REASON
from tests.support.e2e.server_session import ServerHarness, StaffNaming

UNBROKEN = "W" * 200
"""The widest letter."""
NOTES = ("note", "reason", "text", "question", "summary", "comment")
WORDS: Mapping[str, Mapping[str, str]] = {
    "unbroken": {
        **dict.fromkeys(("name", "unit", "position", "description", *NOTES), UNBROKEN),
        "reason": f"{REASON['reason']} {UNBROKEN}",
        "letter_number": "W" * 100,
        "email": f"{'w' * 64}@{'w' * 63}.{'w' * 63}.{'w' * 50}.example",
        "file": "W" * 190,
        "staff": "W" * 80,
    },
    "ordinary": {
        **dict.fromkeys(
            NOTES, f"{REASON['reason']} Halaman 2 belum memuat tanda tangan dan cap Kepala Dinas, mohon dilengkapi."
        ),
        "name": "Dr. Muhammad Abdurrahman Kabalmay, S.STP., M.Si.",
        "unit": max((unit.name for unit in WORK_UNITS), key=len),
        "position": "Kepala Subbagian Perencanaan, Keuangan, dan Pelaporan",
        "description": "Data trayek angkutan laut perlu terhubung ke portal data kabupaten setiap malam.",
        "letter_number": "500.11.26.3/1214/DISHUB-HALTIM/XI/2026",
        "email": "muhammad.abdurrahman.kabalmay@dishub.halmaheratimur.example",
        "file": "Surat permohonan integrasi data trayek angkutan laut (final, ditandatangani)",
        "staff": ", S.Kom., M.T. bin Kabalmay",
    },
}


@dataclass(frozen=True)
class LongTextClient(ServerHarness):
    """Replaces every text that it sends with these."""

    words: Mapping[str, str] = field(default_factory=dict)

    def call(
        self, token: str, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        for kind in ("json", "data"):
            if isinstance(options.get(kind), Mapping) and "username" not in options[kind]:
                options[kind] = self._said(options[kind])
        if files := options.get("files"):
            options["files"] = [(name, self._named(file)) for name, file in files]
        return super().call(token, method, path, headers, **options)

    def _said(self, texts: Mapping[str, Any]) -> dict[str, Any]:
        said = {name: self.words.get(name, text) for name, text in texts.items()}
        if "checklist" in said:
            said["checklist"] = [self._said(item) for item in said["checklist"]]
        return said

    def _named(self, file: Upload) -> Upload:
        return file._replace(name=f"{self.words['file']}.{file.name.rpartition('.')[2]}")


def naming(words: Mapping[str, str]) -> StaffNaming:
    return StaffNaming(words["staff"], lambda username: username + words["email"][len(username) :])


def create_long_text_requests(site: SiteUnderTest, words: Mapping[str, str]) -> SampleRequests:
    """Create requests in every status with these texts."""
    return create_sample_requests(SiteUnderTest(LongTextClient(site.harness.server, site.harness.http, words)))


@dataclass(frozen=True)
class PageTour:
    """Pages that a user may open: a signed-in staff account, or the applicant of a request in a status."""

    who: str
    paths: tuple[str, ...]


STEPS_OF = {
    "submitted": ("batalkan", "perbaiki", "kontak"),
    "returned": ("lengkapi",),
    "on_hold": ("jawab",),
    "delivered": ("konfirmasi", "keberatan"),
    "completed": ("survei", "keberatan"),
}


def page_tours(samples: SampleRequests) -> Iterator[PageTour]:
    """Return every list and every page of every request."""
    for state, asked in samples.asked.items():
        base = f"/lacak/{asked.number}"
        steps = (f"{base}/{step}" for step in STEPS_OF.get(state, ()))
        yield PageTour(state, (f"{base}?kunci={asked.token}", f"{base}/diterima", *steps))  # a key redirects to `base`
    ids = {state: asked.id for state, asked in samples.asked.items()}
    everywhere = (*ids.values(), samples.advised.id, samples.odd.id)
    led = [ids[state] for state in ("assigned", "in_progress", "on_hold", "delivered", "completed")]
    yield PageTour("", ("/", "/lacak", "/masuk", samples.record, "/surel"))
    yield PageTour(
        "nurlaila",
        (
            *("/verifikasi", "/verifikasi?status=all", f"/verifikasi/{ids['submitted']}/rekomendasi"),
            *(f"/verifikasi/{each}" for each in everywhere),
        ),
    )
    yield PageTour(
        "hasan",
        (
            *("/penugasan", "/penugasan?tab=running", "/penugasan?tab=overdue", "/penugasan?tab=archive"),
            *("/beban-kerja", f"/penugasan/{ids['in_progress']}/ganti", f"/penugasan/{samples.advised.id}/tolak"),
            *(f"/penugasan/{each}" for each in everywhere if each not in (ids["submitted"], ids["returned"])),
        ),
    )
    at_work = (f"/pekerjaan/{ids['in_progress']}/{step}" for step in ("perkembangan", "tunda", "serahkan"))
    yield PageTour(
        "dewi",
        ("/pekerjaan", "/pekerjaan?tab=all", *(f"/pekerjaan/{each}" for each in led), *at_work, "/akun-saya"),
    )
    dead = f"/kejadian-tertunda/{PARKED}"
    yield PageTour(
        "admin",
        ("/surel-keluar", "/kejadian-tertunda", dead, f"{dead}/buang", "/akun", "/akun/dewi", "/akun-saya"),
    )
