"""Repeated transfers, with documents that unreadable events may reference."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from shared.backends.embedded import open_backend
from shared.backends.platform import Platform, open_platform
from shared.documents.copying import CopyResult
from shared.documents.references import FAR_FUTURE
from shared.eventlog.log_copy import TargetDiverged
from shared.runtime.store_migration import MigrationReport
from shared.settings import load_settings
from simpul.cli.transfer import Transfer, TransferReport
from simpul.registry import build_services
from tests.adapters.test_unreferenced_documents import event_of
from tests.support.domain.given_when_then import REQUEST

PDF = b"%PDF-1.7"


class TransferHarness:
    """Two data folders, one of which is copied to the other."""

    def __init__(self, source: Platform, target: Platform) -> None:
        self.source, self.target = source, target

    async def copy(self) -> TransferReport:
        return await Transfer(self.source, self.target, lambda name, total: lambda count: None).run()

    async def store(self) -> str:
        return (await self.source.documents.put(BytesIO(PDF), lambda file: "application/pdf", limit=100)).key

    async def discard_dead_letters(self) -> None:
        for service in build_services(self.source):
            for letter in await service.runtime.store.dead_letters():
                await service.runtime.store.resolve(letter.id, discarded=True)

    async def copied_keys(self) -> set[str]:
        return {key async for key in self.target.documents.keys(FAR_FUTURE)}


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[TransferHarness]:
    async with AsyncExitStack() as closing:
        source = open_platform(load_settings(mode="embedded", data=tmp_path / "source"))
        closing.push_async_callback(source.close)
        backend = open_backend(load_settings(mode="embedded", data=tmp_path / "target"), source.clock, source.new_id)
        closing.push_async_callback(backend.close)
        await source.prepare()
        yield TransferHarness(source, replace(source, backend=backend))


async def transfer_with_unknown_names(harness: TransferHarness) -> tuple[str, str]:
    """Copy a referenced document and an orphan while an event is unreadable, then resolve it; return both keys."""
    named, orphan = await harness.store(), await harness.store()
    await harness.source.log.append([(REQUEST, b"no json"), ("other", event_of(annexes=[named], version=99))])
    report = await harness.copy()
    assert report.documents.trouble == []
    assert await harness.copied_keys() == {named, orphan}
    await harness.discard_dead_letters()
    return named, orphan


async def test_a_transfer_continues_after_a_copied_document_became_an_orphan(harness: TransferHarness):
    named, orphan = await transfer_with_unknown_names(harness)
    assert (await harness.copy()).documents.trouble == []
    assert await harness.copied_keys() == {named, orphan}


async def test_a_transfer_continues_after_an_orphan_was_swept_at_the_source(harness: TransferHarness):
    named, orphan = await transfer_with_unknown_names(harness)
    await harness.source.documents.delete(orphan)
    assert (await harness.copy()).documents.trouble == []
    assert await harness.copied_keys() == {named, orphan}


@pytest.mark.parametrize("repeated", [False, True])
async def test_a_target_with_foreign_documents_is_refused(harness: TransferHarness, repeated: bool):
    key = await harness.store()
    await harness.source.log.append([(REQUEST, event_of(annexes=[key], version=99))])
    if repeated:
        await harness.copy()
        await harness.target.documents.delete(key)
    await harness.target.documents.put_as("document-of-another-office", BytesIO(PDF))
    with pytest.raises(TargetDiverged, match="document-of-another-office"):
        await harness.copy()
    assert await harness.copied_keys() == {"document-of-another-office"}


async def test_possibly_referenced_documents_are_copied_once(harness: TransferHarness):
    key = await harness.store()
    await harness.source.log.append([(REQUEST, event_of(annexes=[key], version=99))])
    first, second = [(await harness.copy()).documents for _ in range(2)]
    assert (first.copied, first.present, first.bytes) == (1, 0, len(PDF))
    assert (second.copied, second.present, second.bytes) == (0, 1, 0)


async def test_a_damaged_possibly_referenced_document_is_copied_again(harness: TransferHarness):
    key = await harness.store()
    await harness.source.log.append([(REQUEST, event_of(annexes=[key], version=99))])
    await harness.copy()
    await harness.target.documents.put_as(key, BytesIO(b"%PDF-damaged"))
    assert (await harness.copy()).documents.copied == 1
    assert b"".join([piece async for piece in await harness.target.documents.open(key)]) == PDF


async def test_the_documents_of_the_office_are_copied(harness: TransferHarness):
    await harness.source.office.put("phrases", "ttd", {"text": "Mohon ditandatangani."})
    await harness.source.office.put("presence", "r/siti", {}, expires_at=FAR_FUTURE)
    report = await harness.copy()
    assert (report.office_entries, report.trouble) == (1, [])
    assert [entry.body for entry in await harness.target.office.all_entries()] == [{"text": "Mohon ditandatangani."}]
    assert await harness.target.office.entries("presence") == []
    await harness.target.office.put("phrases", "lain", {"text": "Dari kantor lain."})
    with pytest.raises(TargetDiverged, match="phrases/lain"):
        await harness.copy()


def test_the_json_of_a_transfer_has_these_keys():
    documents = CopyResult(copied=2, present=1, bytes=30, trouble=["surat.pdf is damaged"])
    services = [MigrationReport("intake", requests=3, written=2, equal=1, trouble=["intake: hole at 7"])]
    assert TransferReport(events=9, documents=documents, services=services).to_dict() == {
        "clean": False,
        "events": 9,
        "events_copied": 0,
        "events_present": 0,
        "repeats_left_out": 0,
        "documents": {"copied": 2, "present": 1, "bytes": 30, "trouble": ["surat.pdf is damaged"]},
        "accounts": 0,
        "office_entries": 0,
        "office_trouble": [],
        "services": [
            {
                "service": "intake",
                "requests": 3,
                "written": 2,
                "equal": 1,
                "moved_on": 0,
                "parked": 0,
                "discarded": 0,
                "trouble": ["intake: hole at 7"],
            }
        ],
        "seconds": 0.0,
        "trouble": ["surat.pdf is damaged", "intake: hole at 7"],
    }
