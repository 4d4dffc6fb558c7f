"""The kinds of emails and their parameters.

Parameters are stored with the message under their field names, so fields are only added with a default. `kind` is the name of
an email in the ledger and in `templates/indonesian.toml`. Emails that another version of Simpul stored, during a rolling upgrade
or before a rollback, may not fit these classes: they are an `UnknownEmail`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from pydantic import TypeAdapter, ValidationError, model_serializer

from services.notification.domain.applicant_emails import ApplicantEmail
from services.notification.domain.staff_emails import StaffEmail


@dataclass(frozen=True, slots=True)
class UnknownEmail:
    """An email of a kind or with values that this version does not know; it is stored unchanged and cannot be rendered.

    `problem` says what does not fit.
    """

    kind: str
    values: object
    problem: str = field(compare=False)

    @model_serializer
    def _to_stored_values(self) -> object:
        return self.values


KnownEmail = ApplicantEmail | StaffEmail
Parameters = KnownEmail | UnknownEmail

PARAMETERS_BY_KIND: Mapping[str, type[KnownEmail]] = {
    parameters.kind: parameters for parameters in get_args(KnownEmail)
}
_ADAPTERS = {kind: TypeAdapter[KnownEmail](parameters) for kind, parameters in PARAMETERS_BY_KIND.items()}


def parse_parameters(kind: str, values: object) -> Parameters:
    """Return the parameters of stored values, or the same object if they are parsed already.

    An unknown kind, and values that are missing, unknown or of another type, make an UnknownEmail: only this email fails then,
    and not the whole record.
    """
    if isinstance(values, UnknownEmail):
        return values
    if kind not in _ADAPTERS:
        return UnknownEmail(kind, values, f"unknown kind of email: {kind!r}")
    try:
        return _ADAPTERS[kind].validate_python(values)
    except ValidationError as error:
        return UnknownEmail(kind, values, _describe(kind, error))


def _describe(kind: str, error: ValidationError) -> str:
    """Name the keys that do not fit, without their values, which may be personal data."""
    problems = (
        f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors(include_input=False)
    )
    return f"{kind}: {'; '.join(problems)}"
