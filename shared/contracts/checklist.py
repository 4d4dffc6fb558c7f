"""What an officer checks: the items of a scope, which the office sets, and those in force when a request was submitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.contracts.facts import ChecklistItem, Scope, Verdict


@dataclass(frozen=True, slots=True)
class CheckItem:
    """An item as officers read it. `id` never changes; `concerns` is what the applicant completes if it failed."""

    id: str
    label: str
    concerns: ChecklistItem

    def verdict(self, ok: bool, note: str = "") -> Verdict:
        """Return an officer's verdict on this item."""
        check = "" if self.id == self.concerns.value else self.id
        return Verdict(item=self.concerns, ok=ok, note=note, check=check)


INITIAL_CHECKLIST = (
    CheckItem("form", "Formulir terisi lengkap dan benar", ChecklistItem.FORM),
    CheckItem("letter", "Surat permohonan ditujukan kepada Diskominfo dan ditandatangani", ChecklistItem.LETTER),
    CheckItem("scope", "Surat dan keterangan sesuai dengan lingkup yang dimohon", ChecklistItem.SCOPE),
    CheckItem("documents", "Dokumen persyaratan lengkap dan terbaca", ChecklistItem.DOCUMENTS),
)
"""The items of every scope until the office sets others."""


@dataclass(frozen=True, slots=True)
class ChecklistVersion:
    """Items that hold for requests submitted at `since` or later."""

    since: datetime
    items: tuple[CheckItem, ...]


@dataclass(frozen=True, slots=True)
class Checklists:
    """All versions of the checklist of each scope, in the order in which they were saved."""

    versions: Mapping[Scope, tuple[ChecklistVersion, ...]] = field(default_factory=dict)

    def current(self, scope: Scope) -> tuple[CheckItem, ...]:
        """Return the items for requests that are submitted now."""
        versions = self.versions.get(scope, ())
        return versions[-1].items if versions else INITIAL_CHECKLIST

    def at(self, scope: Scope | None, submitted_at: datetime | None) -> tuple[CheckItem, ...]:
        """Return the items by which a request of this scope is checked, which was submitted then."""
        versions = self.versions.get(scope, ()) if scope and submitted_at else ()
        held = [version.items for version in versions if submitted_at and version.since <= submitted_at]
        return held[-1] if held else INITIAL_CHECKLIST

    def label_at(self, verdict: Verdict, scope: Scope | None, submitted_at: datetime | None) -> str:
        """Return the wording of a verdict's item for this request; the applicant may have chosen another scope since."""
        scopes = [scope, *(other for other in Scope if other is not scope)]
        items = [item for one in scopes for item in self.at(one, submitted_at)]
        known = {item.id: item.label for item in reversed(items)}
        return known.get(verdict.id) or self.labels().get(verdict.id) or self.labels()[verdict.item.value]

    def labels(self, scope: Scope | None = None) -> dict[str, str]:
        """Return the latest wording of every item that there has ever been, by id, first that of a scope."""
        scopes = sorted(Scope, key=lambda one: one is not scope)
        versions = [version.items for one in scopes for version in reversed(self.versions.get(one, ()))]
        found: dict[str, str] = {}
        for item in (one for items in (*map(self.current, scopes), *versions, INITIAL_CHECKLIST) for one in items):
            found.setdefault(item.id, item.label)
        return found

    def ids_in_use(self, scope: Scope | None = None) -> list[str]:
        """Return the ids of the items for requests of a scope, or of any, that are submitted now, each once."""
        scopes = [scope] if scope else list(Scope)
        return list(dict.fromkeys(item.id for one in scopes for item in self.current(one)))
