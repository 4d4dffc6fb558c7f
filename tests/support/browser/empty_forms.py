"""Every empty form is refused in the same way: the fields by name at the top, and a message beside each field."""

from __future__ import annotations

import re

from playwright.sync_api import Page

from tests.support.browser.page_states import PAGE_STATES

INSTRUCTION = r"(Isi|Pilih|Unggah) \S.*\."
ABOVE = re.compile(rf"\S.* wajib (diisi|diunggah)\.|{INSTRUCTION}")
BESIDE = re.compile(rf"Wajib diisi\.|Wajib diunggah\.|{INSTRUCTION}")
OF_THEIR_OWN = {
    "officer request refused",
    "complete refused",
    "correct refused",
    "contact refused",
    "survey refused",
    "own account refused",
    "sign in refused",
}
"""Messages of fields that ask for a choice or have another rule."""
FILLED_IN = {"form refused", "account new refused"}
EMPTY_FORMS = frozenset(scene.name for scene in PAGE_STATES if re.search("refused( bare)?$", scene.name)) - (
    OF_THEIR_OWN | FILLED_IN
)
"""The names of the page states that show an empty form refused."""


def message_problems(page: Page) -> list[str]:
    """Return what is wrong with the messages at the top and those beside the fields."""
    above = page.get_by_role("alert").get_by_role("link").all_inner_texts()
    beside = [text.strip() for text in page.locator("p.err:visible").all_inner_texts()]
    return [
        *(f"message at the top: {line}" for line in above if not ABOVE.fullmatch(line)),
        *(f"message beside a field: {line}" for line in beside if not BESIDE.fullmatch(line)),
        *(
            []
            if above and len(above) == len(beside)
            else [f"{len(above)} messages at the top, {len(beside)} beside fields"]
        ),
    ]
