"""Seals: what the server gave out and wants to know again when it comes back, without having kept it."""

from __future__ import annotations

import hashlib
import hmac


class Signer:
    """HMAC-SHA256 under the server's secret; a seal of one purpose is none for another."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def signature(self, purpose: str, text: str) -> str:
        """64 hexadecimal digits."""
        return hmac.new(self._secret, f"{purpose}:{text}".encode(), hashlib.sha256).hexdigest()

    def verify(self, purpose: str, text: str, signature: str) -> bool:
        """Whether this is the seal of this text, in the same time for every wrong one."""
        return hmac.compare_digest(self.signature(purpose, text).encode(), signature.encode(errors="replace"))
