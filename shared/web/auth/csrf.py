"""CSRF protection of forms: a token of the session for staff, and of a random cookie for visitors (OWASP ASVS 5.0, 3.5.1)."""

from __future__ import annotations

import secrets

from starlette.requests import Request
from starlette.responses import Response

from shared.identity.signing import hex_signature
from shared.web.dependencies import current_principal, platform_of

FIELD = "_csrf"
_BYTES = 32


class CsrfTokens:
    """Issues tokens for the forms of one page; a visitor without a cookie gets one with the page."""

    def __init__(self, request: Request) -> None:
        self._request, self._new_visitor = request, ""

    def issue(self) -> str:
        """Return a token, masked differently at each call."""
        visitor = _visitor(self._request) or self._new_visitor
        if not visitor and current_principal(self._request) is None:
            visitor = self._new_visitor = secrets.token_urlsafe(24)
        return _masked(_expected(self._request, visitor))

    def set_cookie(self, response: Response) -> None:
        """Set the cookie of a new visitor if the page contains a token for it."""
        if self._new_visitor:
            name, tls = _cookie(self._request), platform_of(self._request).settings.tls
            response.set_cookie(name, self._new_visitor, path="/", secure=tls, httponly=True, samesite="lax")


def verify_csrf_token(request: Request, sent: str) -> bool:
    """Whether `sent` is a token that was given to this session, or to this visitor's browser."""
    visitor = _visitor(request)
    if current_principal(request) is None and not visitor:
        return False
    return secrets.compare_digest(_unmasked(sent), _expected(request, visitor))


def _expected(request: Request, visitor: str) -> str:
    principal = current_principal(request)
    return principal.csrf if principal else hex_signature(platform_of(request).signer, f"visitor:{visitor}")


def _cookie(request: Request) -> str:
    return "__Host-simpul-form" if platform_of(request).settings.tls else "simpul-form"


def _visitor(request: Request) -> str:
    return request.cookies.get(_cookie(request), "")[:100]


def _masked(token: str) -> str:
    mask = secrets.token_bytes(_BYTES)
    return (mask + _xor(mask, bytes.fromhex(token))).hex()


def _unmasked(sent: str) -> str:
    try:
        both = bytes.fromhex(sent)
    except ValueError:
        return ""
    return _xor(both[:_BYTES], both[_BYTES:]).hex() if len(both) == 2 * _BYTES else ""


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
