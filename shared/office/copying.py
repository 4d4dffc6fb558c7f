"""Copy the entries of the office store to another store, without those that expire."""

from __future__ import annotations

from shared.office.port import OfficeEntry, OfficeStore


async def unknown_entries(source: OfficeStore, target: OfficeStore, *, begun: bool) -> list[str]:
    """The entries of the target that are not from the source. If the copy has `begun`, one of the same key is."""
    in_source = {_address(entry): entry.body for entry in await source.all_entries()}
    return [
        _address(entry)
        for entry in await target.all_entries()
        if (_address(entry) not in in_source if begun else in_source.get(_address(entry)) != entry.body)
    ]


async def copy_entries(source: OfficeStore, target: OfficeStore) -> int:
    """Store the entries that are missing or differ; returns how many the source has."""
    entries = await source.all_entries()
    existing = {_address(entry): entry.body for entry in await target.all_entries()}
    for entry in entries:
        if existing.get(_address(entry)) != entry.body:
            await target.put(entry.collection, entry.key, entry.body)
    return len(entries)


async def compare_entries(source: OfficeStore, target: OfficeStore) -> list[str]:
    """A line for each entry of the source that the target lacks or has otherwise."""
    copied = {_address(entry): entry.body for entry in await target.all_entries()}
    return [
        f"office: {_address(entry)} is not as it was"
        for entry in await source.all_entries()
        if copied.get(_address(entry)) != entry.body
    ]


def _address(entry: OfficeEntry) -> str:
    return f"{entry.collection}/{entry.key}"
