"""Conformance of the state stores: the index of words, for rare and common words alike."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from shared.storage import search
from shared.storage.port import BoundedCount, RecordPage, RecordQuery, StateStore, Write
from tests.support.adapters.state_records import make_write, save_write

WORDS = (
    "dinas",
    "sosial",
    "int-2026-000017",
    "siti",
    "sita",
    "a",
    "it",
    "sistem",
    "100%",
    "\U0001fae8",
    'o"brien',
    "e\U0001f525z",
)
SEARCHES = (
    "dinas",
    "sit",
    "si",
    "it",
    "a",
    "a sosial",
    "17",
    "000017",
    "%",
    "00%",
    "\U0001fae8",
    '"br',
    "zzz",
    "z",
    "e\U0001f525z",
    "-2026-",
)


@pytest.fixture(params=[0, 3_000], ids=["list in its order", "index of words"])
def _limit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MAX_CANDIDATES", request.param)


def ids(found: RecordPage) -> list[str]:
    return [record.id for record in found.records]


def contains(text: str, word: str) -> bool:
    """Say what a word of a search means, in the plainest way."""
    words = text.split()
    if len(word) == 1:
        return word in words
    return any(one.startswith(word) if len(word) == 2 else word in one for one in words)


def sample_writes(count: int) -> list[Write]:
    pick = random.Random(3)
    texts = [" ".join(pick.sample(WORDS, pick.randrange(1, 5))) for _ in range(count)]
    return [
        make_write(f"{number:03d}", search=text, status=pick.choice(("new", "old")), unit=pick.choice(("a", "b", None)))
        for number, text in enumerate(texts)
    ]


def matching(writes: Sequence[Write], query: str, status: str | None) -> list[str]:
    found = [
        write.record.id
        for write in writes
        if all(contains(str(write.columns["search"]), word) for word in query.split())
        and status in (None, write.columns["status"])
    ]
    return sorted(found)


@pytest.mark.usefixtures("_limit")
async def test_a_search_finds_the_same_by_every_way(store: StateStore):
    writes = sample_writes(80)
    await save_write(store, *writes)
    for text in SEARCHES:
        for status in (None, "old"):
            query = RecordQuery("number", where={"status": status} if status else {}, search=text, limit=100)
            expected = matching(writes, text, status)
            assert ids(await store.find(query)) == expected, text
            assert ids(await store.find(replace(query, descending=True))) == expected[::-1], text
            assert await store.count(query) == len(expected), text


@pytest.mark.usefixtures("_limit")
@pytest.mark.parametrize("descending", [False, True])
async def test_pages_of_a_search_cover_all_that_it_finds(store: StateStore, descending: bool):
    writes = sample_writes(80)
    await save_write(store, *writes)
    query = RecordQuery("unit", search="sit", limit=7, descending=descending)
    whole = ids(await store.find(replace(query, limit=100)))
    assert sorted(whole) == matching(writes, "sit", None)
    met: list[str] = []
    page = await store.find(query)
    while True:
        met += ids(page)
        assert await store.bounded_count(query, page.keys[0]) == BoundedCount(len(met) - len(page.keys))
        if not page.has_next:
            break
        following = await store.find(replace(query, after=page.keys[-1]))
        assert ids(await store.find(replace(query, before=following.keys[0]))) == ids(page)
        page = following
    assert met == whole


async def test_words_that_are_replaced_leave_the_index(store: StateStore):
    await save_write(store, make_write("a", search="siti@dinas.example lama"), make_write("b", search="lama"))
    await save_write(store, make_write("a", 2, search="rahmat@dinas.example lama"))
    await save_write(store, make_write("a", 3, search="rahmat@dinas.example lama", status="verified"))
    for text, found in {"siti@": [], "rahmat@dinas": ["a"], "lama": ["a", "b"]}.items():
        assert ids(await store.find(RecordQuery("number", search=text))) == found
    await save_write(store, make_write("a", 4))
    assert ids(await store.find(RecordQuery("number", search="rahmat"))) == []
    assert ids(await store.find(RecordQuery("number", search="lama"))) == ["b"]


async def test_a_write_that_conflicts_changes_no_words(store: StateStore):
    await save_write(store, make_write("a", search="lama"))
    await store.save([make_write("a", search="baru"), make_write("a", 3, search="baru")])
    assert ids(await store.find(RecordQuery("number", search="baru"))) == []
    assert ids(await store.find(RecordQuery("number", search="lama"))) == ["a"]
