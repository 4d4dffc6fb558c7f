"""The work units that a form offers: seed data for the office to correct, since no official list was found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """A dinas, badan, kecamatan or other unit; one that is no longer active is not offered."""

    code: str
    name: str
    abbreviation: str = ""
    active: bool = True


DISTRICTS = (
    *("Maba", "Kota Maba", "Maba Selatan", "Maba Tengah", "Maba Utara"),
    *("Wasile", "Wasile Selatan", "Wasile Tengah", "Wasile Timur", "Wasile Utara"),
)

UNITS: tuple[Unit, ...] = (
    Unit("D01", "Dinas Komunikasi dan Informatika", "Diskominfo"),
    Unit("D02", "Dinas Perhubungan", "Dishub"),
    Unit("D03", "Dinas Sosial", "Dinsos"),
    Unit("D04", "Dinas Kesehatan", "Dinkes"),
    Unit("D05", "Dinas Pendidikan, Kepemudaan dan Olahraga", "Dikpora"),
    Unit("D06", "Dinas Kependudukan dan Pencatatan Sipil", "Disdukcapil"),
    Unit("D07", "Dinas Pemberdayaan Masyarakat dan Desa", "DPMD"),
    Unit("D08", "Dinas Pertanian", "Distan"),
    Unit("D09", "Dinas Ketahanan Pangan", "DKP"),
    Unit("D10", "Dinas Pekerjaan Umum dan Penataan Ruang", "PUPR"),
    Unit("D11", "Dinas Perumahan dan Kawasan Permukiman", "Perkim"),
    Unit("D12", "Dinas Kebudayaan dan Pariwisata", "Disbudpar"),
    Unit("D13", "Dinas Kelautan dan Perikanan"),
    Unit("D14", "Dinas Lingkungan Hidup", "DLH"),
    Unit("D15", "Dinas Penanaman Modal dan Pelayanan Terpadu Satu Pintu", "DPMPTSP"),
    Unit("D16", "Dinas Tenaga Kerja dan Transmigrasi", "Disnakertrans"),
    Unit("D17", "Dinas Perindustrian, Perdagangan, Koperasi dan UKM", "Disperindagkop"),
    Unit("D18", "Dinas Perpustakaan dan Arsip"),
    Unit("B01", "Badan Pengelolaan Keuangan dan Aset Daerah", "BPKAD"),
    Unit("B02", "Badan Pendapatan Daerah", "Bapenda"),
    Unit("B03", "Badan Kepegawaian dan Pengembangan Sumber Daya Manusia", "BKPSDM"),
    Unit("B04", "Badan Penanggulangan Bencana Daerah", "BPBD"),
    Unit("B05", "Badan Perencanaan Pembangunan, Penelitian dan Pengembangan Daerah", "BP4D"),
    Unit("B06", "Badan Kesatuan Bangsa dan Politik", "Kesbangpol"),
    Unit("L01", "Sekretariat Daerah", "Setda"),
    Unit("L02", "Sekretariat DPRD", "Setwan"),
    Unit("L03", "Inspektorat"),
    Unit("L04", "Satuan Polisi Pamong Praja", "Satpol PP"),
    Unit("L05", "RSUD Maba"),
    *(Unit(f"K{place:02d}", f"Kecamatan {name}") for place, name in enumerate(DISTRICTS, 1)),
)
