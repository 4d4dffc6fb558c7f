"""Compressed values come back as they were, also those that earlier versions have stored."""

from __future__ import annotations

import hashlib
import json

import pytest
import zstandard

from shared.storage.compression import DICTIONARIES, compress, decompress

FRAME = b"\x28\xb5\x2f\xfd"
EVENT = json.dumps({
    "specversion": "1.0", "id": "0d2b1f62-31b5-5c7e-9a0e-0b9c5f2f9d11", "source": "verification",
    "type": "RequestVerified", "subject": "5f2b7c1e-8a44-4d0b-9c57-2f6f3f0d9a11", "time": "2026-03-02T01:00:00+00:00",
    "datacontenttype": "application/json", "sequence": "0000000001", "schemaversion": 1,
}, separators=(",", ":")).encode()  # fmt: skip
STORED_EVENT = bytes.fromhex(
    "28b52ffd639758173b150055020063040a3bce8e8076e48fa54c9cb07acd57b1a3e84c174c7be713a6355fac90912fd4666b"
    "cb6521a72b782c09fcd5e1fa9a98d32cf7c0e297ff535877b7d076a097ee32496c9f9d6d2301"
)
HUGE = FRAME + bytes([0b1110_0011]) + STORED_EVENT[5:9] + (2**40).to_bytes(8, "little") + STORED_EVENT[10:]
"""The stored event with a header that claims a tebibyte."""
DICTIONARY_DIGESTS = {"2026.zdict": "11c7cf2a135d506e5855fba311206fe20d10f051da91d3a498f65375ab2a7ec2"}


@pytest.mark.parametrize(
    "value",
    [
        EVENT, b"", b"{}", b"[]", b"{" + b"a" * 5_000, bytes(range(256)) * 3, FRAME, FRAME + EVENT,
    ],
    ids=["event", "empty", "object", "list", "long", "bytes", "frame start", "like a frame"],
)  # fmt: skip
def test_a_value_comes_back_as_it_was(value: bytes):
    assert decompress(compress(value)) == value


def test_an_event_takes_less_than_half():
    assert len(compress(EVENT)) < len(EVENT) / 2


@pytest.mark.parametrize("stored", [EVENT, b"[]", FRAME, FRAME + b"garbage" * 20, b"\x00\x01"])
def test_a_value_of_an_earlier_version_is_read_as_it_is(stored: bytes):
    assert decompress(stored) == stored


def test_what_a_later_version_compressed_is_kept_for_it():
    dictionary = zstandard.train_dictionary(1024, [EVENT + str(number).encode() for number in range(200)])
    frame = zstandard.ZstdCompressor(dict_data=dictionary).compress(EVENT)
    assert compress(decompress(frame)) == frame


def test_a_damaged_frame_takes_no_memory():
    assert zstandard.get_frame_parameters(HUGE).content_size == 2**40
    assert decompress(HUGE) == HUGE


def test_what_was_compressed_once_can_be_read_forever():
    assert decompress(STORED_EVENT) == EVENT


def test_dictionaries_are_never_changed():
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in DICTIONARIES.glob("*.zdict")}
    assert digests == DICTIONARY_DIGESTS
