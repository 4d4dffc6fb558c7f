"""Files of unfinished forms: stored when they arrive, named by signed tokens, removed when the form is never completed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from shared.backends.platform import Platform
from shared.contracts.facts import DocumentKind, DocumentRef
from shared.documents.file_names import safe_name
from shared.documents.port import DocumentMissing, TooLarge
from shared.web.api.problems import Problem
from shared.web.api.validation import FieldError
from shared.web.forms.form_reader import inspect_upload
from shared.web.forms.held_file_tokens import HeldDocument, HeldFileTokens
from shared.web.forms.posted_form import HeldFile, PostedForm
from shared.web.forms.upload_storage import discard_documents, store_upload
from shared.web.forms.uploads import FileRule, Upload, file_count_error
from shared.web.http.upload_budget import (
    UploadTarget,
    charge_stored_documents,
    release_documents,
    require_upload_budget,
)
from shared.web.views.page_routes import posted_form
from shared.web.views.rendering import shared_templates

PREFIX, UNSENT, REMOVE, FIELD = "held.", "unsent.", "remove", "field"
HOLD_DURATION = timedelta(hours=20)
"""Time for which an uploaded file is held: hours less than the day after which an orphaned document is removed
(shared/documents/orphan_sweep.py), so that the event of the last possible form is saved before, even if clocks differ."""
_NOT_RECEIVED = "{name} belum tersimpan. Pilih kembali berkasnya, atau hapus dari daftar."
_LEFT_OUT = "{wrong} Yang tidak disimpan: {names}."
_ONE_FILE = "Kirim satu berkas saja pada isian yang dipilih."
_LOST = "{name} sudah tidak tersimpan. Unggah sekali lagi."


DestinationResolver = Callable[[Request, str], UploadTarget]
"""Returns the upload target of a form with this key: the request that its files become part of."""


@dataclass(frozen=True, slots=True)
class FileField:
    """A file field of a form: the kind of its documents and the number of files that it takes."""

    kind: DocumentKind
    rule: FileRule


@dataclass(frozen=True, slots=True)
class FormFiles:
    """The files of a form by field: held ones and those that were sent with it (`fresh`)."""

    files: Mapping[str, Sequence[DocumentRef]]
    fresh: Sequence[DocumentRef] = ()
    errors: Sequence[FieldError] = ()

    @property
    def documents(self) -> tuple[DocumentRef, ...]:
        return tuple(_as_reference(document) for documents in self.files.values() for document in documents)


@dataclass(slots=True)
class _Field:
    held: list[DocumentRef] = field(default_factory=list)
    fresh: list[DocumentRef] = field(default_factory=list)
    errors: list[FieldError] = field(default_factory=list)

    def files(self, rule: FileRule) -> list[DocumentRef]:
        """Return the field's files; in a field for one file a new file replaces the held one."""
        return self.fresh if self.fresh and rule.max_count == 1 else [*self.held, *self.fresh]


class HeldFiles:
    """Stores and restores the files of one posted form with these fields."""

    def __init__(
        self,
        platform: Platform,
        fields: Mapping[str, FileField],
        resolve_destination: DestinationResolver | None = None,
    ) -> None:
        self._platform, self.fields, self._resolve_destination = platform, fields, resolve_destination
        self._tokens = HeldFileTokens(platform.held_file_serializer, platform.signer)
        self._collected: FormFiles | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the text fields of a form that are about files."""
        return (REMOVE, *(start + name for start in (PREFIX, UNSENT) for name in self.fields))

    def is_only_removal(self, posted: PostedForm) -> bool:
        return bool(posted.many(REMOVE))

    async def collect(self, request: Request, posted: PostedForm, round_number: int = 1) -> FormFiles:
        """Store the uploads of this request and return all files of the form; a second call returns the same files.

        Raises: StoreUnavailable.
        """
        if self._collected is None:
            self._collected = await self._collect_once(request, posted, round_number)
        return self._collected

    async def redisplay(self, request: Request, posted: PostedForm, round_number: int = 1) -> PostedForm:
        """Return the form with its files, to be shown again; an empty form is returned unchanged."""
        return self.with_tokens(posted, await self.collect(request, posted, round_number)) if posted.sent else posted

    async def _collect_once(self, request: Request, posted: PostedForm, round_number: int) -> FormFiles:
        fields = {name: await self._field(request, posted, name, round_number) for name in self.fields}
        files = {name: fields[name].files(file_field.rule) for name, file_field in self.fields.items()}
        errors = [*posted.refused, *(error for each in fields.values() for error in each.errors)]
        reported = {error.field for error in errors}
        errors += [
            FieldError(name, message)
            for name, file_field in self.fields.items()
            if name not in reported and (message := file_count_error(file_field.rule, len(files[name])))
        ]
        errors += [FieldError(each.field, "Isian ini tidak dikenal.") for each in self._unknown_uploads(posted)]
        return FormFiles(files, [document for each in fields.values() for document in each.fresh], errors)

    def with_tokens(self, posted: PostedForm, form_files: FormFiles) -> PostedForm:
        """Return the form with tokens of these files."""
        held = {name: [self._hold(document, posted.key) for document in form_files.files[name]] for name in self.fields}
        return replace(posted, held=held, unsent={name: _unsent(posted, name) for name in self.fields})

    async def release(self, request: Request, form_files: FormFiles, *, repeated: bool) -> None:
        """Release the files of a completed form: a request names them now, or the form repeats one that was completed before."""
        if repeated:
            await discard_documents(self._platform.documents, form_files.fresh)
        release_documents(request, form_files.fresh if repeated else form_files.documents)

    def _unknown_uploads(self, posted: PostedForm) -> Iterable[Upload]:
        return (upload for upload in posted.uploads if upload.field not in self.fields)

    async def _field(self, request: Request, posted: PostedForm, name: str, round_number: int) -> _Field:
        found = _Field()
        found.errors += [FieldError(name, _NOT_RECEIVED.format(name=each)) for each in _unsent(posted, name)]
        await self._restore_held(posted, name, found)
        uploads = [upload for upload in posted.uploads if upload.field == name]
        max_count = self.fields[name].rule.max_count
        for upload in uploads[:max_count]:
            document = await self._store(request, posted, upload, round_number)
            if isinstance(document, FieldError):
                found.errors.append(document)
            else:
                found.fresh.append(document)
        if left_out := uploads[max_count:]:
            wrong = file_count_error(self.fields[name].rule, len(found.held if max_count > 1 else ()) + len(uploads))
            names = ", ".join(safe_name(upload.filename) for upload in left_out)
            found.errors.append(FieldError(name, _LEFT_OUT.format(wrong=wrong, names=names)))
        return found

    async def _restore_held(self, posted: PostedForm, name: str, found: _Field) -> None:
        removed = set(posted.many(REMOVE))
        for token in dict.fromkeys(posted.many(PREFIX + name)):
            document = self._tokens.read(token, posted.key, self._platform.clock().timestamp())
            if document is None or not await self._is_stored(document):
                lost = document.name if document else "Sebuah berkas"
                found.errors.append(FieldError(name, _LOST.format(name=lost)))
            elif document.id not in removed and document.kind is self.fields[name].kind:
                found.held.append(document)

    async def _is_stored(self, document: DocumentRef) -> bool:
        """Whether the document is stored and, by the store's clock, which the orphan sweep uses, young enough to be named."""
        try:
            stored = await self._platform.documents.stat(document.key)
        except DocumentMissing:
            return False
        return self._platform.clock() - stored.stored_at < HOLD_DURATION

    async def _store(
        self, request: Request, posted: PostedForm, upload: Upload, round_number: int
    ) -> DocumentRef | FieldError:
        """Inspect and store an upload; return its document, or why it is refused.

        Raises: StoreUnavailable, InspectionUnavailable.
        """
        platform, expires_at, kind = self._platform, self._expiry(), self.fields[upload.field].kind
        try:
            await require_upload_budget(request, upload.size)
            inspected = await inspect_upload(upload, platform.inspector)
            if isinstance(inspected, FieldError):
                return inspected
            limit = platform.settings.file_limit
            stored = await store_upload(inspected, kind, platform.documents, platform.new_id, round_number, limit)
        except TooLarge as error:
            return FieldError(upload.field, f"{safe_name(upload.filename)}: {error.message}")
        except Problem as problem:
            return FieldError(upload.field, f"{safe_name(upload.filename)}: {problem.detail}")
        destination = (
            self._resolve_destination(request, posted.key) if self._resolve_destination and posted.key else None
        )
        charge_stored_documents(request, [stored], destination)
        return HeldDocument(**stored.model_dump(), expires_at=expires_at)

    def _hold(self, document: DocumentRef, form_key: str) -> HeldFile:
        held = (
            document
            if isinstance(document, HeldDocument)
            else HeldDocument(**document.model_dump(), expires_at=self._expiry())
        )
        return HeldFile(held.id, held.name, held.size, self._tokens.issue(held, form_key))

    def _expiry(self) -> float:
        return (self._platform.clock() + HOLD_DURATION).timestamp()


def _as_reference(document: DocumentRef) -> DocumentRef:
    """Return the document without the fields that events do not have."""
    return DocumentRef(**document.model_dump()) if isinstance(document, HeldDocument) else document


def _unsent(posted: PostedForm, name: str) -> list[str]:
    """Names of chosen files that had not arrived when the form was sent and that the user has not removed."""
    removed = set(posted.many(REMOVE))
    return [safe_name(each) for each in posted.many(UNSENT + name) if f"{UNSENT}{name}/{each}" not in removed]


async def receive_upload(request: Request, held: HeldFiles, round_number: int = 1) -> Response:
    """Store the file of one field before its form is sent, for this round of the request, and return its list items.

    A broken connection then costs one file and not the whole form.
    """
    posted = posted_form(request)
    name = posted.text(FIELD)
    if name not in held.fields or not posted.key:
        raise Problem(422, "Isian berkas ini tidak dikenal.")
    if len(posted.uploads) + len(posted.refused) > 1 or any(upload.field != name for upload in posted.uploads):
        raise Problem(422, _ONE_FILE)
    for upload in posted.uploads:
        await require_upload_budget(request, upload.size)
    form_files = await held.collect(request, replace(posted, texts={}), round_number)
    files = held.with_tokens(posted, form_files).held[name]
    messages = [error.message for error in form_files.errors if error.field == name]
    single = held.fields[name].rule.max_count == 1
    return shared_templates(request, "files.html", name=name, files=files, errors=messages, single=single)
