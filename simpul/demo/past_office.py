"""What the office of the demo's past is like: how many requests come in, who works there, and what people write."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from shared.calendar import WIT, WorkingCalendar, today
from shared.contracts.facts import ChecklistItem, Complexity, Staff

MONTHLY_REQUESTS = range(60, 151)
SEASON = (0.35, 0.5, 0.7, 0.45, 0.6, 0.55, 0.65, 0.75, 0.8, 0.95, 0.85, 0.2)
"""How busy each month is, from 0 to 1: plans are carried out after the middle of the year, December closes early."""
DAY_OFF_WEIGHT = 0.05
"""How often applicants submit on a day off, compared with a working day; staff never work on one."""
OPENING, CLOSING = time(7, 40), time(15, 50)

WORK_DAYS = {Complexity.LOW: 9, Complexity.MEDIUM: 18, Complexity.HIGH: 32}
LEAD_WEIGHTS = (5, 4, 4, 3, 2)
SURVEY_MEANS = (3.3, 3.2, 3.0, 3.8, 3.2, 3.4, 3.5, 3.1, 3.2)
"""Means of the survey's elements U1 to U9; the cost is liked best, for there is none, and the time least."""

RETURN_NOTES = {
    ChecklistItem.LETTER: "Surat belum ditandatangani pejabat yang berwenang. Mohon unggah surat yang telah ditandatangani.",
    ChecklistItem.DOCUMENTS: "Kamus data belum memuat jenis dan arti setiap unsur. Mohon lengkapi.",
    ChecklistItem.FORM: "Keterangan belum menyebut sistem asal dan sistem tujuan. Mohon lengkapi.",
}
RECOMMENDATIONS = (
    "Permohonan berada di luar lingkup Layanan Integrasi Sistem.",
    "Yang diminta adalah pembuatan aplikasi baru, bukan integrasi.",
)
REJECTION = "Mohon maaf, kebutuhan ini dilayani oleh layanan pengembangan aplikasi, bukan integrasi sistem."
WITHDRAWALS = (
    "Kebutuhan telah terpenuhi dengan cara lain.",
    "Anggaran kegiatan ini ditunda ke tahun berikutnya.",
    "Permohonan akan kami ajukan ulang dengan cakupan yang baru.",
)
REASSIGNMENTS = ("Penanggung jawab sebelumnya mendapat penugasan lain.", "Pembagian beban kerja tim teknis.")
PROGRESS_NOTES = (
    "Kebutuhan data dan akses telah disepakati bersama unit kerja.",
    "Sambungan ke sistem asal telah dipasang dan diuji.",
    "Pemetaan data selesai; uji dengan data contoh berjalan.",
    "Perbaikan setelah uji bersama telah diterapkan.",
)
QUESTIONS = (
    "Mohon informasi alamat server uji dan narahubung teknis sistem asal.",
    "Mohon contoh data terbaru untuk pemetaan kolom.",
    "Mohon persetujuan pemilik sistem untuk membuka akses antarmuka.",
)
ANSWERS = (
    "Server uji telah kami siapkan; narahubung teknis siap dihubungi.",
    "Contoh data telah kami kirim kepada penanggung jawab teknis.",
    "Pemilik sistem telah menyetujui pembukaan akses.",
)
NOTES = ("Sudah ditelepon; pemohon menyiapkan surat pengganti.", "Perlu dibahas dengan bidang statistik.")
TARGET_REASONS = ("Akses ke sistem asal baru dibuka pekan depan.", "Cakupan data bertambah atas kesepakatan bersama.")
SUMMARY = "Integrasi telah dipasang, diuji, dan didokumentasikan."
OBJECTIONS = ("Laporan belum memuat hasil uji untuk perubahan data.", "Data bulan terakhir belum ikut terkirim.")
COMMENTS = (
    "Terima kasih atas layanannya.", "Petugas ramah dan mudah dihubungi.", "Mohon waktu pengerjaan dipercepat.",
    "Hasilnya sangat membantu pekerjaan kami.", "Penjelasan persyaratan dapat dibuat lebih singkat.",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PastStaff:
    """Who worked in the office."""

    officers: Sequence[Staff]
    heads: Sequence[Staff]
    leads: Sequence[Staff]


def submission_times(
    months: int, now: datetime, calendar: WorkingCalendar, rng: random.Random
) -> Iterator[tuple[datetime, str]]:
    """Return when requests came in, in order, with their registration numbers: all of that many months, and this one so far."""
    first, times = today(now).replace(day=1), list[datetime]()
    for _ in range(months):
        first = (first - timedelta(days=1)).replace(day=1)
    while first <= today(now):
        following = (first + timedelta(days=31)).replace(day=1)
        times += sorted(at for at in _times_of_month(first, following, calendar, rng) if at < now)
        first = following
    return with_numbers(times)


def with_numbers(times: Iterable[datetime]) -> Iterator[tuple[datetime, str]]:
    """Yield ordered times of submission with the registration numbers that they got."""
    counts: Counter[int] = Counter()
    for at in times:
        counts[at.year] += 1
        yield at, f"INT-{at.year}-{counts[at.year]:06d}"


def _times_of_month(first: date, following: date, calendar: WorkingCalendar, rng: random.Random) -> list[datetime]:
    busy = SEASON[first.month - 1] + rng.gauss(0, 0.08)
    count = round(MONTHLY_REQUESTS[0] + busy * (MONTHLY_REQUESTS[-1] - MONTHLY_REQUESTS[0]))
    days = [first + timedelta(days=number) for number in range((following - first).days)]
    weights = [day_weight(day, calendar) for day in days]
    chosen = rng.choices(days, weights, k=min(max(count, MONTHLY_REQUESTS[0]), MONTHLY_REQUESTS[-1]))
    return [office_time(day, rng) for day in chosen]


def day_weight(day: date, calendar: WorkingCalendar) -> float:
    return 1.0 if calendar.is_working_day(day) else DAY_OFF_WEIGHT


def office_time(day: date, rng: random.Random) -> datetime:
    """Return a moment of this day in opening hours."""
    opening = datetime.combine(day, OPENING, WIT)
    return opening + (datetime.combine(day, CLOSING, WIT) - opening) * rng.random()


def next_office_time(since: datetime, days: int, calendar: WorkingCalendar, rng: random.Random) -> datetime:
    """Return a moment in opening hours after this many working days; on the same day if the office is still open then."""
    day = today(since)
    if days == 0:
        at = since + timedelta(minutes=rng.randint(8, 150))
        if calendar.is_working_day(day) and OPENING <= at.astimezone(WIT).time() < CLOSING:
            return at
    return office_time(calendar.add_working_days(day, max(1, days)), rng)
