"""What every fact has in common, and the values that facts are made of."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field


class Value(BaseModel):
    """A part of a fact. Unknown fields are ignored, so that an optional field may be added later."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Fact(Value):
    """What happened, without the envelope (id, sequence, time, correlation), which the runtime adds.

    The name of the class is the CloudEvents type and never changes; `owner` is the one service that publishes it.
    """

    owner: ClassVar[str]
    schemaversion: ClassVar[int] = 1

    @classmethod
    def type(cls) -> str:
        return cls.__name__


class Scope(StrEnum):
    """The two kinds of integration that can be asked for."""

    APPLICATION = "application"
    DATA = "data"


class ChecklistItem(StrEnum):
    """What an officer checks, and so what an applicant may be asked to complete."""

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
    """Who acted for the office: the account and the name it had at that time."""

    username: str
    name: str


class Applicant(Value):
    """The only place where an applicant's personal data travels."""

    name: str
    employee_number: str
    unit: str
    position: str
    email: str
    phone: str = ""


class Verdict(Value):
    """An officer's finding on one checklist item; a failed item says what is missing."""

    item: ChecklistItem
    ok: bool
    note: str = Field(default="", max_length=500)


class DocumentRef(Value):
    """A stored document: `key` finds it in the document store, `size` is in bytes, `round` is the one it came with."""

    id: str
    kind: DocumentKind
    name: str
    size: int
    media_type: str
    sha256: str
    key: str
    round: int = 1


class Letter(Value):
    """The letter of request (surat permohonan) that came with the form."""

    number: str
    date: date
