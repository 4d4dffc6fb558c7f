"""The applicant's key to a request: derived from the server's secret, so that no database holds it."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode


class TrackingTokens:
    """Makes and checks tracking tokens, 256 bits as 43 characters that are safe in a link."""

    def __init__(self, secret: bytes, origin: str) -> None:
        self._secret, self._origin = secret, origin

    def token(self, request_id: str) -> str:
        digest = hmac.digest(self._secret, f"tracking:{request_id}".encode(), hashlib.sha256)
        return urlsafe_b64encode(digest).decode().rstrip("=")

    def verify(self, request_id: str, token: str) -> bool:
        """Whether this token is the one of this request, in the same time for every wrong one."""
        return hmac.compare_digest(self.token(request_id).encode(), token.encode(errors="replace"))

    def link(self, request_id: str, number: str) -> str:
        return f"{self._origin}/lacak/{number}?kunci={self.token(request_id)}"

    def record_code(self, record_number: str) -> str:
        """What a handover record's QR code carries beside its number: 96 bits as 16 characters, nothing anybody could guess."""
        digest = hmac.digest(self._secret, f"record:{record_number}".encode(), hashlib.sha256)
        return urlsafe_b64encode(digest[:12]).decode()

    def verify_record_code(self, record_number: str, code: str) -> bool:
        """Whether this code is the one of this record, in the same time for every wrong one."""
        return hmac.compare_digest(self.record_code(record_number).encode(), code.encode(errors="replace"))
