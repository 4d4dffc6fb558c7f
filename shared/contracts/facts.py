"""The base of all facts, and the value objects in them."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field


class Value(BaseModel):
    """A value object. Unknown fields are ignored, so that an optional field can be added later."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Fact(Value):
    """What happened, without the envelope (id, sequence, time, correlation), which the runtime adds.

    The class name is the CloudEvents type and never changes; `owner` is the service that publishes it.
    """

    owner: ClassVar[str]
    schemaversion: ClassVar[int] = 1

    @classmethod
    def type(cls) -> str:
        return cls.__name__


class Scope(StrEnum):
    """The kinds of integration that an applicant can request."""

    APPLICATION = "application"
    DATA = "data"


class ChecklistItem(StrEnum):
    """An item that an officer checks and an applicant may have to complete."""

    FORM = "form"
    LETTER = "letter"
    SCOPE = "scope"
    DOCUMENTS = "documents"


class Complexity(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class DocumentKind(StrEnum):
    LETTER = "letter"
    REQUIREMENT = "requirement"
    RESULT = "result"
    HANDOVER_RECORD = "handover_record"


class Staff(Value):
    """A staff member: the account, and its name at that time.

    A substitute is named with the person or role, and `acting_for` is the username of that person.
    """

    username: str
    name: str
    acting_for: str = ""

    def acts_for(self, person: Staff) -> bool:
        """Return whether this is the person, or acts for the person."""
        return person.username in (self.username, self.acting_for)


class Applicant(Value):
    """The personal data of an applicant; events hold it nowhere else."""

    name: str
    employee_number: str
    unit: str
    position: str
    email: str
    phone: str = ""


class Verdict(Value):
    """An officer's finding on a checklist item; the note of a failed item says what is missing.

    `item` is what the applicant completes; `check` is the id of the item in the list of the office. It is "", and not written,
    where that is the same.
    """

    item: ChecklistItem
    ok: bool
    note: str = Field(default="", max_length=500)
    check: str = Field(default="", exclude_if=lambda check: not check)

    @property
    def id(self) -> str:
        """The id of the item in the list of the office."""
        return self.check or self.item.value


class DocumentRef(Value):
    """A stored document: `key` in the document store, `size` in bytes, and the `round` in which it was uploaded."""

    id: str
    kind: DocumentKind
    name: str
    size: int
    media_type: str
    sha256: str
    key: str
    round: int = 1


class Letter(Value):
    """The applicant's letter of request (surat permohonan)."""

    number: str
    date: date
