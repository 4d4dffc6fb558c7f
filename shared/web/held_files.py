"""Files that wait for the rest of their form: stored at once, known again by a sealed text, swept when nobody came back."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from shared.contracts.facts import DocumentKind, DocumentRef
from shared.documents.file_names import safe_name
from shared.documents.port import DocumentMissing, TooLarge
from shared.platform import Platform
from shared.web.access import Public, SignedIn
from shared.web.bodies import FieldError
from shared.web.page_routes import posted_of
from shared.web.posted import HeldFile, Posted
from shared.web.problems import Problem
from shared.web.received import inspected
from shared.web.rendering import shared_pages
from shared.web.storing import discard, store_upload
from shared.web.upload_budget import Destination, count_settled, count_stored, require_room
from shared.web.uploads import FileRule, Upload, too_few_or_many

PREFIX, UNSENT, REMOVE, FIELD = "held.", "unsent.", "remove", "field"
HELD_FOR = timedelta(hours=20)
"""From the upload on. So much less than the day after which a document that no event names is swept (shared/documents/sweep.py)
that even a form that comes last of all has its event saved hours before, and clocks may differ by an hour or two."""
_PURPOSE = "held"
_NEVER_CAME = "{name} belum tersimpan. Pilih kembali berkasnya, atau hapus dari daftar."
_LEFT_OUT = "{wrong} Yang tidak disimpan: {names}."
_ONE_FILE = "Kirim satu berkas saja pada isian yang dipilih."
_LOST = "{name} sudah tidak tersimpan. Unggah sekali lagi."


class HeldDocument(DocumentRef):
    """A document that waits for its form until a moment (POSIX time), which showing the form again does not put off."""

    until: float = Field(exclude=True)


DestinationOf = Callable[[Request, str], Destination]
"""The request that the files of a form with this key become part of."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A file field: what its files are, and how many it takes."""

    kind: DocumentKind
    rule: FileRule


@dataclass(frozen=True, slots=True)
class Taken:
    """The files of a form by field, held ones and those that came with it; `fresh` are the latter."""

    files: Mapping[str, Sequence[DocumentRef]]
    fresh: Sequence[DocumentRef] = ()
    errors: Sequence[FieldError] = ()

    @property
    def documents(self) -> tuple[DocumentRef, ...]:
        return tuple(_plain(document) for documents in self.files.values() for document in documents)


@dataclass(slots=True)
class _Field:
    held: list[DocumentRef] = field(default_factory=list)
    fresh: list[DocumentRef] = field(default_factory=list)
    errors: list[FieldError] = field(default_factory=list)

    def files(self, rule: FileRule) -> list[DocumentRef]:
        """Where only one fits, a new one takes the place of the old."""
        return self.fresh if self.fresh and rule.most == 1 else [*self.held, *self.fresh]


class HeldFiles:
    """The files of forms with these fields."""

    def __init__(self, platform: Platform, slots: Mapping[str, Slot], destination_of: DestinationOf | None = None):
        self._platform, self.slots, self._destination_of = platform, slots, destination_of

    @property
    def names(self) -> tuple[str, ...]:
        """The text fields of a form that are about files."""
        return (REMOVE, *(start + name for start in (PREFIX, UNSENT) for name in self.slots))

    def wants_only_to_remove(self, posted: Posted) -> bool:
        return bool(posted.many(REMOVE))

    async def take(self, request: Request, posted: Posted, round: int = 1) -> Taken:
        """Everything that this form has so far, stored once for each request to the server. Raises StoreUnavailable."""
        if not hasattr(request.state, "taken"):
            request.state.taken = await self._take(request, posted, round)
        taken: Taken = request.state.taken
        return taken

    async def again(self, request: Request, posted: Posted, round: int = 1) -> Posted:
        """The form with its files as it shows them again; an empty one as it is."""
        return self.hold(posted, await self.take(request, posted, round)) if posted.sent else posted

    async def _take(self, request: Request, posted: Posted, round: int) -> Taken:
        fields = {name: await self._field(request, posted, name, round) for name in self.slots}
        files = {name: fields[name].files(slot.rule) for name, slot in self.slots.items()}
        errors = [*posted.refused, *(error for each in fields.values() for error in each.errors)]
        told = {error.field for error in errors}
        errors += [
            FieldError(name, wrong)
            for name, slot in self.slots.items()
            if name not in told and (wrong := too_few_or_many(slot.rule, len(files[name])))
        ]
        errors += [FieldError(each.field, "Isian ini tidak dikenal.") for each in self._strangers(posted)]
        return Taken(files, [document for each in fields.values() for document in each.fresh], errors)

    def hold(self, posted: Posted, taken: Taken) -> Posted:
        """The form with these files, known again under its key."""
        held = {name: [self._held(document, posted.key) for document in taken.files[name]] for name in self.slots}
        return replace(posted, held=held, unsent={name: _unsent(posted, name) for name in self.slots})

    async def settle(self, request: Request, taken: Taken, *, repeated: bool) -> None:
        """The form was done with: a request names its files now, or a repeat of what was done before brought them once more."""
        if repeated:
            await discard(self._platform.documents, taken.fresh)
        count_settled(request, taken.fresh if repeated else taken.documents)

    def _strangers(self, posted: Posted) -> Iterable[Upload]:
        return (upload for upload in posted.uploads if upload.field not in self.slots)

    async def _field(self, request: Request, posted: Posted, name: str, round: int) -> _Field:
        found = _Field()
        found.errors += [FieldError(name, _NEVER_CAME.format(name=each)) for each in _unsent(posted, name)]
        await self._known_again(posted, name, found)
        uploads = [upload for upload in posted.uploads if upload.field == name]
        most = self.slots[name].rule.most
        for upload in uploads[:most]:
            came = await self._stored(request, posted, upload, round)
            if isinstance(came, FieldError):
                found.errors.append(came)
            else:
                found.fresh.append(came)
        if left_out := uploads[most:]:
            wrong = too_few_or_many(self.slots[name].rule, len(found.held if most > 1 else ()) + len(uploads))
            names = ", ".join(safe_name(upload.filename) for upload in left_out)
            found.errors.append(FieldError(name, _LEFT_OUT.format(wrong=wrong, names=names)))
        return found

    async def _known_again(self, posted: Posted, name: str, found: _Field) -> None:
        gone = set(posted.many(REMOVE))
        for token in dict.fromkeys(posted.many(PREFIX + name)):
            document = self._opened(token, posted.key)
            if document is None or not await self._there(document):
                lost = document.name if document else "Sebuah berkas"
                found.errors.append(FieldError(name, _LOST.format(name=lost)))
            elif document.id not in gone and document.kind is self.slots[name].kind:
                found.held.append(document)

    async def _there(self, document: DocumentRef) -> bool:
        """Whether it is stored, and by the store's own clock, which the sweep goes by, young enough to be named."""
        try:
            kept = await self._platform.documents.stat(document.key)
        except DocumentMissing:
            return False
        return self._platform.clock() - kept.stored_at < HELD_FOR

    async def _stored(self, request: Request, posted: Posted, upload: Upload, round: int) -> DocumentRef | FieldError:
        """The document of an upload, or why there is none. Raises StoreUnavailable and InspectionUnavailable."""
        platform, until, kind = self._platform, self._until(), self.slots[upload.field].kind
        try:
            await require_room(request, upload.size)
            came = await inspected(upload, platform.inspector)
            if isinstance(came, FieldError):
                return came
            limit = platform.settings.file_limit
            stored = await store_upload(came, kind, platform.documents, platform.new_id, round, limit)
        except TooLarge as error:
            return FieldError(upload.field, f"{safe_name(upload.filename)}: {error.message}")
        except Problem as problem:
            return FieldError(upload.field, f"{safe_name(upload.filename)}: {problem.detail}")
        destination = self._destination_of(request, posted.key) if self._destination_of and posted.key else None
        count_stored(request, [stored], destination)
        return HeldDocument(**stored.model_dump(), until=until)

    def _held(self, document: DocumentRef, form: str) -> HeldFile:
        until = document.until if isinstance(document, HeldDocument) else self._until()
        told = {"document": document.model_dump(mode="json"), "until": until}
        text = urlsafe_b64encode(json.dumps(told, separators=(",", ":")).encode()).decode()
        seal = self._platform.seals.seal(_PURPOSE, f"{form}\n{text}")
        return HeldFile(document.id, document.name, document.size, f"{text}.{seal}")

    def _until(self) -> float:
        return (self._platform.clock() + HELD_FOR).timestamp()

    def _opened(self, token: str, form: str) -> HeldDocument | None:
        """The document of a token that this server gave to this form and that is not too old."""
        text, _, seal = token.partition(".")
        if not self._platform.seals.fits(_PURPOSE, f"{form}\n{text}", seal):
            return None
        told: dict[str, Any] = json.loads(urlsafe_b64decode(text))
        if self._platform.clock().timestamp() >= told["until"]:
            return None
        return HeldDocument(**told["document"], until=told["until"])


def _plain(document: DocumentRef) -> DocumentRef:
    """As events name it."""
    return DocumentRef(**document.model_dump()) if isinstance(document, HeldDocument) else document


def _unsent(posted: Posted, name: str) -> list[str]:
    """The files of a field that its page still had to send when the form came; to go on without one is its owner's choice."""
    gone = set(posted.many(REMOVE))
    return [safe_name(each) for each in posted.many(UNSENT + name) if f"{UNSENT}{name}/{each}" not in gone]


def add_uploads(routes: APIRouter, path: str, held: HeldFiles, guard: SignedIn | Public) -> None:
    """Takes the files of one field ahead of their form, so that a cut costs one file; answers lines for the list below it."""

    async def upload(request: Request) -> Response:
        posted = posted_of(request)
        name = posted.text(FIELD)
        if name not in held.slots or not posted.key:
            raise Problem(422, "Isian berkas ini tidak dikenal.")
        if len(posted.uploads) + len(posted.refused) > 1 or any(upload.field != name for upload in posted.uploads):
            raise Problem(422, _ONE_FILE)
        for each in posted.uploads:
            await require_room(request, each.size)
        taken = await held.take(request, replace(posted, texts={}))
        files = held.hold(posted, taken).held[name]
        wrong = [error.message for error in taken.errors if error.field == name]
        single = held.slots[name].rule.most == 1
        return shared_pages(request, "files.html", name=name, files=files, wrong=wrong, single=single)

    routes.add_api_route(path, upload, methods=["POST"], dependencies=[Depends(guard)], response_model=None)
