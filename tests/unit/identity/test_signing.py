"""Signatures that are in emails, on paper and in open forms stay valid."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode

import pytest

from shared.contracts.facts import DocumentKind, DocumentRef
from shared.identity.signing import hex_signature, make_serializer, make_signer
from shared.identity.tracking_tokens import TrackingTokens
from shared.web.forms.held_file_tokens import HeldDocument, HeldFileTokens

SECRET = b"s" * 32
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
DOCUMENT = DocumentRef(
    id="00000000-0000-4000-8000-000000000001",
    kind=DocumentKind.LETTER,
    name="Surat.pdf",
    size=1200,
    media_type="application/pdf",
    sha256="0" * 64,
    key="k" * 20,
    round=1,
)


@pytest.fixture
def held_files() -> HeldFileTokens:
    return HeldFileTokens(make_serializer(SECRET, "held-file"), make_signer(SECRET))


def test_tracking_tokens_of_earlier_versions_stay_valid():
    tracking = TrackingTokens(make_signer(SECRET), "http://simpul.example")
    assert tracking.token("id") == "wWWLZlhl_A4IXPLf-xMlmXDXQfKxcLl50i5Obv4DCDM"
    assert tracking.record_code("BAST/INT-2026-000001/1") == "qoYCJGAWz6aPN-IX"


def test_csrf_tokens_of_earlier_versions_stay_valid():
    assert (
        hex_signature(make_signer(SECRET), "visitor:someone")
        == "243ef2130de47efebfbc5d46dcbdc73b01680f5a9cec1ca77662710ef9d4b19f"
    )


def test_a_tracking_token_has_one_spelling():
    tracking = TrackingTokens(make_signer(SECRET), "http://simpul.example")
    token = tracking.token("id")
    last = ALPHABET.index(token[-1])
    same_bytes = ALPHABET[last + 1]
    assert tracking.verify("id", token)
    assert not tracking.verify("id", token[:-1] + same_bytes)
    assert not tracking.verify("id", token + "\u00e4")


def test_a_held_file_token_names_its_document_until_it_expires(held_files: HeldFileTokens):
    token = held_files.issue(HeldDocument(**DOCUMENT.model_dump(), expires_at=100.0), "form")
    document = held_files.read(token, "form", 99.0)
    assert document is not None
    assert document.model_dump() == DOCUMENT.model_dump()
    assert held_files.read(token, "form", 100.0) is None
    assert held_files.read(token, "other form", 99.0) is None


def test_a_held_file_token_of_an_earlier_version_stays_valid(held_files: HeldFileTokens):
    payload = {"document": DOCUMENT.model_dump(mode="json"), "until": 100.0}
    text = urlsafe_b64encode(json.dumps(payload, separators=(",", ":")).encode()).decode()
    signature = hex_signature(make_signer(SECRET), f"held:form\n{text}")
    token = f"{text}.{signature}"
    document = held_files.read(token, "form", 99.0)
    assert document is not None
    assert document.key == DOCUMENT.key
    assert held_files.read(token, "other form", 99.0) is None
