"""The work units that the form offers: seed data for the office to correct, because no official list was found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WorkUnit:
    """A dinas, badan, kecamatan or other unit; the form offers active units only."""

    code: str
    name: str
    abbreviation: str = ""
    active: bool = True


DISTRICTS = (
    *("Maba", "Kota Maba", "Maba Selatan", "Maba Tengah", "Maba Utara"),
    *("Wasile", "Wasile Selatan", "Wasile Tengah", "Wasile Timur", "Wasile Utara"),
)

WORK_UNITS: tuple[WorkUnit, ...] = (
    WorkUnit("D01", "Dinas Komunikasi dan Informatika", "Diskominfo"),
    WorkUnit("D02", "Dinas Perhubungan", "Dishub"),
    WorkUnit("D03", "Dinas Sosial", "Dinsos"),
    WorkUnit("D04", "Dinas Kesehatan", "Dinkes"),
    WorkUnit("D05", "Dinas Pendidikan, Kepemudaan dan Olahraga", "Dikpora"),
    WorkUnit("D06", "Dinas Kependudukan dan Pencatatan Sipil", "Disdukcapil"),
    WorkUnit("D07", "Dinas Pemberdayaan Masyarakat dan Desa", "DPMD"),
    WorkUnit("D08", "Dinas Pertanian", "Distan"),
    WorkUnit("D09", "Dinas Ketahanan Pangan", "DKP"),
    WorkUnit("D10", "Dinas Pekerjaan Umum dan Penataan Ruang", "PUPR"),
    WorkUnit("D11", "Dinas Perumahan dan Kawasan Permukiman", "Perkim"),
    WorkUnit("D12", "Dinas Kebudayaan dan Pariwisata", "Disbudpar"),
    WorkUnit("D13", "Dinas Kelautan dan Perikanan"),
    WorkUnit("D14", "Dinas Lingkungan Hidup", "DLH"),
    WorkUnit("D15", "Dinas Penanaman Modal dan Pelayanan Terpadu Satu Pintu", "DPMPTSP"),
    WorkUnit("D16", "Dinas Tenaga Kerja dan Transmigrasi", "Disnakertrans"),
    WorkUnit("D17", "Dinas Perindustrian, Perdagangan, Koperasi dan UKM", "Disperindagkop"),
    WorkUnit("D18", "Dinas Perpustakaan dan Arsip"),
    WorkUnit("B01", "Badan Pengelolaan Keuangan dan Aset Daerah", "BPKAD"),
    WorkUnit("B02", "Badan Pendapatan Daerah", "Bapenda"),
    WorkUnit("B03", "Badan Kepegawaian dan Pengembangan Sumber Daya Manusia", "BKPSDM"),
    WorkUnit("B04", "Badan Penanggulangan Bencana Daerah", "BPBD"),
    WorkUnit("B05", "Badan Perencanaan Pembangunan, Penelitian dan Pengembangan Daerah", "BP4D"),
    WorkUnit("B06", "Badan Kesatuan Bangsa dan Politik", "Kesbangpol"),
    WorkUnit("L01", "Sekretariat Daerah", "Setda"),
    WorkUnit("L02", "Sekretariat DPRD", "Setwan"),
    WorkUnit("L03", "Inspektorat"),
    WorkUnit("L04", "Satuan Polisi Pamong Praja", "Satpol PP"),
    WorkUnit("L05", "RSUD Maba"),
    *(WorkUnit(f"K{index:02d}", f"Kecamatan {name}") for index, name in enumerate(DISTRICTS, 1)),
)
