"""Which service answers which path, said once: what stands before separate processes is made from this."""

from __future__ import annotations

from collections.abc import Mapping

FRONT = "intake"
"""Answers every path that no prefix covers: the front door, applicants' pages and calls, static files."""

ADMINISTRATION = "notification"
"""Has the pages of administrators and of accounts beside its own: signing in, which costs much, must not slow applicants down."""

PREFIXES: Mapping[str, str] = {
    "/api/verification": "verification",
    "/verifikasi": "verification",
    "/api/assignment": "assignment",
    "/penugasan": "assignment",
    "/beban-kerja": "assignment",
    "/pekerjaan": "assignment",
    "/periksa": "assignment",
    "/api/notification": "notification",
    "/surel-keluar": "notification",
    "/api/dead-letters": ADMINISTRATION,
    "/kejadian-tertunda": ADMINISTRATION,
    "/api/session": ADMINISTRATION,
    "/api/staff": ADMINISTRATION,
    "/masuk": ADMINISTRATION,
    "/keluar": ADMINISTRATION,
    "/akun": ADMINISTRATION,
    "/akun-saya": ADMINISTRATION,
    "/surel": ADMINISTRATION,
}
"""A prefix covers its own path and all below it, `/akun` not `/akun-saya`."""


def service_of(path: str) -> str:
    """The service that answers this path."""
    pieces = path.split("/")
    covering = ("/".join(pieces[:count]) for count in range(len(pieces), 1, -1))
    return next((PREFIXES[prefix] for prefix in covering if prefix in PREFIXES), FRONT)
