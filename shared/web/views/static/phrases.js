/* Ready-made sentences of staff: buttons and shortcuts insert one. Every page works without it. */
"use strict";
(() => {
  const one = (what, where = document) => where.querySelector(what);
  const all = (what, where = document) => [...where.querySelectorAll(what)];

  /* Insert a ready-made sentence into the field used last. */
  let typing;
  const put = (box, from, to, text) => { box.setRangeText(text, from, to, "end"); box.dispatchEvent(new Event("input", { bubbles: true })); };
  const sentence = (part) => one("[data-phrase]", part).textContent;
  addEventListener("focusin", ({ target }) => { if (target.matches("textarea")) typing = target; });
  const insert = ({ currentTarget }) => {
    const box = typing ?? one("textarea", currentTarget.closest("form") ?? document);
    put(box, box.selectionStart, box.selectionEnd, sentence(currentTarget.closest("[data-shortcut]")));
    box.focus();
  };
  all("[data-do=insert]").forEach((button) => { button.hidden = false; button.addEventListener("click", insert); });

  /* Ready-made sentences: typing ::shortcut inserts one. */
  addEventListener("input", ({ target }) => {
    if (!target.matches("textarea")) return;
    const end = target.selectionStart, typed = /::([a-z0-9-]+)\s$/.exec(target.value.slice(0, end));
    const phrase = typed && one(`[data-shortcut="${typed[1]}"]`);
    if (phrase) put(target, end - typed[0].length, end, sentence(phrase) + " ");
  });
})();
