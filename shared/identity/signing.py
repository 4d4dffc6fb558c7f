"""Signatures under the server's secret."""

from __future__ import annotations

import hashlib
import hmac

from itsdangerous import Signer, URLSafeSerializer
from itsdangerous.encoding import base64_decode, want_bytes


class ExactSigner(Signer):
    """A signer that accepts one spelling of a signature; the base class ignores unused bits and foreign characters."""

    def verify_signature(self, value: str | bytes, sig: str | bytes) -> bool:
        return hmac.compare_digest(self.get_signature(value), want_bytes(sig, errors="replace"))


def make_signer(secret: bytes) -> ExactSigner:
    """Return a signer that uses HMAC-SHA256 with the secret itself as the key.

    Tracking links in emails and QR codes on paper carry such signatures, so neither the key nor the algorithm may change.
    """
    return ExactSigner(secret, key_derivation="none", digest_method=hashlib.sha256)


def make_serializer(secret: bytes, salt: str) -> URLSafeSerializer:
    """Return a serializer for signed JSON in forms; text signed under one salt is invalid under another."""
    options = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    return URLSafeSerializer(secret, salt, signer=ExactSigner, signer_kwargs=options)


def hex_signature(signer: Signer, text: str) -> str:
    """Return the signature of a text as 64 hexadecimal digits."""
    return base64_decode(signer.get_signature(text)).hex()
