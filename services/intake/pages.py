"""The page by which an applicant follows a request: a link from an e-mail becomes a cookie and a clean address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import HTMLResponse, RedirectResponse

from services.intake.queries import document, documents, opened_by, tracked
from services.intake.state import State
from shared.calendar import today
from shared.contracts.course import Status
from shared.platform import Platform
from shared.runtime.execution import Kept
from shared.runtime.service import ServiceRuntime
from shared.web.access import public
from shared.web.dates import day_words, moment_words
from shared.web.downloads import download
from shared.web.labels import DOCUMENT_KIND_LABELS
from shared.web.page_routes import PageRoute
from shared.web.rendering import Pages

_page = Pages("services.intake")

STEPS = ("Diajukan", "Diverifikasi", "Ditugaskan", "Dikerjakan", "Serah terima", "Selesai")
STEP_OF: Mapping[Status, int] = {
    Status.SUBMITTED: 1,
    Status.RETURNED: 1,
    Status.VERIFIED: 2,
    Status.ASSIGNED: 3,
    Status.IN_PROGRESS: 3,
    Status.ON_HOLD: 3,
    Status.DELIVERED: 4,
    Status.COMPLETED: len(STEPS),
}
"""The step that is being taken; those before it are done. A request that ended early is on none."""

NEXT: Mapping[Status, str] = {
    Status.SUBMITTED: "Petugas Layanan TI memeriksa kelengkapan permohonan Anda. Hasilnya kami kabarkan lewat surel.",
    Status.RETURNED: "Mohon lengkapi bagian di bawah ini paling lambat {respond_by}. Anda tidak perlu mengajukan permohonan "
    "baru.",
    Status.VERIFIED: "Permohonan Anda lengkap. Penanggung Jawab Struktural akan menunjuk Penanggung Jawab Teknis dan "
    "menetapkan target selesai.",
    Status.ASSIGNED: "{lead} ditunjuk sebagai Penanggung Jawab Teknis dan akan memulai pekerjaan. Target selesai: {target}.",
    Status.IN_PROGRESS: "{lead} sedang mengerjakan permohonan Anda. Target selesai: {target}.",
    Status.ON_HOLD: "Pekerjaan menunggu jawaban Anda atas pertanyaan di bawah ini, paling lambat {answer_by}.",
    Status.DELIVERED: "Mohon periksa dokumen hasil, lalu konfirmasi penerimaan atau ajukan keberatan paling lambat "
    "{confirm_by}. Setelah itu hasil dianggap diterima.",
    Status.COMPLETED: "Permohonan ini telah selesai. Terima kasih atas kerja sama Anda.",
    Status.REJECTED: "Permohonan ini ditolak. Alasannya tercantum pada riwayat.",
    Status.WITHDRAWN: "Permohonan ini dibatalkan atas permintaan pemohon.",
    Status.EXPIRED: "Permohonan ini ditutup karena tidak dilengkapi sampai batas waktunya. Bila masih diperlukan, silakan "
    "ajukan permohonan baru.",
}
SURVEY = " Survei kepuasan dapat diisi sampai {survey_until}."


def pages(runtime: ServiceRuntime[State], platform: Platform) -> APIRouter:
    """Pages under /lacak; each asks for the key itself, so that whoever has none meets a page and not a code."""
    routes = APIRouter(
        prefix="/lacak", route_class=PageRoute, include_in_schema=False, dependencies=[Depends(public())]
    )
    name = "__Secure-lacak" if platform.settings.tls else "lacak"

    async def opened(number: str, token: str) -> Kept[State] | None:
        return await opened_by(runtime.executor, platform.tracking, number, token) if token else None

    @routes.get("/{number}")
    async def track(request: Request, number: str, kunci: str = "") -> Response:
        kept = await opened(number, kunci or request.cookies.get(name, ""))
        if kept is None:
            return _not_found(request)
        if not kunci:
            return _page(request, "track.html", **shown(kept.state, tracked(kept.state, today(platform.clock()))))
        clean = f"/lacak/{kept.state.number}"
        answer = RedirectResponse(clean, 303)
        answer.set_cookie(name, kunci, path=clean, secure=platform.settings.tls, httponly=True, samesite="lax")
        return answer

    @routes.get("/{number}/dokumen/{document_id}")
    async def download_document(request: Request, number: str, document_id: str) -> Response:
        kept = await opened(number, request.cookies.get(name, ""))
        found = document(kept.state, document_id) if kept else None
        return await download(platform.documents, found, f"the applicant of {number}") if found else _not_found(request)

    return routes


def _not_found(request: Request) -> HTMLResponse:
    return _page(request, "not_found.html", 404)


def shown(state: State, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What the template needs: the facts that the API tells, and the words for them."""
    status, here = state.status, STEP_OF.get(state.status)
    words = {name: day_words(day) for name, day in facts["deadlines"].items()}
    words |= {"lead": facts["lead"] or "", "target": day_words(state.target_date) if state.target_date else ""}
    what_next = NEXT[status] + (SURVEY if facts["survey_open"] else "")
    return {
        **facts,
        "what_next": what_next.format(**words),
        "steps": [(label, _place(step, here)) for step, label in enumerate(STEPS)] if here else [],
        "target": words["target"],
        "files": [
            (ref.id, ref.name, f"{DOCUMENT_KIND_LABELS[ref.kind]}, {_size(ref.size)}") for ref in documents(state)
        ],
        "lines": [{**line, "when": moment_words(line["time"])} for line in reversed(facts["timeline"])],
    }


def _place(step: int, here: int) -> str:
    return "done" if step < here else "now" if step == here else ""


def _size(size: int) -> str:
    """612 KB or 6,4 MB."""
    return f"{size / 1024**2:.1f} MB".replace(".", ",") if size >= 1024**2 else f"{max(1, round(size / 1024))} KB"
