from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.adapters.scripted_smtp import Script, ScriptedSmtp
from tests.support.password_hashing import use_cheap_hashing, use_real_hashing


@pytest.fixture(autouse=True, scope="module")
def cheap_password_hashing() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_cheap_hashing(monkeypatch)
        yield


@pytest.fixture
def real_password_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that measure how long a sign-in takes."""
    use_real_hashing(monkeypatch)


@pytest.fixture
async def server() -> AsyncIterator[ScriptedSmtp]:
    """A mail server that accepts everything."""
    async with ScriptedSmtp(Script()).running() as running:
        yield running
