"""A check of the Host header for pages that only this machine may open, against DNS rebinding."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import Request

from shared.web.api.problems import Problem

_MISDIRECTED_DETAIL = "Halaman ini hanya dapat dibuka dari komputer tempat Simpul berjalan, lewat alamat http://127.0.0.1 atau http://localhost."


async def require_loopback_host(request: Request) -> None:
    """Dependency. Raises Problem 421 unless the Host header names this machine, which no other site's name can do."""
    hosts = request.headers.getlist("host")
    if len(hosts) != 1 or not is_loopback_host(hosts[0]):
        raise Problem(421, _MISDIRECTED_DETAIL)


def is_loopback_host(host: str) -> bool:
    """Whether a Host header is localhost, a subdomain of it, or a loopback address, with or without a port."""
    try:
        parts = urlsplit(f"//{host}")
        name, _ = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return False
    if parts.netloc != host or parts.username is not None or parts.password is not None:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
