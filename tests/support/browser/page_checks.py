"""Checks of every page: axe, reflow at 320 pixels, target size and keyboard access."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import axe_playwright_python
from playwright.sync_api import Page

from tests.support.browser.browser_sessions import DESK, NARROW, PHONE
from tests.support.browser.contrast import contrast_violations

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
# The violations alone: to pass the whole answer to Python takes three times as long as to find it.
RUN_AXE = """() => axe.run({
    resultTypes: ["violations"], selectors: false,
    rules: { "target-size": { enabled: true }, "color-contrast": { enabled: false } },
  }).then((answer) => answer.violations)"""
# A color scheme changes colors and nothing else, so that dark pages need only the rules about them.
RUN_AXE_COLORS = """() => axe.run({ resultTypes: ["violations"], selectors: false, runOnly: ["link-in-text-block"] })
  .then((answer) => answer.violations)"""
GRAVE = frozenset({"serious", "critical"})
PARTS = 5
"""The number of Tab stops that a single control may have."""
LEAST_TARGET = 44
"""The least size of a control in pixels; WCAG 2.2 requires 24."""

OVERFLOWING = """() => {
  const edge = document.documentElement.clientWidth, told = [];
  const wide = document.documentElement.scrollWidth - edge;
  if (wide > 0) told.push(`${wide} px too wide`);
  const cut = (style) => style.overflowX === "hidden" && (style.textOverflow === "ellipsis" || style.webkitLineClamp !== "none");
  const kept = (style) => ["auto", "scroll"].includes(style.overflowX) || cut(style);
  const scrolls = (one) => one && (kept(getComputedStyle(one)) || scrolls(one.parentElement));
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), range = document.createRange();
  while (texts.nextNode()) {
    range.selectNodeContents(texts.currentNode);
    const box = range.getBoundingClientRect(), own = texts.currentNode.parentElement;
    if (box.width && box.right > edge + 1 && own.checkVisibility() && own.clientWidth !== 1 && !scrolls(own))
      told.push(own.outerHTML.slice(0, 90));
  }
  return told.slice(0, 4);
}"""
ENLARGED = "size => document.documentElement.style.setProperty('font-size', size)"
SMALL = """(least) => [...document.querySelectorAll("button, select, textarea, input, a.btn, summary")]
  .filter((one) => !["radio", "checkbox", "hidden"].includes(one.type) && one.checkVisibility())
  .map((one) => [one.getBoundingClientRect(), one])
  .filter(([box]) => box.width && Math.min(box.width, box.height) < least - 0.5)
  .map(([box, one]) => `${Math.round(box.width)}x${Math.round(box.height)}: ${one.outerHTML.slice(0, 90)}`)"""
TABBABLE = """() => {
  const all = document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]");
  window.places = [...all].filter((one) => {
    if (one.disabled || one.tabIndex < 0 || one.type === "hidden") return false;
    if (!one.checkVisibility({ visibilityProperty: true })) return false;
    if (one.type !== "radio") return true;
    const group = [...document.querySelectorAll(`[name="${one.name}"]`)].filter((other) => other.form === one.form);
    const stop = group.find((other) => other.checked) ?? group[0];
    return one === stop;
  });
  document.body.setAttribute("tabindex", "-1");
  document.body.focus();
  document.body.removeAttribute("tabindex");
  window.scrollTo(0, 0);
  return window.places.length;
}"""
# What had the focus is looked at when the next key goes down: by then the page has scrolled to it.
RECORD_FOCUS = """() => {
  const marked = (other) => {
    if (!other) return false;
    const style = getComputedStyle(other);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  };
  window.focused = [];
  window.recordFocus = () => {
    const one = document.activeElement;
    if (!one || one === document.body || one.localName === "iframe") return;
    const box = one.getBoundingClientRect(), label = one.labels?.[0] ?? null;
    const tiny = box.width < 4 || getComputedStyle(one).opacity === "0" || getComputedStyle(one).clipPath !== "none";
    const seen = tiny && label ? label.getBoundingClientRect() : box;
    const [left, top] = [seen.left + seen.width / 2, seen.top + Math.min(seen.height, innerHeight) / 2];
    const hit = document.elementFromPoint(left, top);
    const near = hit && (hit === one || one.contains(hit) || hit.contains(one) || label?.contains(hit));
    window.focused.push({
      place: window.places.indexOf(one), what: one.outerHTML.slice(0, 90),
      marked: marked(one) || marked(label) || marked(one.parentElement) || marked(one.nextElementSibling), covered: !near,
    });
  };
  addEventListener("keydown", recordFocus, { capture: true });
}"""
FOCUSED = "() => { recordFocus(); return window.focused.splice(0); }"
FORGET_FOCUS = """() => removeEventListener("keydown", recordFocus, { capture: true })"""

Scheme = Literal["light", "dark"]
AXE_RUNS: Mapping[Scheme, str] = {"light": RUN_AXE, "dark": RUN_AXE_COLORS}


def rendered_at(page: Page, width: int, scheme: Scheme) -> None:
    page.set_viewport_size({"width": width, "height": 900 if width == DESK else 844})
    page.emulate_media(color_scheme=scheme)


def axe(page: Page, width: int, scheme: Scheme, passed: set[str]) -> list[str]:
    """Return the serious and critical violations of this rendering; `passed` are the appearances with enough contrast."""
    rendered_at(page, width, scheme)
    violations = [*page.evaluate(AXE_RUNS[scheme]), *contrast_violations(page, passed)]
    return [f"{width} {scheme} {told}" for told in map(_told, violations) if told]


def _told(violation: dict[str, Any]) -> str:
    if violation["impact"] not in GRAVE:
        return ""
    nodes = " | ".join(f"{node['html'][:100]} ({node['failureSummary'][:200]})" for node in violation["nodes"][:3])
    return f"{violation['impact']} {violation['id']}: {nodes}"


def targets(page: Page) -> list[str]:
    rendered_at(page, PHONE, "light")
    found: list[str] = page.evaluate(SMALL, LEAST_TARGET)
    return [f"small target {told}" for told in found]


def large_letters(page: Page) -> list[str]:
    """Return what overflows on a phone with large text."""
    rendered_at(page, PHONE, "light")
    page.evaluate(ENLARGED, "200%")
    found: list[str] = page.evaluate(OVERFLOWING)
    page.evaluate(ENLARGED, "")
    return [f"{PHONE}, large letters: {told}" for told in found]


def reflow(page: Page) -> list[str]:
    """Return what overflows at 320 pixels, which is 1280 at 400 % zoom."""
    rendered_at(page, NARROW, "light")
    return [f"{NARROW}: {told}" for told in page.evaluate(OVERFLOWING)]


def keyboard(page: Page) -> list[str]:
    """Return controls that Tab does not reach in page order, visibly focused and uncovered."""
    count: int = page.evaluate(TABBABLE)
    came: list[int] = []
    found: list[str] = []
    for focused in _tab_stops(page, count):
        if focused["place"] in came[-1:]:
            continue  # a date has stops of its own, and after the last one begins the browser's
        if focused["place"] in came:
            break
        came.append(focused["place"])
        found += [f"focus is not marked: {focused['what']}"] if not focused["marked"] else []
        found += [f"focus is covered: {focused['what']}"] if focused["covered"] else []
    missing = sorted(set(range(count)) - set(came))
    found += [
        f"Tab does not reach: {page.evaluate('place => places[place].outerHTML.slice(0, 90)', place)}"
        for place in missing
    ]
    return found + ([f"order of Tab: {came}"] if came != sorted(came) else [])


def _tab_stops(page: Page, count: int) -> list[dict[str, Any]]:
    """Press Tab once more than there are controls, and again as often while they are not all reached."""
    stops: list[dict[str, Any]] = []
    page.evaluate(RECORD_FOCUS)
    for _ in range(PARTS):
        for _ in range(count + 1):
            page.keyboard.down("Tab")  # held, as its release moves nothing
        stops += page.evaluate(FOCUSED)
        if {stop["place"] for stop in stops} >= set(range(count)):
            break
    page.keyboard.up("Tab")
    page.evaluate(FORGET_FOCUS)
    return stops


def headings(page: Page) -> list[str]:
    count = page.get_by_role("heading", level=1).count()
    return [] if count == 1 else [f"{count} headings of the first level"]


def page_problems(page: Page, passed: set[str]) -> list[str]:
    """Return all problems of the page in its present state; the checks of one rendering follow each other.

    `passed` are the appearances of texts on the pages before that have enough contrast, to which those of this page are added.
    """
    found = [*headings(page), *keyboard(page)]
    page.evaluate(AXE)
    renderings: list[tuple[int, Scheme]] = [(DESK, "light"), (DESK, "dark"), (PHONE, "dark"), (PHONE, "light")]
    for width, scheme in renderings:
        found += axe(page, width, scheme, passed)
    return [*found, *targets(page), *large_letters(page), *reflow(page)]


NO_PAGES = re.compile(r"/(dokumen|html|pages)(/|$)|/daftar\.\{kind\}$")
"""Paths that return a file, as a document, an image of its page or an exported list, or a part of a page."""


def unvisited_pages(met: Collection[str], pages: Iterable[str]) -> list[str]:
    """Return the route paths that none of the addresses matches."""
    paths = {urlsplit(address).path for address in met}
    patterns = {page: re.compile(re.sub(r"\{\w+\}", "[^/]+", page)) for page in pages if not NO_PAGES.search(page)}
    return [page for page, pattern in patterns.items() if not any(map(pattern.fullmatch, paths))]
