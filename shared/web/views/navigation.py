"""The menu of staff by role; its paths belong to all services, which one gateway serves as one site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from shared.identity.accounts import Role
from shared.identity.principal import Principal

SIGN_IN, SIGN_OUT, OWN_ACCOUNT = "/masuk", "/keluar", "/akun-saya"
HOME, MAIL_VIEWER, OVERDUE = "/", "/surel", "/lewat-batas"
SUBSTITUTES, SETTINGS = "/pengganti", "/pengaturan"


@dataclass(frozen=True, slots=True)
class MenuItem:
    """A menu item for a role; `label_key` is the key of its label in words.toml."""

    role: Role
    path: str
    label_key: str


MENU_ITEMS = (
    MenuItem(Role.OFFICER, "/verifikasi", "verification"),
    MenuItem(Role.STRUCTURAL, "/penugasan", "assignment"),
    MenuItem(Role.STRUCTURAL, OVERDUE, "overdue"),
    MenuItem(Role.STRUCTURAL, "/beban-kerja", "leads"),
    MenuItem(Role.STRUCTURAL, "/dasbor", "dashboard"),
    MenuItem(Role.STRUCTURAL, SUBSTITUTES, "substitutes"),
    MenuItem(Role.STRUCTURAL, SETTINGS, "settings"),
    MenuItem(Role.OFFICER, OVERDUE, "overdue"),
    MenuItem(Role.TECHNICAL, "/pekerjaan", "work"),
    MenuItem(Role.ADMIN, "/surel-keluar", "messages"),
    MenuItem(Role.ADMIN, "/kejadian-tertunda", "dead_letters"),
    MenuItem(Role.ADMIN, "/akun", "staff_accounts"),
    MenuItem(Role.ADMIN, SUBSTITUTES, "substitutes"),
    MenuItem(Role.ADMIN, "/kalimat", "phrases"),
    MenuItem(Role.ADMIN, SETTINGS, "settings"),
)


def menu_items(principal: Principal) -> Sequence[MenuItem]:
    """Return the items of all roles of this person, each path once."""
    return list({item.path: item for item in MENU_ITEMS if principal.has_role(item.role)}.values())


def start_path(principal: Principal) -> str:
    """Return the path to which a user is sent after signing in."""
    return next((item.path for item in menu_items(principal)), OWN_ACCOUNT)


def start_path_of(roles: Sequence[Role]) -> str:
    """Return the path at which members of staff with these roles begin."""
    return next((item.path for item in MENU_ITEMS if item.role in roles), OWN_ACCOUNT)


def page_url(path: str, **parameters: object) -> str:
    """Return the path with the parameters that are not empty."""
    query = urlencode({name: value for name, value in parameters.items() if value})
    return f"{path}?{query}" if query else path


def safe_local_path(text: str) -> str:
    """Return the text if it is a path on this site, otherwise "", so that a sign-in link cannot redirect to another site."""
    plain = text.startswith("/") and not text.startswith(("//", "/api/")) and "\\" not in text
    return text if plain and text.isprintable() and text.isascii() and len(text) <= 2000 else ""
