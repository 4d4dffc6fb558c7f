"""Problem documents (RFC 9457): every error as a message for people, without internal details."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from shared.documents import port as documents
from shared.documents.port import DocumentRefused, TooLarge
from shared.observability.logging import request_id
from shared.runtime.executor import IdempotencyKeyReused
from shared.storage import port as storage
from shared.web.api.validation import FieldError, field_errors

logger = logging.getLogger(__name__)

PROBLEM_MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = "5"
"""When to retry after an outage."""

TITLES = {
    400: "Permintaan tidak dapat dibaca",
    401: "Belum masuk",
    403: "Tidak berwenang",
    404: "Tidak ditemukan",
    405: "Cara ini tidak tersedia",
    408: "Terlalu lama",
    409: "Keadaan sudah berubah",
    413: "Terlalu besar",
    415: "Jenis berkas tidak diterima",
    416: "Bagian ini tidak ada",
    421: "Alamat ini salah tujuan",
    422: "Isian perlu diperbaiki",
    429: "Terlalu sering",
    500: "Kesalahan pada sistem",
    503: "Sedang tidak tersedia",
}
DETAILS = {
    400: "Permintaan ini tidak dapat dibaca. Periksa susunannya, lalu kirim kembali.",
    401: "Silakan masuk terlebih dahulu.",
    403: "Anda tidak berwenang untuk tindakan ini.",
    404: "Alamat ini tidak ada.",
    405: "Alamat ini tidak menerima cara permintaan tersebut.",
    413: "Kiriman ini melebihi batas ukuran.",
    415: "Jenis isi permintaan ini tidak diterima.",
    422: "Ada isian yang perlu diperbaiki.",
}
UNAVAILABLE_DETAIL = "Layanan sedang tidak dapat menyimpan atau membaca data. Tunggu sebentar, lalu coba lagi."
KEY_REUSED_DETAIL = (
    "Idempotency-Key ini sudah dipakai untuk isian yang lain. Gunakan kunci baru untuk permintaan yang berbeda."
)


class Problem(HTTPException):
    """An error response. `errors` are about fields, `extra` are further members of the document.

    It is an HTTPException, so that it passes through FastAPI's reading of bodies.
    """

    def __init__(
        self,
        status_code: int,
        detail: str,
        *,
        title: str | None = None,
        errors: Iterable[FieldError | Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(status_code, detail, dict(headers) if headers else None)
        self.title = title or TITLES.get(status_code, "Permintaan ditolak")
        self.errors = tuple(error if isinstance(error, FieldError) else FieldError(**error) for error in errors)
        self.extra = extra

    def document(self) -> dict[str, Any]:
        document = {"title": self.title, "status": self.status_code, "detail": self.detail, **self.extra}
        if self.errors:
            document["errors"] = [{"field": error.field, "message": error.message} for error in self.errors]
        return document

    def response(self) -> Response:
        body = json.dumps(self.document(), ensure_ascii=False, separators=(",", ":"), default=str).encode()
        return Response(body, self.status_code, self.headers, PROBLEM_MEDIA_TYPE)


def validation_problem(errors: Iterable[FieldError]) -> Problem:
    """422 with all field errors."""
    return Problem(422, DETAILS[422], errors=errors)


def document_refused(refusal: DocumentRefused, field: str = "") -> Problem:
    """413 or 415 for a file that the document store or the inspection refused."""
    status = 413 if isinstance(refusal, TooLarge) else 415
    return Problem(
        status, refusal.message, errors=[FieldError(field, refusal.message)] if field else (), code=refusal.code
    )


def internal_error(error: BaseException) -> Problem:
    """500 with only a reference number, under which the details are in the log."""
    reference = request_id.get()[:8].upper() or "-"
    logger.error("unexpected error, reference %s", reference, exc_info=error)
    detail = f"Terjadi kesalahan pada sistem kami. Bila berulang, sampaikan nomor rujukan {reference} kepada kami."
    return Problem(500, detail, reference=reference)


def service_unavailable(error: BaseException) -> Problem:
    """503 for a store that is unavailable; the client may retry with the same Idempotency-Key."""
    logger.warning("a store is not available: %s", error)
    return Problem(503, getattr(error, "message", UNAVAILABLE_DETAIL), headers={"Retry-After": RETRY_AFTER_SECONDS})


def problem_from(error: Exception) -> Problem:
    """The problem for any exception that a handler may raise."""
    match error:
        case Problem():
            return error
        case RequestValidationError():
            return _unprocessable_request(error)
        case HTTPException():
            sentence = DETAILS.get(error.status_code, "Permintaan ini tidak dapat dilayani.")
            return Problem(error.status_code, sentence, headers=error.headers)
        case storage.StoreUnavailable() | documents.StoreUnavailable():
            return service_unavailable(error)
        case DocumentRefused():
            return document_refused(error)
        case documents.DocumentMissing():
            return Problem(404, "Dokumen ini tidak ditemukan.")
        case IdempotencyKeyReused():
            return Problem(422, KEY_REUSED_DETAIL, errors=[FieldError("Idempotency-Key", KEY_REUSED_DETAIL)])
        case _:
            return internal_error(error)


def _unprocessable_request(error: RequestValidationError | ValidationError) -> Problem:
    found = error.errors()
    if any(error["type"] == "json_invalid" for error in found):
        return Problem(400, "Isi permintaan bukan JSON yang benar.")
    if any(error["loc"] == ("body",) and isinstance(error["input"], bytes) for error in found):
        return Problem(415, "Kirim isi permintaan sebagai JSON, dengan Content-Type: application/json.")
    return validation_problem(field_errors(found))
