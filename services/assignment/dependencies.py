"""Dependencies of assignment's handlers: the services, the signed-in member of staff, and the context of commands."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from services.assignment.handover_service import HandoverService
from services.assignment.service import AssignmentService
from shared.identity.accounts import Role
from shared.identity.principal import Principal
from shared.web.api.idempotency import CommandContext, command_context
from shared.web.auth.access import signed_in
from shared.web.dependencies import provide

require_head = signed_in(Role.STRUCTURAL)
require_lead = signed_in(Role.TECHNICAL)

Head = Annotated[Principal, Depends(require_head)]
Lead = Annotated[Principal, Depends(require_lead)]
BoardReader = Annotated[Principal, Depends(signed_in(Role.STRUCTURAL, Role.OFFICER))]
Reader = Annotated[Principal, Depends(signed_in(Role.STRUCTURAL, Role.TECHNICAL))]
Assignment = Annotated[AssignmentService, Depends(provide(AssignmentService))]
Handovers = Annotated[HandoverService, Depends(provide(HandoverService))]
Context = Annotated[CommandContext, Depends(command_context)]
