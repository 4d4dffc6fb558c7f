"""Body limits, upload budget and rate limits agree on the upload paths."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import pytest

from shared.web.app import UPLOAD_PATHS
from shared.web.http.rate_limit import public_rate_rules
from shared.web.http.upload_budget import PUBLIC_UPLOAD_PATHS, UPLOAD_FORM_PATHS
from tests.architecture.test_routes_by_role import APPLICANT, MATRIX, PAGES, PUBLIC, address

OPEN = (PUBLIC, APPLICANT)
SENT = {path: allowed for (method, path), allowed in chain(MATRIX.items(), PAGES.items()) if method == "POST"}
AHEAD = "/berkas"


def with_files() -> Iterator[str]:
    return (path for path in SENT if UPLOAD_PATHS.fullmatch(address(path)))


def test_several_paths_accept_files():
    assert len(list(with_files())) >= 8


@pytest.mark.parametrize("path", SENT)
def test_the_upload_budget_covers_every_public_path_that_accepts_files(path: str):
    is_open = SENT[path] in OPEN and UPLOAD_PATHS.fullmatch(address(path)) is not None
    assert (PUBLIC_UPLOAD_PATHS.fullmatch(address(path)) is not None) == is_open


@pytest.mark.parametrize("path", [path for path in SENT if PUBLIC_UPLOAD_PATHS.fullmatch(address(path))])
def test_every_public_path_that_accepts_files_has_a_rate_limit(path: str):
    assert any(rule.matches("POST", address(path)) for rule in public_rate_rules(30))


@pytest.mark.parametrize("path", [path for path in SENT if path.endswith(AHEAD)])
def test_a_form_and_its_file_uploads_have_the_large_body_limit(path: str):
    form = path.removesuffix(AHEAD) or "/"
    assert UPLOAD_PATHS.fullmatch(address(path))
    assert UPLOAD_PATHS.fullmatch(address(form))
    assert (UPLOAD_FORM_PATHS.fullmatch(address(form)) is not None) == (SENT[path] in OPEN)
    assert not UPLOAD_FORM_PATHS.fullmatch(address(path)), "a file that is sent ahead is never let in over the budget"
