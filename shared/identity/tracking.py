"""The applicant's key to a request: derived from the server's secret, so that no database holds it."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode


class Tracking:
    """Makes and checks tracking tokens, 256 bits as 43 characters that are safe in a link."""

    def __init__(self, secret: bytes, origin: str):
        self._secret, self._origin = secret, origin

    def token(self, request_id: str) -> str:
        digest = hmac.digest(self._secret, f"tracking:{request_id}".encode(), hashlib.sha256)
        return urlsafe_b64encode(digest).decode().rstrip("=")

    def opens(self, request_id: str, token: str) -> bool:
        """Whether this token is the one of this request, in the same time for every wrong one."""
        return hmac.compare_digest(self.token(request_id).encode(), token.encode(errors="replace"))

    def link(self, request_id: str, number: str) -> str:
        return f"{self._origin}/lacak/{number}?kunci={self.token(request_id)}"
