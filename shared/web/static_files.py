"""The style sheet and the pictures: read once, told apart by their content, and kept by browsers for as long as they like."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from shared.web.problems import Problem

FOLDER = Path(__file__).parent / "static"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
AT_THE_ROOT = ("favicon.ico", "robots.txt")
"""Files that programs ask for at a fixed address."""
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "public, max-age=0, must-revalidate"


@dataclass(frozen=True, slots=True)
class StaticFile:
    media_type: str
    plain: bytes
    packed: bytes
    version: str


def _load() -> dict[str, StaticFile]:
    files = {}
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in TYPES:
            plain = path.read_bytes()
            version = hashlib.sha256(plain).hexdigest()[:16]
            files[path.name] = StaticFile(TYPES[path.suffix], plain, gzip.compress(plain, 9, mtime=0), version)
    return files


FILES = _load()


def address_of(name: str) -> str:
    """Where a file is; another content has another address."""
    return f"/static/{name}?v={FILES[name].version}"


async def static_file(request: Request, name: str) -> Response:
    """The file. Raises Problem 404 for any name that was not there at the start."""
    file = FILES.get(name)
    if file is None:
        raise Problem(404, "Berkas ini tidak ada.")
    packed = "gzip" in request.headers.get("accept-encoding", "")
    tag = f'"{file.version}{"-gz" if packed else ""}"'
    forever = request.query_params.get("v") == file.version
    headers = {"ETag": tag, "Vary": "Accept-Encoding", "Cache-Control": FOR_EVER if forever else ASK_AGAIN}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if packed:
        headers["Content-Encoding"] = "gzip"
    return Response(file.packed if packed else file.plain, headers=headers, media_type=file.media_type)
