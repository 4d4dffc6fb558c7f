"""Where members of staff find what, by role: the paths of all services' consoles, which one gateway serves as one site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.identity.accounts import Role
from shared.identity.identity import Principal

SIGN_IN, SIGN_OUT, OWN_ACCOUNT = "/masuk", "/keluar", "/akun-saya"
HOME, MAIL_VIEWER = "/", "/surel"


@dataclass(frozen=True, slots=True)
class Place:
    """A console: who finds it in the menu, where it is, and the name under which its words stand."""

    role: Role
    path: str
    word: str


PLACES = (
    Place(Role.OFFICER, "/verifikasi", "verification"),
    Place(Role.STRUCTURAL, "/penugasan", "assignment"),
    Place(Role.STRUCTURAL, "/beban-kerja", "leads"),
    Place(Role.TECHNICAL, "/pekerjaan", "work"),
    Place(Role.ADMIN, "/surel-keluar", "messages"),
    Place(Role.ADMIN, "/kejadian-tertunda", "dead_letters"),
    Place(Role.ADMIN, "/akun", "staff_accounts"),
)


def places_of(principal: Principal) -> Sequence[Place]:
    return [place for place in PLACES if principal.has(place.role)]


def start_of(principal: Principal) -> str:
    """Where somebody begins after signing in."""
    return next((place.path for place in places_of(principal)), OWN_ACCOUNT)


def local_path(text: str) -> str:
    """The text if it is a path on this site, else "": nobody is led elsewhere by a link to the sign-in page."""
    plain = text.startswith("/") and not text.startswith(("//", "/api/")) and "\\" not in text
    return text if plain and text.isprintable() and text.isascii() and len(text) <= 2000 else ""
