"""Dependencies of verification's handlers: the service, the signed-in officer, and the context of commands."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from services.verification.service import VerificationService
from shared.identity.accounts import Role
from shared.identity.principal import Principal
from shared.web.api.idempotency import CommandContext, command_context
from shared.web.auth.access import signed_in
from shared.web.dependencies import provide

require_officer = signed_in(Role.OFFICER)

Officer = Annotated[Principal, Depends(require_officer)]
Verification = Annotated[VerificationService, Depends(provide(VerificationService))]
Context = Annotated[CommandContext, Depends(command_context)]
