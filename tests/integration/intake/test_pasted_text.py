"""Text that was pasted into a form, by page and by program: accepted, and stored as it was meant."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from services.assignment.schemas import PauseBody, ProgressBody, RejectionBody
from services.intake.domain.state import State
from services.intake.schemas import AnswerBody, TrackingLinkBody
from services.verification.schemas import RecommendationBody
from shared.runtime.executor import Loaded
from shared.web.api.validation import InputModel
from shared.web.auth.own_account import OwnAccountUpdate
from shared.web.auth.sessions import Credentials
from shared.web.auth.staff_accounts import StaffUpdate
from tests.support.services.forms_harness import Browser
from tests.support.services.intake_harness import FILES, FORM, IntakeHarness, intake_harness

DESCRIPTION = "Data trayek perlu terhubung ke portal data kabupaten."
TYPED = (
    "\u2022 butir \u2192 c \u2265 5 \u20ac \U0001fae8 \U0001f468\u200d\U0001f469\u200d\U0001f467 "
    "\U0001f3f3\ufe0f\u200d\U0001f308 \U0001f1ee\U0001f1e9"
)

PASTED = [
    ("phone", "(0921) 612345", "(0921) 612345"),
    ("phone", "0812\u20113456\u20117890", "0812-3456-7890"),
    ("phone", "\u202a+62 812-3456-7890\u202c", "+62 812-3456-7890"),
    ("phone", "0812  3456  7890", "0812 3456 7890"),
    ("phone", "Telp. 0921.612345", "0921.612345"),
    ("email", "\u200brahmat@dinas.example", "rahmat@dinas.example"),
    ("email", "rahmat@dinas.example\ufeff", "rahmat@dinas.example"),
    ("employee_number", "198502142010011001\u200b", "198502142010011001"),
    ("employee_number", "'198502142010011001", "198502142010011001"),
    ("employee_number", "19850214\u2212201001\u22121\u2212001", "198502142010011001"),
    ("employee_number", "NIP. 19850214 201001 1 001", "198502142010011001"),
    ("description", f"{DESCRIPTION}\u2028poin dua", f"{DESCRIPTION}\npoin dua"),
    ("description", f"{DESCRIPTION}\fhalaman dua", f"{DESCRIPTION}\nhalaman dua"),
    ("description", f"{DESCRIPTION}\vbaris\rbaris", f"{DESCRIPTION}\nbaris\nbaris"),
    ("description", f"{DESCRIPTION} {TYPED}", f"{DESCRIPTION} {TYPED}"),
    ("name", "Rahmat\tContoh", "Rahmat Contoh"),
    ("name", "Zahra\u0304 \u02bbAli\u200b", "Zahr\u0101 \u02bbAli"),
    ("letter_number", "500/12\tA", "500/12 A"),
    ("letter_date", " 2026-11-02 ", "2026-11-02"),
    ("letter_date", "2026\u201111\u201102", "2026-11-02"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def intake(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[IntakeHarness]:
    async with intake_harness(tmp_path_factory.mktemp("pasted")) as opened:
        yield opened


async def stored(intake: IntakeHarness, number: str) -> dict[str, Any]:
    loaded: Loaded[State] | None = await intake.service.runtime.executor.find_one("number", number)
    assert loaded is not None
    assert loaded.state.form is not None
    form = loaded.state.form
    letter = {"letter_number": form.letter.number, "letter_date": form.letter.date.isoformat()}
    return {**form.applicant.model_dump(), "description": form.description, **letter}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("field", "pasted", "meant"), PASTED)
async def test_the_api_accepts_pasted_text(intake: IntakeHarness, field: str, pasted: str, meant: str):
    answer = await intake.submit(FILES, None, **{field: pasted})
    assert answer.status_code == 201, answer.text
    assert (await stored(intake, answer.json()["number"]))[field] == meant


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("field", "pasted", "meant"), PASTED)
async def test_the_page_accepts_pasted_text(intake: IntakeHarness, field: str, pasted: str, meant: str):
    async with intake.client() as client:
        browser = Browser(client)
        answer = await browser.send("/", await browser.get("/"), list(FILES), **{**FORM, field: pasted})
    assert answer.status_code == 303, answer.text
    number = answer.headers["location"].split("/")[2]
    assert (await stored(intake, number))[field] == meant


@pytest.mark.asyncio(loop_scope="module")
async def test_a_repeat_with_other_invisible_characters_is_the_same_command(intake: IntakeHarness):
    key = {"Idempotency-Key": "tempelan"}
    first = await intake.submit(headers=key, name="Rahmat Contoh")
    again = await intake.submit(headers=key, name="\ufeffRahmat\u00a0Contoh\t")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["number"] == again.json()["number"]


@pytest.mark.parametrize(
    ("model", "field", "pasted", "meant"),
    [
        (RejectionBody, "reason", "Di luar\u2028lingkup\ufeff \U0001fae8", "Di luar\nlingkup \U0001fae8"),
        (PauseBody, "question", "Alamat\rserver\v?", "Alamat\nserver\n?"),
        (ProgressBody, "note", "\u202a50\u00a0persen\u202c", "50 persen"),
        (RecommendationBody, "reason", "Bukan\u00a0kewenangan \u2022 kami", "Bukan kewenangan \u2022 kami"),
        (AnswerBody, "text", "10.1.2.3\u200b:8080\f", "10.1.2.3:8080"),
        (TrackingLinkBody, "email", "<rahmat@dinas.example>\u200b", "rahmat@dinas.example"),
        (OwnAccountUpdate, "name", "\ufeffNurlaila\tIbarat ", "Nurlaila Ibarat"),
        (StaffUpdate, "email", "mailto:nurlaila@dinas.example\u00a0", "nurlaila@dinas.example"),
        (Credentials, "username", "nurlaila\u200b", "nurlaila"),
    ],
)
def test_pasted_text_in_other_forms_is_cleaned(model: type[InputModel], field: str, pasted: str, meant: str):
    others = {"password": "kuda laut hijau"} if model is Credentials else {}
    assert getattr(model.model_validate({field: pasted, **others}), field) == meant


def test_a_password_is_not_cleaned():
    password = " kuda\u200blaut\u00a0hijau "
    given = Credentials.model_validate({"username": "nurlaila", "password": password})
    assert given.password.get_secret_value() == password
