"""Engines with TLS, a private certificate authority and accounts with least privilege."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from shared.documents.orphan_sweep import SweepResult, sweep_orphans
from shared.documents.s3_address import parse_s3_url
from tests.e2e.http.test_request_lifecycle import test_a_request_goes_through_every_state_and_everybody_is_told
from tests.support.adapters.document_stores import S3Location
from tests.support.distributed.deployment import Deployment, Engines, engines
from tests.support.e2e.server_process import Inbox
from tests.support.engines.engine_process import EngineUnavailable, skip
from tests.support.engines.secured_engines import access

__all__ = ["test_a_request_goes_through_every_state_and_everybody_is_told"]

pytestmark = [pytest.mark.slow, pytest.mark.engines("kafka", "mongo", "minio")]


@pytest.fixture(scope="module")
def real_engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    folder = tmp_path_factory.mktemp("guarded")
    try:
        with engines(folder, access(folder / "guard")) as started:
            yield started
    except EngineUnavailable as reason:
        skip(reason)


def test_the_command_line_needs_no_further_right(deployment: tuple[Inbox, Deployment], tmp_path: Path):
    _, server = deployment
    for words in (
        "prepare",
        "events verify",
        "state rebuild intake",
        "dead-letters list",
        f"backup {tmp_path / 'kept'}",
    ):
        done = server.simpul(*words.split())
        assert done.returncode == 0, (words, done.stdout, done.stderr)


async def test_the_sweep_of_documents_needs_no_further_right(real_engines: Engines, monkeypatch: pytest.MonkeyPatch):
    assert real_engines.access is not None
    monkeypatch.setenv("SSL_CERT_FILE", str(real_engines.access.authority))
    place = S3Location(parse_s3_url(real_engines.settings["SIMPUL_MINIO"]))
    await place.prepare()
    await place.store.put_as("document-y", BytesIO(b"isi"))
    await place.store.delete("document-y")
    await asyncio.to_thread(place.abort_upload)
    now = await asyncio.to_thread(place.age_everything)

    async def everything_is_named(keys: list[str]) -> set[str]:
        return set(keys)

    assert await sweep_orphans(place.store, everything_is_named, now) == SweepResult(orphans=0, unfinished=1)
    await place.close()
