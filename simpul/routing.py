"""Which service answers which path, said once: what stands before separate processes is made from this."""

from __future__ import annotations

from collections.abc import Mapping

DEFAULT_SERVICE = "intake"
"""Answers every path that no prefix covers: the front door, applicants' pages and calls, static files."""

ADMIN_SERVICE = "notification"
"""Has the pages of administrators and of accounts beside its own: signing in, which costs much, must not slow applicants down."""

PATH_PREFIXES: Mapping[str, str] = {
    "/api/verification": "verification",
    "/verifikasi": "verification",
    "/api/assignment": "assignment",
    "/penugasan": "assignment",
    "/beban-kerja": "assignment",
    "/pekerjaan": "assignment",
    "/periksa": "assignment",
    "/api/notification": "notification",
    "/surel-keluar": "notification",
    "/api/dead-letters": ADMIN_SERVICE,
    "/kejadian-tertunda": ADMIN_SERVICE,
    "/api/session": ADMIN_SERVICE,
    "/api/staff": ADMIN_SERVICE,
    "/masuk": ADMIN_SERVICE,
    "/keluar": ADMIN_SERVICE,
    "/akun": ADMIN_SERVICE,
    "/akun-saya": ADMIN_SERVICE,
    "/surel": ADMIN_SERVICE,
}
"""A prefix covers its own path and all below it, `/akun` not `/akun-saya`."""


def service_for_path(path: str) -> str:
    """The service that answers this path."""
    segments = path.split("/")
    candidates = ("/".join(segments[:count]) for count in range(len(segments), 1, -1))
    return next((PATH_PREFIXES[prefix] for prefix in candidates if prefix in PATH_PREFIXES), DEFAULT_SERVICE)
