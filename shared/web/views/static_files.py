"""Static files: read once, with a version in their address, so that browsers cache them without asking again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources.abc import Traversable
from pathlib import Path, PurePath

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from shared.office_arms import read_office_arms
from shared.settings import Settings
from shared.web.api.problems import Problem
from shared.web.auth.access import GuardedRoute, public
from shared.web.dependencies import platform_of
from shared.web.views.compression import compress, negotiate_coding

FOLDER = Path(__file__).parent / "static"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
COMMENTED = frozenset({".css", ".js"})
"""Kinds of files that are served without indentation and the comments that fill whole lines, a quarter of their weight.

Lines of a style sheet end where no space is needed, and are served as one.
"""
COMMENT_LINES = re.compile(rb"^[ \t]*/\*(?:[^*]|\*(?!/))*\*/[ \t]*\n", re.MULTILINE)
INDENTATION = re.compile(rb"^[ \t]+", re.MULTILINE)
BUNDLES: Mapping[str, Sequence[str]] = {
    "public.js": ("simpul.js", "drafts.js"),
    "form.js": ("simpul.js", "drafts.js", "uploads.js"),
    "staff.js": ("simpul.js", "drafts.js", "live.js", "keys.js", "viewer.js", "phrases.js", "decision.js"),
    "applicants.css": ("simpul.css",),
    "staff.css": ("simpul.css", "desk.css"),
}
"""Files that are served as one, because each request costs the headers of its response; staff load theirs once."""
AUDIENCE_LINE = re.compile(r"/\* For (\w+) \*/\n")
FOR_ALL = "all"
ARMS = "lambang.png"
"""The coat of arms of the office."""
ROOT_FILES = ("favicon.ico", "robots.txt")
"""Files that clients request at a fixed path."""
MAX_BEST_BYTES = 100_000
"""Larger files are compressed less well, because that takes a second."""
IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATE = "public, max-age=0, must-revalidate"


@dataclass(frozen=True, slots=True)
class StaticFile:
    media_type: str
    content: bytes
    version: str


@cache
def compressed(file: StaticFile, coding: str) -> bytes:
    return compress(file.content, coding, best=len(file.content) <= MAX_BEST_BYTES)


def load_file(path: Traversable) -> StaticFile:
    """Read and compress a file; its version is a hash of the content."""
    return _make_static_file(path.name, path.read_bytes())


def _make_static_file(name: str, content: bytes) -> StaticFile:
    if PurePath(name).suffix in COMMENTED:
        content = INDENTATION.sub(b"", COMMENT_LINES.sub(b"", content))
    if PurePath(name).suffix == ".css":
        content = content.replace(b"\n", b"")
    version = hashlib.sha256(content).hexdigest()[:16]
    return StaticFile(MEDIA_TYPES[PurePath(name).suffix], content, version)


def load_bundle(name: str, parts: Sequence[str], folder: Path = FOLDER) -> StaticFile:
    """Read files and join them into one; of style sheets, only what is meant for all or for those whom `name` names."""
    texts = [(folder / part).read_text() for part in parts]
    audience, _, kind = name.partition(".")
    served = [select_audience(text, audience) if kind == "css" else text for text in texts]
    return _make_static_file(name, "".join(served).encode())


def select_audience(sheet: str, audience: str) -> str:
    """Return the parts of a style sheet for an audience; a line "For ..." says whom the lines after it are for."""
    first, *rest = AUDIENCE_LINE.split(sheet)
    parts = zip(rest[::2], rest[1::2], strict=True)
    return first + "".join(text for meant_for, text in parts if meant_for in (FOR_ALL, audience))


FILES = {path.name: load_file(path) for path in sorted(FOLDER.iterdir()) if path.suffix in MEDIA_TYPES} | {
    name: load_bundle(name, parts) for name, parts in BUNDLES.items()
}


def static_url(name: str) -> str:
    """The path of a file, with its version."""
    return f"/static/{name}?v={FILES[name].version}"


@cache
def _arms(path: Path) -> StaticFile:
    return _make_static_file(ARMS, read_office_arms(path))


def arms_url(settings: Settings) -> str:
    """The path of the office's coat of arms, "" if the settings name none."""
    return f"/static/{ARMS}?v={_arms(settings.office_arms).version}" if settings.office_arms else ""


def static_router() -> APIRouter:
    """Routes under /static, and of the files at a fixed path."""
    router = APIRouter(route_class=GuardedRoute, include_in_schema=False, dependencies=[Depends(public())])
    router.add_api_route("/static/{name}", static_file, methods=["GET"])
    for name in ROOT_FILES:
        router.add_api_route(f"/{name}", partial(static_file, name=name), methods=["GET"], name=name)
    return router


async def static_file(request: Request, name: str) -> Response:
    """The file. Raises Problem 404 for a name that did not exist at startup."""
    arms = platform_of(request).settings.office_arms
    file = _arms(arms) if arms and name == ARMS else FILES.get(name)
    if file is None:
        raise Problem(404, "Berkas ini tidak ada.")
    return file_response(request, file)


def file_response(request: Request, file: StaticFile) -> Response:
    """The file, compressed if the client accepts it; 304 if the client has this version."""
    coding = negotiate_coding(request.headers.get("accept-encoding", ""))
    etag = f'"{file.version}{f"-{coding}" if coding else ""}"'
    versioned = request.query_params.get("v") == file.version
    headers = {"ETag": etag, "Vary": "Accept-Encoding", "Cache-Control": IMMUTABLE if versioned else REVALIDATE}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if not coding:
        return Response(file.content, headers=headers, media_type=file.media_type)
    return Response(
        compressed(file, coding), headers={**headers, "Content-Encoding": coding}, media_type=file.media_type
    )
