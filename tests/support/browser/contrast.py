"""The contrast of texts by axe, which looks at each appearance once: the same colors in the same letters have the same contrast.

The appearance of a text is the style of its letters, and each background and opacity that lies behind it: those of the elements
around it, and of all others whose boxes meet its own.
"""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

APPEARANCES = """() => {
  const paints = (style) => [style.backgroundColor, style.backgroundImage, style.opacity, style.filter, style.mixBlendMode].join();
  const nothing = "rgba(0, 0, 0, 0),none,1,none,normal";
  const shown = [...document.querySelectorAll("*")].filter((one) => one.checkVisibility({ visibilityProperty: true }));
  const painted = shown.map((one) => [one, paints(getComputedStyle(one)), one.getBoundingClientRect()])
    .filter(([, paint, box]) => paint !== nothing && box.width && box.height);
  const isText = (one) => ["input", "select", "textarea"].includes(one.localName) && !["radio", "checkbox"].includes(one.type)
    || [...one.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  const meet = (one, other) =>
    one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
  window.appearances = {};
  for (const one of shown.filter(isText)) {
    const style = getComputedStyle(one), box = one.getBoundingClientRect();
    if (box.width <= 1 || box.height <= 1) continue; // for screen readers alone
    const behind = painted.filter(([other, , place]) => other.contains(one) || (!one.contains(other) && meet(box, place)));
    const appearance = [one.localName, style.color, style.fontSize, style.fontWeight, style.textShadow,
      ...behind.map(([other, paint]) => `${other.contains(one) ? "around" : "beside"} ${paint}`)].join(";");
    (window.appearances[appearance] ??= []).push(one);
  }
  return Object.keys(window.appearances);
}"""
RUN_AXE = """(names) => axe.run({ include: names.flatMap((name) => window.appearances[name]) },
  { runOnly: ["color-contrast"], resultTypes: ["violations", "passes"], selectors: false, elementRef: true })
  .then(({ violations, passes }) => {
    const found = (results) => new Set(results.flatMap(({ nodes }) => nodes.map(({ element }) => element)));
    const [bad, good] = [found(violations), found(passes)];
    const any = (name, elements) => window.appearances[name].some((each) => elements.has(each));
    for (const { nodes } of violations) for (const node of nodes) delete node.element;
    return [names.filter((name) => any(name, good) && !any(name, bad)), violations];
  })"""


def contrast_violations(page: Page, passed: set[str]) -> list[dict[str, Any]]:
    """Return the violations among the appearances that have not passed, and add those that pass now.

    The page holds axe.
    """
    names = [name for name in page.evaluate(APPEARANCES) if name not in passed]
    if not names:
        return []
    now, violations = page.evaluate(RUN_AXE, names)
    passed.update(now)
    return list(violations)
