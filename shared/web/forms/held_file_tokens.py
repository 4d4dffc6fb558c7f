"""Signed tokens by which an unfinished form names the files that are stored for it."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode
from typing import Any

from itsdangerous import BadData, Signer, URLSafeSerializer
from pydantic import Field

from shared.contracts.facts import DocumentRef
from shared.identity.signing import hex_signature


class HeldDocument(DocumentRef):
    """A stored document that waits for its form until a POSIX time; showing the form again does not extend it."""

    expires_at: float = Field(exclude=True)


class HeldFileTokens:
    """Issues and reads tokens; a token is valid for one form, which is known by its key."""

    def __init__(self, serializer: URLSafeSerializer, signer: Signer) -> None:
        self._serializer, self._signer = serializer, signer

    def issue(self, document: HeldDocument, form_key: str) -> str:
        payload = {"document": document.model_dump(mode="json"), "until": document.expires_at}
        return str(self._serializer.dumps([form_key, payload]))

    def read(self, token: str, form_key: str, now: float) -> HeldDocument | None:
        """Return the document of a token; None if the token is invalid, expired or of another form."""
        payload = self._load(token, form_key) or self._load_former_token(token, form_key)
        if payload is None or now >= payload["until"]:
            return None
        return HeldDocument(**payload["document"], expires_at=payload["until"])

    def _load(self, token: str, form_key: str) -> dict[str, Any] | None:
        try:
            signed_key, payload = self._serializer.loads(token)
        except (BadData, UnicodeEncodeError):
            return None
        return payload if signed_key == form_key else None

    def _load_former_token(self, token: str, form_key: str) -> dict[str, Any] | None:
        """Read the format of earlier versions, which forms that were open during an upgrade still carry."""
        text, _, signature = token.encode(errors="replace").decode().partition(".")
        if not hmac.compare_digest(
            hex_signature(self._signer, f"held:{form_key}\n{text}").encode(), signature.encode()
        ):
            return None
        payload: dict[str, Any] = json.loads(urlsafe_b64decode(text))
        return payload
