/* Keyboard shortcuts of the staff's pages. Every page works without it. */
"use strict";
(() => {
  const one = (what, where = document) => where.querySelector(what);
  const all = (what, where = document) => [...where.querySelectorAll(what)];

  /* Shortcuts: a control names its keys in aria-keyshortcuts. A person may switch them off (WCAG 2.1.4); this browser remembers it. */
  const OFF = "simpul keys off";
  const isOff = () => { try { return localStorage.getItem(OFF); } catch { return null; } };
  const saveOff = (off) => { try { off ? localStorage.setItem(OFF, "1") : localStorage.removeItem(OFF); } catch { } };
  const help = one("#keys"), opener = one("[data-keys]"), active = one("[data-keys-active]");
  if (help) {
    opener.hidden = false;
    opener.addEventListener("click", () => help.showModal());
    active.checked = !isOff();
    active.addEventListener("change", () => saveOff(!active.checked));
  }

  const typing = (target) => target.matches?.("input:not([type=radio]):not([type=checkbox]):not([type=submit]), textarea, select, [contenteditable]");
  const nameOf = (event) => {
    const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code)?.[1];
    if (digit && (event.shiftKey || event.key === digit)) return (event.shiftKey ? "Shift+" : "") + digit;
    return event.key === "=" ? "+" : event.key.toLowerCase();
  };
  const visible = (part) => part.getClientRects().length && !part.disabled;
  const byKey = (name) => all("[aria-keyshortcuts]").find((part) => part.getAttribute("aria-keyshortcuts").split(" ").includes(name) && (visible(part) || part.matches("[type=radio]")));

  /* Choose "no" and go on to its note; open the fold in which an item is. */
  const choose = (radio) => {
    const fold = radio.closest("details");
    if (fold) fold.open = true;
    radio.click();
    (radio.matches(".no") ? one("textarea", radio.closest(".check")) : radio).focus();
  };
  const step = (by) => {
    const rows = all(".list .go").filter(visible), here = rows.indexOf(document.activeElement);
    const next = rows[here < 0 ? (by > 0 ? 0 : rows.length - 1) : here + by];
    next?.focus();
    return Boolean(next);
  };
  const nextDocument = () => {
    const tabs = all(".viewer .tab"), here = tabs.findIndex((tab) => tab.getAttribute("aria-current"));
    tabs[(here + 1) % tabs.length]?.click();
  };
  const actions = {
    "?": () => help?.showModal(),
    "/": () => one("[type=search]")?.focus(),
    d: nextDocument,
    w: () => all("[name=acknowledged]").forEach((box) => box.checked || box.click()),
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.isComposing || help?.open) return;
    if (typing(event.target)) { if (event.key === "Escape") event.target.blur(); return; }
    const name = nameOf(event);
    if (isOff() && name !== "?") return;
    const part = byKey(name), direction = { j: 1, k: -1 }[name];
    if (part?.matches("[type=radio]")) choose(part);
    else if (part) part.click();
    else if (direction && one(".list .go")) step(direction);
    else if (actions[name]) actions[name]();
    else return;
    event.preventDefault();
  });
})();
