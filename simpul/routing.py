"""Which service handles which path; the configuration of the gateway is generated from this table."""

from __future__ import annotations

from collections.abc import Mapping

DEFAULT_SERVICE = "intake"
"""Handles every path without a prefix of its own: the home page, the pages and calls of applicants, static files."""

ADMIN_SERVICE = "notification"
"""Also serves administration and accounts: hashing passwords at sign-in must not slow down applicants."""

PATH_PREFIXES: Mapping[str, str] = {
    "/api/verification": "verification",
    "/verifikasi": "verification",
    "/api/assignment": "assignment",
    "/penugasan": "assignment",
    "/beban-kerja": "assignment",
    "/lewat-batas": "assignment",
    "/pekerjaan": "assignment",
    "/periksa": "assignment",
    "/dasbor": "assignment",
    "/kinerja": "assignment",
    "/api/public": "assignment",
    "/api/notification": "notification",
    "/surel-keluar": "notification",
    "/api/account": "notification",
    "/api/dead-letters": ADMIN_SERVICE,
    "/kejadian-tertunda": ADMIN_SERVICE,
    "/api/session": ADMIN_SERVICE,
    "/api/staff": ADMIN_SERVICE,
    "/masuk": ADMIN_SERVICE,
    "/keluar": ADMIN_SERVICE,
    "/akun": ADMIN_SERVICE,
    "/akun-saya": ADMIN_SERVICE,
    "/surel": ADMIN_SERVICE,
    "/api/phrases": ADMIN_SERVICE,
    "/kalimat": ADMIN_SERVICE,
    "/api/substitutes": ADMIN_SERVICE,
    "/pengganti": ADMIN_SERVICE,
    "/api/views": ADMIN_SERVICE,
    "/tampilan": ADMIN_SERVICE,
    "/pengaturan": ADMIN_SERVICE,
    "/api/holidays": ADMIN_SERVICE,
    "/api/targets": ADMIN_SERVICE,
    "/api/checklists": ADMIN_SERVICE,
}
"""A prefix covers its own path and all paths below it: `/akun` does not cover `/akun-saya`."""


def service_for_path(path: str) -> str:
    """The service that handles this path."""
    segments = path.split("/")
    candidates = ("/".join(segments[:count]) for count in range(len(segments), 1, -1))
    return next((PATH_PREFIXES[prefix] for prefix in candidates if prefix in PATH_PREFIXES), DEFAULT_SERVICE)
