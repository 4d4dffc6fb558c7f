"""What people send while everything breaks: a small form with real files."""

from __future__ import annotations

from services.cli.shapes import RequestForm, Verdict
from tests.journeys import papers

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
LETTER = papers.pdf("Surat permohonan.pdf", "Surat permohonan integrasi data.")
PAPERS = [papers.picture("Alur.png")]
ALL_OK = [Verdict(item=item, ok=True) for item in ("form", "letter", "scope", "documents")]
