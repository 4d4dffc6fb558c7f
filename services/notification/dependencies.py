"""Dependencies of notification's handlers: the service, the signed-in administrator, and the context of commands."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from services.notification.service import NotificationService
from shared.identity.accounts import Role
from shared.identity.principal import Principal
from shared.web.api.idempotency import CommandContext, command_context
from shared.web.auth.access import signed_in
from shared.web.dependencies import provide

require_admin = signed_in(Role.ADMIN)

Admin = Annotated[Principal, Depends(require_admin)]
Notification = Annotated[NotificationService, Depends(provide(NotificationService))]
Context = Annotated[CommandContext, Depends(command_context)]
