"""What makes these tests fast and changes nothing of what they find."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")
ENOUGH = 2**30
"""Bytes free from which memory is used; a container often has 64 MiB of it."""


def pytest_collection_finish() -> None:
    """What was collected stays to the end: with looking through it again and again went a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In memory if there is some to spare: every service waits for the disk at each commit, which tests/contracts try on a disk."""
    in_memory = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ENOUGH
    folder = Path(tempfile.mkdtemp(prefix="simpul-test-", dir=MEMORY if in_memory else None)).resolve()
    yield folder
    shutil.rmtree(folder)
