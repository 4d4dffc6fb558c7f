"""Scripts and style sheets are served without the comments that fill whole lines; nothing else is changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.web.views.static_files import FILES, load_file

SOURCE = """/* What it does,
   in two lines; a * and a / alone are no end. */
"use strict";
  /* Why. */
const path = "/* no comment */"; /* beside code */
/* before code */ start();
"""
SERVED = """"use strict";
const path = "/* no comment */"; /* beside code */
/* before code */ start();
"""


@pytest.mark.parametrize(("name", "served"), [("x.js", SERVED), ("x.css", SERVED), ("x.txt", SOURCE)])
def test_whole_lines_of_comments_are_left_out(tmp_path: Path, name: str, served: str):
    path = tmp_path / name
    path.write_text(SOURCE)
    assert load_file(path).content.decode() == served


def test_no_script_of_a_page_has_such_a_line():
    assert b'"use strict"' in FILES["simpul.js"].content
    assert b"\n  /*" not in FILES["simpul.js"].content
