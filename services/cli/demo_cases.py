"""Made-up applicants and what they ask for: the same seed gives the same cases, and none of the people exist."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta

from services.cli.shapes import Application, Scope
from shared.web.units import UNITS

GIVEN = (
    "Rahmat", "Nurhalida", "Samsuri", "Yuliarti", "Hasrun", "Marlina", "Fahmi", "Sitinur", "Abdurrahim", "Rosmina",
    "Yohanis", "Martince", "Ridwan", "Wahyuni", "Iskandar", "Fitrawati", "Benyamin", "Nurlaela", "Mukhlis", "Delfina",
)  # fmt: skip
FAMILY = (
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
ODD_EVERY = 6
YEAR = 365


@dataclass(frozen=True, slots=True)
class Case:
    """A request as an applicant brings it: the form, and the words that its documents are made of."""

    form: Application
    source: str
    target: str
    chance: random.Random


def case(seed: int, index: int, today: date) -> Case:
    """The case with this number; `today` dates its letter."""
    chance = random.Random(f"{seed}:{index}")  # noqa: S311 - play data, no secret
    name = f"{chance.choice(GIVEN)} {chance.choice(FAMILY)}"
    unit, scope = chance.choice(UNITS).name, _scope(chance)
    source, target = chance.sample(SYSTEMS, 2)
    form = Application(
        name=name,
        employee_number=employee_number(chance, odd=chance.randrange(ODD_EVERY) == 0),
        unit=unit,
        position=chance.choice(POSITIONS),
        description=_description(chance, scope, source, target),
        scope=scope,
        email=f"{name.lower().replace(' ', '.')}.{index}@pemohon.example",
        letter_number=f"{chance.randint(40, 900):03d}/{chance.randint(1, 400)}/{today.year}",
        letter_date=(today - timedelta(days=chance.randint(0, 12))).isoformat(),
    )
    if chance.random() < 0.6:
        form["phone"] = f"0812{chance.randrange(10**8):08d}"
    return Case(form, source, target, chance)


def employee_number(chance: random.Random, odd: bool = False) -> str:
    """18 digits that could be a PNS or PPPK number; an odd one can still be submitted, but warns."""
    born = date(chance.randint(1968, 1997), 1, 1) + timedelta(days=chance.randrange(YEAR))
    year = min(born.year + chance.randint(22, 34), 2025)
    kind = f"{chance.randint(1, 12):02d}" if chance.random() < 0.7 else f"2{chance.randint(1, 9)}"
    sex, serial = chance.choice("12"), f"{chance.randint(1, 40):03d}"
    if not odd:
        return f"{born:%Y%m%d}{year}{kind}{sex}{serial}"
    return chance.choice(
        (
            f"{born.year}0230{year}{kind}{sex}{serial}",
            f"{born:%Y%m%d}{year}13{sex}{serial}",
            f"{born:%Y%m%d}{year}{kind}3{serial}",
            f"{born:%Y%m%d}{year}{kind}{sex}000",
            f"{born:%Y%m%d}{born.year + 12}{kind}{sex}{serial}",
        )
    )


def _scope(chance: random.Random) -> Scope:
    return "application" if chance.random() < 0.5 else "data"


def _description(chance: random.Random, scope: Scope, source: str, target: str) -> str:
    purpose = chance.choice(PURPOSES)
    if scope == "application":
        return f"Kami memohon {source} dihubungkan dengan {target} melalui antarmuka program, {purpose}."
    return f"Kami memohon pertukaran {chance.choice(DATASETS)} dari {source} ke {target}, {purpose}."
