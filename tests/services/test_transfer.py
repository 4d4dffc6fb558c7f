"""What a copy of everything does when it is begun again: documents that nobody could be sure of among it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from services.cli.transfer import Told, Transfer
from services.wiring import build
from shared.documents.naming import EVERYTHING
from shared.embedded import open_half
from shared.eventlog.copying import HoldsSomethingElse
from shared.platform import Platform, open_platform
from shared.settings import load_settings
from tests.contracts.test_sweep import event_of
from tests.domain.given import REQUEST

PDF = b"%PDF-1.7"


class Places:
    """Two data folders, from one of which everything is copied into the other."""

    def __init__(self, source: Platform, target: Platform):
        self.source, self.target = source, target

    async def copy(self) -> Told:
        return await Transfer(self.source, self.target, lambda name, total: lambda count: None).run()

    async def store(self) -> str:
        return (await self.source.documents.put(BytesIO(PDF), lambda file: "application/pdf", limit=100)).key

    async def discard_dead_letters(self) -> None:
        for service in build(self.source):
            for letter in await service.runtime.store.dead_letters():
                await service.runtime.store.settle(letter.id, discarded=True)

    async def arrived(self) -> set[str]:
        return {key async for key in self.target.documents.keys(EVERYTHING)}


@pytest.fixture
async def places(tmp_path: Path) -> AsyncIterator[Places]:
    async with AsyncExitStack() as closing:
        source = open_platform(load_settings(mode="embedded", data=tmp_path / "source"))
        closing.push_async_callback(source.close)
        half = open_half(load_settings(mode="embedded", data=tmp_path / "target"), source.clock, source.new_id)
        closing.push_async_callback(half.close)
        await source.prepare()
        yield Places(source, replace(source, half=half))


async def begun_while_names_were_unknown(places: Places) -> tuple[str, str]:
    """The keys of a document that may be named and of one that is not; both were copied, and since then names are known."""
    named, orphan = await places.store(), await places.store()
    await places.source.log.append([(REQUEST, b"no json"), ("other", event_of(annexes=[named], version=99))])
    told = await places.copy()
    assert told.documents.trouble == []
    assert await places.arrived() == {named, orphan}
    await places.discard_dead_letters()
    return named, orphan


async def test_a_copy_goes_on_after_it_is_known_that_a_document_is_named_by_nobody(places: Places):
    named, orphan = await begun_while_names_were_unknown(places)
    assert (await places.copy()).documents.trouble == []
    assert await places.arrived() == {named, orphan}


async def test_a_copy_goes_on_after_a_document_that_nobody_names_was_swept_where_it_came_from(places: Places):
    named, orphan = await begun_while_names_were_unknown(places)
    await places.source.documents.delete(orphan)
    assert (await places.copy()).documents.trouble == []
    assert await places.arrived() == {named, orphan}


@pytest.mark.parametrize("begun", [False, True])
async def test_documents_of_somebody_else_are_left_alone(places: Places, begun: bool):
    key = await places.store()
    await places.source.log.append([(REQUEST, event_of(annexes=[key], version=99))])
    if begun:
        await places.copy()
        await places.target.documents.delete(key)
    await places.target.documents.put_as("document-of-another-office", BytesIO(PDF))
    with pytest.raises(HoldsSomethingElse, match="document-of-another-office"):
        await places.copy()
    assert await places.arrived() == {"document-of-another-office"}


async def test_documents_that_an_event_only_might_name_are_counted_in_full_and_copied_once(places: Places):
    key = await places.store()
    await places.source.log.append([(REQUEST, event_of(annexes=[key], version=99))])
    first, second = [(await places.copy()).documents for _ in range(2)]
    assert (first.copied, first.present, first.bytes) == (1, 0, len(PDF))
    assert (second.copied, second.present, second.bytes) == (0, 1, 0)


async def test_a_damaged_document_that_an_event_only_might_name_is_copied_again(places: Places):
    key = await places.store()
    await places.source.log.append([(REQUEST, event_of(annexes=[key], version=99))])
    await places.copy()
    await places.target.documents.put_as(key, BytesIO(b"%PDF-damaged"))
    assert (await places.copy()).documents.copied == 1
    assert b"".join([piece async for piece in await places.target.documents.open(key)]) == PDF
