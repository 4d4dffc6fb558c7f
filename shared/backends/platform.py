"""The platform: the adapters that the settings select, opened once and passed to every service."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from itsdangerous import URLSafeSerializer

from shared.backends.port import Backend
from shared.calendar import Overrides, WorkingCalendar, parse_overrides
from shared.clock import Clock, NewId, random_id, system_clock
from shared.contracts.checklist import Checklists
from shared.contracts.stages import StageRules
from shared.documents.inspection.inspector import Inspector
from shared.documents.instrumented import InstrumentedDocumentStore
from shared.documents.port import DocumentStore
from shared.eventlog.port import EventLog, LogUnavailable
from shared.identity.accounts import AccountStore
from shared.identity.service import IdentityService
from shared.identity.signing import ExactSigner, make_serializer, make_signer
from shared.identity.substitutes import SubstituteRegister
from shared.identity.tracking_tokens import TrackingTokens
from shared.mail.folder import FolderMailer
from shared.mail.port import Mailer
from shared.mail.smtp import SmtpMailer
from shared.mail.smtp_settings import InvalidSmtpUrl
from shared.office.port import OfficeStore
from shared.office.presence import PresenceRegister
from shared.office.settings import SettingsRegister
from shared.secrets import load_secret, read_secret
from shared.settings import InvalidSettings, Settings
from shared.storage.port import Column, StateStore
from shared.workers.group import WorkerGroup

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Platform:
    """What services depend on, whichever adapters it consists of."""

    settings: Settings
    clock: Clock
    new_id: NewId
    office_settings: SettingsRegister
    backend: Backend
    mailer: Mailer
    identity: IdentityService
    tracking: TrackingTokens
    signer: ExactSigner
    held_file_serializer: URLSafeSerializer
    inspector: Inspector
    workers: WorkerGroup = field(default_factory=WorkerGroup)

    @property
    def log(self) -> EventLog:
        return self.backend.log

    @property
    def documents(self) -> DocumentStore:
        return self.backend.documents

    @property
    def accounts(self) -> AccountStore:
        return self.backend.accounts

    @property
    def office(self) -> OfficeStore:
        return self.backend.office

    @property
    def calendar(self) -> WorkingCalendar:
        """The calendar that holds now."""
        return self.rules().calendar

    def checklists(self) -> Checklists:
        """Return the checklists with all their versions."""
        return self.office_settings.current.checklists

    def rules(self) -> StageRules:
        """Return the rules of the stages that hold now."""
        return self.office_settings.current.rules

    @property
    def presence(self) -> PresenceRegister:
        return PresenceRegister(self.office, self.clock)

    @property
    def substitutes(self) -> SubstituteRegister:
        return SubstituteRegister(self.office, self.accounts, self.clock)

    @property
    def exclusive(self) -> bool:
        """The background work of a service has one process, which may recover at its start what an earlier one left in flight."""
        return self.backend.exclusive

    def state_store(self, service: str, columns: Sequence[Column]) -> StateStore:
        return self.backend.state_store(service, columns)

    async def prepare(self) -> None:
        """Create what belongs to no single service; harmless if it exists. Services work without a log."""
        try:
            await self.log.prepare()
        except LogUnavailable as error:
            logger.warning("the log cannot be prepared yet: %s", error)
        await self.prepare_stores()

    async def prepare_stores(self) -> None:
        """Create the stores of accounts and of the office, and read what the office has set."""
        await self.accounts.prepare()
        await self.office.prepare()
        await self.office_settings.refresh()

    async def close(self) -> None:
        await self.mailer.close()
        await self.backend.close()


def open_platform(
    settings: Settings, clock: Clock = system_clock, new_id: NewId = random_id, workers: WorkerGroup | None = None
) -> Platform:
    """Open everything that the settings select. Raises InvalidSettings, and OSError if the data folder cannot be used."""
    workers = workers or WorkerGroup()
    if not settings.distributed:
        settings.data.mkdir(parents=True, exist_ok=True)
    secret = load_secret(settings)
    signer = make_signer(secret)
    backend = _open_backend(settings, clock, new_id, workers)
    backend = replace(backend, documents=InstrumentedDocumentStore(backend.documents))
    return Platform(
        settings=settings,
        clock=clock,
        new_id=new_id,
        office_settings=SettingsRegister(backend.office, clock, new_id, _overrides(settings)),
        backend=backend,
        mailer=_mailer(settings),
        identity=IdentityService(
            backend.accounts, clock, secret, SubstituteRegister(backend.office, backend.accounts, clock)
        ),
        tracking=TrackingTokens(signer, settings.origin),
        signer=signer,
        held_file_serializer=make_serializer(secret, "held-file"),
        inspector=Inspector(),
        workers=workers,
    )


def _open_backend(settings: Settings, clock: Clock, new_id: NewId, workers: WorkerGroup) -> Backend:
    # The drivers of the distributed backend take a second to import, and the embedded one never needs them.
    if settings.distributed:
        from shared.backends.distributed import open_backend as distributed

        return distributed(settings, clock, new_id)
    from shared.backends.embedded import open_backend as embedded

    return embedded(settings, clock, new_id, workers.messages)


def _overrides(settings: Settings) -> Overrides:
    path = settings.data / "calendar.json"
    try:
        return parse_overrides(path.read_text()) if path.exists() else {}
    except ValueError as error:
        raise InvalidSettings(f"{path}: {error}") from error


def _mailer(settings: Settings) -> Mailer:
    url = settings.smtp.get_secret_value()
    if not url:
        return FolderMailer(settings.mail)
    file = settings.smtp_password_file
    password = read_secret(file, "SIMPUL_SMTP_PASSWORD_FILE") if file else None
    try:
        return SmtpMailer(url, password)
    except InvalidSmtpUrl as error:
        raise InvalidSettings(f"SIMPUL_SMTP: {error}") from error
