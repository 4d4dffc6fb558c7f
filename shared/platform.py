"""The platform: the adapters that the settings name, opened once and handed to every service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.calendar import WorkingCalendar, official_calendar, parse_overrides
from shared.clock import Clock, NewId, random_id, system_clock
from shared.documents.folder import FolderDocumentStore
from shared.documents.port import DocumentStore
from shared.eventlog.port import EventLog
from shared.eventlog.sqlite import SqliteEventLog
from shared.identity.accounts import AccountStore
from shared.identity.identity import Identity
from shared.identity.seals import Seals
from shared.identity.sqlite import SqliteAccountStore
from shared.identity.tracking import Tracking
from shared.mail.folder import FolderMailer
from shared.mail.port import Mailer
from shared.mail.smtp import SmtpMailer
from shared.mail.smtp_server import BadSmtpUrl
from shared.settings import BadSettings, Settings, load_secret, read_secret
from shared.storage.port import Column, StateStore
from shared.storage.sqlite import SqliteStateStore
from shared.storage.sqlite_file import SqliteFile


@dataclass(frozen=True, slots=True)
class Platform:
    """What services stand on. Nothing above this knows which adapters they are."""

    settings: Settings
    clock: Clock
    new_id: NewId
    calendar: WorkingCalendar
    file: SqliteFile
    log: EventLog
    documents: DocumentStore
    mailer: Mailer
    accounts: AccountStore
    identity: Identity
    tracking: Tracking
    seals: Seals

    def state_store(self, service: str, columns: Sequence[Column]) -> StateStore:
        return SqliteStateStore(self.file, service, columns, self.clock)

    async def prepare(self) -> None:
        """Make the tables that do not belong to one service."""
        await self.log.prepare()
        await self.accounts.prepare()

    async def close(self) -> None:
        await self.mailer.close()
        self.file.close()


def open_platform(settings: Settings, clock: Clock = system_clock, new_id: NewId = random_id) -> Platform:
    """Open everything that the settings name. Raises BadSettings, and OSError if the data folder cannot be used."""
    settings.data.mkdir(parents=True, exist_ok=True)
    secret = load_secret(settings)
    file = SqliteFile(settings.database)
    accounts = SqliteAccountStore(file)
    return Platform(
        settings=settings,
        clock=clock,
        new_id=new_id,
        calendar=_calendar(settings),
        file=file,
        log=SqliteEventLog(file),
        documents=FolderDocumentStore(settings.documents, new_id),
        mailer=_mailer(settings),
        accounts=accounts,
        identity=Identity(accounts, clock, secret),
        tracking=Tracking(secret, settings.origin),
        seals=Seals(secret),
    )


def _calendar(settings: Settings) -> WorkingCalendar:
    path = settings.data / "calendar.json"
    try:
        return official_calendar(parse_overrides(path.read_text()) if path.exists() else None)
    except ValueError as error:
        raise BadSettings(f"{path}: {error}") from error


def _mailer(settings: Settings) -> Mailer:
    url = settings.smtp.get_secret_value()
    if not url:
        return FolderMailer(settings.mail)
    file = settings.smtp_password_file
    password = read_secret(file, "SIMPUL_SMTP_PASSWORD_FILE") if file else None
    try:
        return SmtpMailer(url, password)
    except BadSmtpUrl as error:
        raise BadSettings(f"SIMPUL_SMTP: {error}") from error
