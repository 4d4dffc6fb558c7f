"""Generated applicants and their requests, reproducible by seed; none of the people exist."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta

from shared.work_units import WORK_UNITS
from simpul.client_types import RequestForm, Scope

GIVEN_NAMES = (
    "Rahmat", "Nurhalida", "Samsuri", "Yuliarti", "Hasrun", "Marlina", "Fahmi", "Sitinur", "Abdurrahim", "Rosmina",
    "Yohanis", "Martince", "Ridwan", "Wahyuni", "Iskandar", "Fitrawati", "Benyamin", "Nurlaela", "Mukhlis", "Delfina",
)  # fmt: skip
FAMILY_NAMES = (
    "Contohara", "Wairoya", "Tolomaru", "Labuhadi", "Sangajira", "Mabatengi", "Kotalowe", "Bulidara", "Tanjurana",
    "Wasimaru", "Lolobatta", "Subaimora", "Gotowara", "Peniraya", "Ekorinda", "Dodagalu",
)  # fmt: skip
POSITIONS = (
    "Kepala Seksi Pengolahan Data", "Pranata Komputer Ahli Pertama", "Analis Sistem Informasi",
    "Kepala Subbagian Umum", "Pengelola Data", "Sekretaris", "Kepala Bidang Informasi",
    "Analis Perencanaan", "Arsiparis Terampil",
)  # fmt: skip
SYSTEMS = (
    "aplikasi kepegawaian", "aplikasi presensi", "sistem perencanaan daerah", "aplikasi surat masuk dan keluar",
    "sistem pendapatan daerah", "aplikasi layanan perizinan", "sistem informasi rumah sakit", "aplikasi data desa",
    "portal pengaduan", "sistem inventaris barang", "aplikasi bantuan sosial", "dasbor pimpinan",
    "sistem arsip digital",
)  # fmt: skip
DATASETS = (
    "data pegawai dan riwayat jabatan", "data kehadiran harian", "data penerima bantuan", "data realisasi pendapatan",
    "data izin yang terbit", "data kunjungan pasien per bulan", "data produksi pertanian", "data tangkapan ikan",
    "data sekolah dan guru", "data curah hujan dan titik bencana", "data jalan dan jembatan", "data aset daerah",
)  # fmt: skip
PURPOSES = (
    "agar petugas tidak lagi menyalin data dengan tangan", "agar laporan bulanan dapat disusun dari satu sumber",
    "agar pimpinan melihat angka yang sama pada hari yang sama", "supaya pemohon tidak mengisi data yang sama dua kali",
    "untuk memenuhi rencana kerja tahun ini", "supaya kesalahan pencatatan dapat dikurangi",
)  # fmt: skip
UNUSUAL_NUMBER_INTERVAL = 6
DAYS_PER_YEAR = 365


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """The form of an applicant, and the words for its documents."""

    form: RequestForm
    source: str
    target: str
    rng: random.Random


def sample_request(seed: int, index: int, today: date) -> SampleRequest:
    """The request with this number; `today` dates its letter."""
    rng = random.Random(f"{seed}:{index}")  # noqa: S311 - sample data, no secret
    name = f"{rng.choice(GIVEN_NAMES)} {rng.choice(FAMILY_NAMES)}"
    unit, scope = rng.choice(WORK_UNITS).name, _scope(rng)
    source, target = rng.sample(SYSTEMS, 2)
    form = RequestForm(
        name=name,
        employee_number=employee_number(rng, unusual=rng.randrange(UNUSUAL_NUMBER_INTERVAL) == 0),
        unit=unit,
        position=rng.choice(POSITIONS),
        description=_description(rng, scope, source, target),
        scope=scope,
        email=f"{name.lower().replace(' ', '.')}.{index}@pemohon.example",
        letter_number=f"{rng.randint(40, 900):03d}/{rng.randint(1, 400)}/{today.year}",
        letter_date=(today - timedelta(days=rng.randint(0, 12))).isoformat(),
    )
    if rng.random() < 0.6:
        form["phone"] = f"0812{rng.randrange(10**8):08d}"
    return SampleRequest(form, source, target, rng)


def employee_number(rng: random.Random, unusual: bool = False) -> str:
    """18 digits of a PNS or PPPK number; an unusual one can be submitted, but causes a warning."""
    born = date(rng.randint(1968, 1997), 1, 1) + timedelta(days=rng.randrange(DAYS_PER_YEAR))
    year = min(born.year + rng.randint(22, 34), 2025)
    month_or_contract = f"{rng.randint(1, 12):02d}" if rng.random() < 0.7 else f"2{rng.randint(1, 9)}"
    sex, serial = rng.choice("12"), f"{rng.randint(1, 40):03d}"
    if not unusual:
        return f"{born:%Y%m%d}{year}{month_or_contract}{sex}{serial}"
    return rng.choice(
        (
            f"{born.year}0230{year}{month_or_contract}{sex}{serial}",
            f"{born:%Y%m%d}{year}13{sex}{serial}",
            f"{born:%Y%m%d}{year}{month_or_contract}3{serial}",
            f"{born:%Y%m%d}{year}{month_or_contract}{sex}000",
            f"{born:%Y%m%d}{born.year + 12}{month_or_contract}{sex}{serial}",
        )
    )


def _scope(rng: random.Random) -> Scope:
    return "application" if rng.random() < 0.5 else "data"


def _description(rng: random.Random, scope: Scope, source: str, target: str) -> str:
    purpose = rng.choice(PURPOSES)
    if scope == "application":
        return f"Kami memohon {source} dihubungkan dengan {target} melalui antarmuka program, {purpose}."
    return f"Kami memohon pertukaran {rng.choice(DATASETS)} dari {source} ke {target}, {purpose}."
