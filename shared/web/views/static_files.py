"""The style sheet and the pictures: read once, told apart by their content, and kept by browsers for as long as they like."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from shared.web.api.problems import Problem

FOLDER = Path(__file__).parent / "static"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
ROOT_FILES = ("favicon.ico", "robots.txt")
"""Files that programs ask for at a fixed address."""
IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATE = "public, max-age=0, must-revalidate"


@dataclass(frozen=True, slots=True)
class StaticFile:
    media_type: str
    content: bytes
    compressed: bytes
    version: str


def _load_files() -> dict[str, StaticFile]:
    files = {}
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in MEDIA_TYPES:
            content = path.read_bytes()
            version = hashlib.sha256(content).hexdigest()[:16]
            files[path.name] = StaticFile(
                MEDIA_TYPES[path.suffix], content, gzip.compress(content, 9, mtime=0), version
            )
    return files


FILES = _load_files()


def static_url(name: str) -> str:
    """Where a file is; another content has another address."""
    return f"/static/{name}?v={FILES[name].version}"


async def static_file(request: Request, name: str) -> Response:
    """The file. Raises Problem 404 for any name that was not there at the start."""
    file = FILES.get(name)
    if file is None:
        raise Problem(404, "Berkas ini tidak ada.")
    compressed = "gzip" in request.headers.get("accept-encoding", "")
    etag = f'"{file.version}{"-gz" if compressed else ""}"'
    versioned = request.query_params.get("v") == file.version
    headers = {"ETag": etag, "Vary": "Accept-Encoding", "Cache-Control": IMMUTABLE if versioned else REVALIDATE}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if compressed:
        headers["Content-Encoding"] = "gzip"
    return Response(file.compressed if compressed else file.content, headers=headers, media_type=file.media_type)
