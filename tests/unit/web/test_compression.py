"""The content coding that a client gets, and that it can be read."""

from __future__ import annotations

import gzip

import cramjam
import pytest

from shared.web.views.compression import compress, negotiate_coding

TEXT = b"Permohonan diajukan. " * 100


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("GZIP;q=1.0, br; q=0", "gzip"),
        ("gzip;q=0, br;q=0.0", ""),
        ("bread, xgzip", ""),
        ("identity", ""),
        ("", ""),
    ],
)
def test_the_best_accepted_coding_is_chosen(accepted: str, coding: str):
    assert negotiate_coding(accepted) == coding


@pytest.mark.parametrize("best", [False, True])
def test_what_is_compressed_can_be_read(best: bool):
    assert gzip.decompress(compress(TEXT, "gzip", best=best)) == TEXT
    assert bytes(cramjam.brotli.decompress(compress(TEXT, "br", best=best))) == TEXT
    assert len(compress(TEXT, "br", best=best)) < 100
