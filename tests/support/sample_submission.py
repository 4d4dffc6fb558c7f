"""A small submission with real files."""

from __future__ import annotations

from simpul.client_types import RequestForm, Verdict
from tests.support import office_files

FORM = RequestForm(
    name="Rahmat Contoh",
    employee_number="19850214 201001 1 001",
    unit="Dinas Perhubungan",
    position="Pranata Komputer",
    description="Data trayek angkutan laut perlu terhubung ke portal data kabupaten setiap malam.",
    scope="data",
    email="rahmat@dishub.example",
    letter_number="500.11/12/DISHUB/2026",
    letter_date="2026-11-02",
)
LETTER = office_files.pdf("Surat permohonan.pdf", "Surat permohonan integrasi data.")
PAPERS = [office_files.picture("Alur.png")]
ALL_OK = [Verdict(item=item, ok=True) for item in ("form", "letter", "scope", "documents")]
