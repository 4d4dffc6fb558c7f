"""The applicant's keys to a request: derived from the server's secret, so that no database holds them."""

from __future__ import annotations

import hmac

from shared.identity.signing import ExactSigner


class TrackingTokens:
    """Derives and verifies tracking tokens (256 bits, 43 URL-safe characters) and the codes of handover records."""

    def __init__(self, signer: ExactSigner, origin: str) -> None:
        self._signer, self._origin = signer, origin

    def token(self, request_id: str) -> str:
        return self._signer.get_signature(f"tracking:{request_id}").decode()

    def verify(self, request_id: str, token: str) -> bool:
        """Whether this is the token of the request; the comparison takes constant time."""
        return self._signer.verify_signature(f"tracking:{request_id}", token)

    def link(self, request_id: str, number: str) -> str:
        return f"{self._origin}/lacak/{number}?kunci={self.token(request_id)}"

    def contact_code(self, request_id: str, change: int) -> str:
        """Return the code that confirms a change of contact; it is mailed to the new address only (132 bits, 22 characters)."""
        return self._signer.get_signature(f"contact:{request_id}:{change}").decode()[:22]

    def verify_contact_code(self, request_id: str, change: int, code: str) -> bool:
        """Whether this is the code of the change; the comparison takes constant time."""
        return hmac.compare_digest(self.contact_code(request_id, change).encode(), code.encode(errors="replace"))

    def contact_link(self, request_id: str, number: str, change: int) -> str:
        return f"{self._origin}/lacak/{number}/kontak/{change}?kode={self.contact_code(request_id, change)}"

    def record_code(self, record_number: str) -> str:
        """Return the code that a handover record's QR code carries beside its number: 96 bits, 16 characters."""
        return self._signer.get_signature(f"record:{record_number}").decode()[:16]

    def verify_record_code(self, record_number: str, code: str) -> bool:
        """Whether this is the code of the record; the comparison takes constant time."""
        return hmac.compare_digest(self.record_code(record_number).encode(), code.encode(errors="replace"))
