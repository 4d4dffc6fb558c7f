"""The jobs of the sandbox; each reads a file and returns an exit status and a result."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import BinaryIO

from shared.documents.inspection.detection import detect_media_type
from shared.documents.port import DocumentRefused
from shared.documents.rendering.rasterizer import render_page_job
from shared.documents.sandbox.protocol import SUCCEEDED

JobFunction = Callable[[BinaryIO, dict[str, str | int]], tuple[int, bytes]]


def inspect(file: BinaryIO, arguments: dict[str, str | int]) -> tuple[int, bytes]:
    """Return the media type of a file that was uploaded under `name`, or its refusal, as JSON."""
    try:
        answer = {"media_type": detect_media_type(str(arguments["name"]), file)}
    except DocumentRefused as refusal:
        answer = {"code": refusal.code, "message": refusal.message}
    return SUCCEEDED, json.dumps(answer).encode()


def draw(file: BinaryIO, arguments: dict[str, str | int]) -> tuple[int, bytes]:
    """Return the number of pages followed by one page as PNG."""
    return render_page_job(file.read(), str(arguments["media_type"]), int(arguments["page"]))


JOBS: Mapping[str, JobFunction] = {"inspect": inspect, "draw": draw}
