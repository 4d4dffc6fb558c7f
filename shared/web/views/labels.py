"""Labels of all codes, in Bahasa Indonesia."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shared.contracts.facts import ChecklistItem, Complexity, DocumentKind, Scope
from shared.contracts.lifecycle import Status

OVERDUE_LABEL = "Melewati Target"
APPLICANT_LABEL = "Pemohon"
SYSTEM_LABEL = "Sistem"

STATUS_LABELS: Mapping[Status, str] = {
    Status.NEW: "Belum Diajukan",
    Status.SUBMITTED: "Diajukan",
    Status.RETURNED: "Perlu Dilengkapi",
    Status.VERIFIED: "Terverifikasi",
    Status.ASSIGNED: "Ditugaskan",
    Status.IN_PROGRESS: "Sedang Dikerjakan",
    Status.ON_HOLD: "Menunggu Pemohon",
    Status.DELIVERED: "Menunggu Konfirmasi Serah Terima",
    Status.COMPLETED: "Selesai",
    Status.REJECTED: "Ditolak",
    Status.WITHDRAWN: "Dibatalkan Pemohon",
    Status.EXPIRED: "Ditutup (Tidak Dilengkapi)",
}

SCOPE_LABELS: Mapping[Scope, str] = {
    Scope.APPLICATION: "Integrasi Aplikasi",
    Scope.DATA: "Integrasi Data",
}

ROLE_LABELS: Mapping[str, str] = {
    "applicant": APPLICANT_LABEL,
    "officer": "Petugas Layanan TI",
    "structural": "Penanggung Jawab Struktural",
    "technical": "Penanggung Jawab Teknis",
    "admin": "Administrator",
}

OPEN_ITEM_LABELS: Mapping[ChecklistItem, str] = {
    ChecklistItem.FORM: "Isian formulir perlu diperbaiki",
    ChecklistItem.LETTER: "Surat permohonan perlu diperbaiki",
    ChecklistItem.SCOPE: "Lingkup permohonan perlu disesuaikan",
    ChecklistItem.DOCUMENTS: "Dokumen persyaratan perlu dilengkapi",
}
"""Checklist items as applicants read them when they have to complete a request."""

WARNING_MESSAGES: Mapping[str, str] = {
    "birth_date": "Tanggal lahir pada Nomor Pegawai (angka ke-1 sampai ke-8) tidak ada di kalender.",
    "month_or_contract": "Angka ke-13 dan ke-14 Nomor Pegawai bukan bulan pengangkatan (01-12) maupun kode PPPK (21-29).",
    "sex": "Angka ke-15 Nomor Pegawai seharusnya 1 (laki-laki) atau 2 (perempuan).",
    "serial": "Nomor urut pada Nomor Pegawai (tiga angka terakhir) seharusnya bukan 000.",
    "appointment_year": "Tahun pengangkatan pada Nomor Pegawai (angka ke-9 sampai ke-12) belum tiba.",
    "age_at_appointment": "Menurut Nomor Pegawai, umur saat pengangkatan di luar 16-60 tahun.",
}
"""Warnings about an employee number, for the applicant, who may have mistyped it, and the officer, who must acknowledge them."""

DOCUMENT_KIND_LABELS: Mapping[DocumentKind, str] = {
    DocumentKind.LETTER: "Surat Permohonan",
    DocumentKind.REQUIREMENT: "Dokumen Persyaratan",
    DocumentKind.RESULT: "Dokumen Hasil",
    DocumentKind.HANDOVER_RECORD: "Berita Acara Serah Terima",
}

COMPLEXITY_LABELS: Mapping[Complexity, str] = {
    Complexity.LOW: "Rendah",
    Complexity.MEDIUM: "Sedang",
    Complexity.HIGH: "Tinggi",
}

STAGE_LABELS: Mapping[str, str] = {
    "verify": "Verifikasi",
    "appoint": "Penugasan",
    "start": "Mulai kerja",
    "work": "Pengerjaan",
    "reply": "Jawaban pemohon",
    "confirm": "Konfirmasi",
}
"""What an open request waits for."""

EVENT_LABELS: Mapping[str, str] = {
    "RequestSubmitted": "Permohonan diajukan",
    "RequestResubmitted": "Permohonan dilengkapi dan dikirim ulang",
    "RequestCorrected": "Isian diperbaiki pemohon",
    "ContactChangeRequested": "Penggantian surel atau HP diminta",
    "ContactChanged": "Surel atau HP pemohon diganti",
    "RequestExpired": "Permohonan ditutup karena tidak dilengkapi",
    "RequestWithdrawn": "Permohonan dibatalkan",
    "ApplicantAnswered": "Pertanyaan dijawab pemohon",
    "HandoverConfirmed": "Serah terima dikonfirmasi",
    "HandoverContested": "Keberatan atas hasil diajukan",
    "SurveyAnswered": "Survei kepuasan diisi",
    "TrackingLinkRequested": "Tautan lacak diminta lagi",
    "RequestReturned": "Dikembalikan untuk dilengkapi",
    "RequestVerified": "Dinyatakan lengkap",
    "RejectionRecommended": "Penolakan disarankan",
    "RecommendationWithdrawn": "Saran penolakan dicabut",
    "RequestClaimed": "Pemeriksa ditetapkan",
    "ClaimReleased": "Pemeriksaan dilepas",
    "NoteAdded": "Catatan internal ditulis",
    "RequestRejected": "Permohonan ditolak",
    "LeadAssigned": "Penanggung jawab teknis ditunjuk",
    "LeadReassigned": "Penanggung jawab teknis diganti",
    "TargetChanged": "Target selesai diubah",
    "ReminderRequested": "Pengingat dikirim",
    "WorkStarted": "Pekerjaan dimulai",
    "WorkProgressed": "Perkembangan dicatat",
    "WorkPaused": "Pekerjaan ditunda, menunggu jawaban pemohon",
    "WorkResumed": "Pekerjaan dilanjutkan",
    "WorkCompleted": "Dokumen hasil diserahkan",
    "WorkNoteAdded": "Catatan internal ditulis",
    "SendingStarted": "Pengiriman surel dimulai",
    "SendingEnded": "Pengiriman surel berakhir",
    "ReminderFellDue": "Waktu pengingat tiba",
    "RemindersDropped": "Pengingat tidak jadi dikirim",
    "ResendRequested": "Kirim ulang surel diminta",
}

EVENT_ROLES: Mapping[str, str] = {
    "RequestReturned": "officer",
    "RequestVerified": "officer",
    "RejectionRecommended": "officer",
    "RecommendationWithdrawn": "officer",
    "RequestClaimed": "officer",
    "ClaimReleased": "officer",
    "NoteAdded": "officer",
    "RequestRejected": "structural",
    "LeadAssigned": "structural",
    "LeadReassigned": "structural",
    "TargetChanged": "structural",
    "ReminderRequested": "structural",
    "WorkStarted": "technical",
    "WorkProgressed": "technical",
    "WorkPaused": "technical",
    "WorkResumed": "technical",
    "WorkCompleted": "technical",
    "ResendRequested": "admin",
}
"""Role of the staff member who causes an event."""

APPLICANT_EVENTS = frozenset(
    {
        "RequestSubmitted",
        "RequestResubmitted",
        "RequestCorrected",
        "ContactChangeRequested",
        "ContactChanged",
        "RequestWithdrawn",
        "ApplicantAnswered",
        "HandoverConfirmed",
        "HandoverContested",
        "SurveyAnswered",
    }
)


def status_label(code: str) -> str:
    return STATUS_LABELS[Status(code)]


def document_kind_label(code: str) -> str:
    return DOCUMENT_KIND_LABELS[DocumentKind(code)]


def scope_label(code: str) -> str:
    return SCOPE_LABELS[Scope(code)] if code else ""


def roles_label(roles: Iterable[str]) -> str:
    return ", ".join(ROLE_LABELS[role] for role in roles)


def actor_label(event: str, by: str, *, automatic: bool = False) -> str:
    """Return the label of the actor of an event: a staff member's name with the role, the applicant, or the system."""
    if by:
        role = ROLE_LABELS.get(EVENT_ROLES.get(event, ""), "")
        return f"{by}, {role}" if role and not any(label in by for label in ROLE_LABELS.values()) else by
    return APPLICANT_LABEL if event in APPLICANT_EVENTS and not automatic else SYSTEM_LABEL
