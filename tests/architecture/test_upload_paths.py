"""Body limits, upload budget and rate limits agree on the upload paths."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import pytest

from services.assignment.app import LIMITS as ASSIGNMENT_LIMITS
from services.intake.app import LIMITS as INTAKE_LIMITS
from shared.web.http.request_limits import merge_limits
from tests.architecture.test_routes_by_role import APPLICANT, MATRIX, PAGES, PUBLIC, address

OPEN = (PUBLIC, APPLICANT)
SENT = {path: allowed for (method, path), allowed in chain(MATRIX.items(), PAGES.items()) if method == "POST"}
AHEAD = "/berkas"
LIMITS = merge_limits((INTAKE_LIMITS, ASSIGNMENT_LIMITS))


def accepts_files(path: str) -> bool:
    return LIMITS.upload_path("POST", address(path)) is not None


def is_public(path: str) -> bool:
    upload = LIMITS.upload_path("POST", address(path))
    return upload is not None and upload.public


def is_public_form(path: str) -> bool:
    upload = LIMITS.upload_path("POST", address(path))
    return upload is not None and upload.public and upload.form


def with_files() -> Iterator[str]:
    return (path for path in SENT if accepts_files(path))


def test_several_paths_accept_files():
    assert len(list(with_files())) >= 8


@pytest.mark.parametrize("path", SENT)
def test_the_upload_budget_covers_every_public_path_that_accepts_files(path: str):
    assert is_public(path) == (SENT[path] in OPEN and accepts_files(path))


@pytest.mark.parametrize("path", [path for path in SENT if is_public(path)])
def test_every_public_path_that_accepts_files_has_a_rate_limit(path: str):
    assert any(rule.matches("POST", address(path)) for rule in LIMITS.rates)


@pytest.mark.parametrize("path", [path for path in SENT if path.endswith(AHEAD)])
def test_a_form_and_its_file_uploads_have_the_large_body_limit(path: str):
    form = path.removesuffix(AHEAD) or "/"
    assert accepts_files(path)
    assert accepts_files(form)
    assert is_public_form(form) == (SENT[path] in OPEN)
    assert not is_public_form(path), "a file that is uploaded before its form is never accepted over the budget"
