"""Scripts and style sheets are served without indentation and the comments that fill whole lines, and some of them as one."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.web.views.static_files import (
    AUDIENCE_LINE,
    BUNDLES,
    FILES,
    FOLDER,
    FOR_ALL,
    load_bundle,
    load_file,
)

SOURCE = """/* What it does,
   in two lines; a * and a / alone are no end. */
"use strict";
  /* Why. */
const path = "/* no comment */"; /* beside code */
/* before code */ start();
if (path) {
    stop();
\tstop();
}
"""
SERVED = """"use strict";
const path = "/* no comment */"; /* beside code */
/* before code */ start();
if (path) {
stop();
stop();
}
"""


@pytest.mark.parametrize(("name", "served"), [("x.js", SERVED), ("x.css", SERVED.replace("\n", "")), ("x.txt", SOURCE)])
def test_indentation_and_whole_lines_of_comments_are_left_out(tmp_path: Path, name: str, served: str):
    path = tmp_path / name
    path.write_text(SOURCE)
    assert load_file(path).content.decode() == served


def test_no_script_of_a_page_has_such_a_line():
    assert b'"use strict"' in FILES["form.js"].content
    assert b"\n/*" not in FILES["form.js"].content


def test_files_of_a_bundle_are_served_one_after_the_other(tmp_path: Path):
    (tmp_path / "a.js").write_text("  first();\n")
    (tmp_path / "b.js").write_text("/* Why. */\nsecond();\n")
    assert load_bundle("all.js", ("a.js", "b.js"), tmp_path).content == b"first();\nsecond();\n"


def test_a_style_sheet_has_only_the_rules_for_its_audience(tmp_path: Path):
    (tmp_path / "x.css").write_text(
        "p{}\n/* For staff */\nq{}\n/* Why. */\n/* For all */\nb{}\n/* For applicants */\ni{}\n"
    )
    served = {name: load_bundle(name, ("x.css",), tmp_path).content for name in ("staff.css", "applicants.css")}
    assert served == {"staff.css": b"p{}q{}b{}", "applicants.css": b"p{}b{}i{}"}


def test_every_audience_of_the_style_sheet_has_a_bundle():
    named = set(AUDIENCE_LINE.findall((FOLDER / "simpul.css").read_text()))
    assert named == {FOR_ALL, "staff", "applicants"}
    assert {f"{name}.css" for name in named - {FOR_ALL}} <= BUNDLES.keys()


def test_no_text_of_a_script_goes_over_lines_because_its_indentation_would_be_lost():
    scripts = sorted(FOLDER.glob("*.js"))
    assert {part for parts in BUNDLES.values() for part in parts if part.endswith(".js")} <= {
        path.name for path in scripts
    }
    for path in scripts:
        for line in path.read_text().splitlines():
            assert line.count("`") % 2 == 0, (path.name, line)
