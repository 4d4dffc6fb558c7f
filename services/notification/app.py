"""Wiring of notification: the message ledger, and the dispatcher that sends what is due."""

from __future__ import annotations

from services.notification import account_api, api
from services.notification.decider import decider
from services.notification.digest_sender import DigestSender
from services.notification.email_composer import CachedStaffDirectory, EmailComposer, EmailSettings
from services.notification.email_dispatcher import EmailDispatcher
from services.notification.pages import account as account_page
from services.notification.pages import messages
from services.notification.preferences import NotificationPreferences
from services.notification.service import NotificationService
from shared.backends.platform import Platform
from shared.runtime.service_runtime import ServiceApp, ServiceRuntime
from shared.web.dependencies import BoundRouter


def build(platform: Platform) -> ServiceApp:
    """Build the notification service on a platform."""
    request_decider = decider()
    store = platform.state_store(request_decider.service, request_decider.indexed_columns)
    runtime = ServiceRuntime(request_decider, store, platform.log, platform.clock)
    directory = CachedStaffDirectory(platform.accounts, substitutes=platform.substitutes)
    email_settings, preferences = _email_settings(platform), NotificationPreferences(platform.office)
    composer = EmailComposer(directory, email_settings, platform.tracking.link, platform.tracking.contact_link)
    dispatcher = EmailDispatcher(runtime.executor, platform.mailer, composer, platform.new_id, preferences)
    digests = DigestSender(
        platform.office, platform.accounts, preferences, platform.mailer, email_settings, platform.clock
    )
    runtime.add_background("digests", digests.run)
    runtime.set_due_handler(dispatcher.process_due)
    service = NotificationService(runtime)

    async def count_waiting() -> int:
        return (await service.count_delivery_problems()).count

    return ServiceApp(
        runtime,
        (
            BoundRouter(
                *(api.router, messages.router, account_api.router, account_page.router), services=(service, preferences)
            ),
        ),
        # With several processes, a claimed message may belong to another one, whose claim ends by itself.
        before_start=dispatcher.recover_in_flight if platform.exclusive else None,
        waiting={messages.MESSAGES_PATH: count_waiting},
    )


def _email_settings(platform: Platform) -> EmailSettings:
    settings = platform.settings
    return EmailSettings(
        sender=settings.mail_from,
        origin=settings.origin,
        reply_to=settings.reply_to or settings.office_email,
        office=settings.office,
        calendar=lambda: platform.calendar,
    )
