/* Progressive enhancement of all pages: errors, counters and protection against double submission. Every page works without it. */
"use strict";
(() => {
  const one = (what, where = document) => where.querySelector(what);
  const all = (what, where = document) => [...where.querySelectorAll(what)];
  const fill = (words, values) => words.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  /* Focus the error summary of a refused form, or the field that the user came back to. */
  (one("#sum") ?? one("form :target"))?.focus();

  /* The error of a field disappears with its line in the summary as soon as the field is filled in rightly. */
  const isFilledIn = (box) => box.type === "radio" || (box.value.trim().length >= Math.max(box.minLength ?? 1, 1) && box.checkValidity());
  const clearError = ({ target, type }) => {
    const part = target.closest(".field"), why = part && one("[id$=\"-e\"]", part), date = target.closest(".date");
    if (!why || (type !== "corrected" && (target.type === "file" || !(date ? all("input, select", date) : [target]).every(isFilledIn)))) return;
    [part, ...all("[aria-invalid]", part)].forEach((box) => box.removeAttribute("aria-invalid"));
    const line = one(`#sum a[href="#${why.id.slice(0, -2)}"]`)?.closest("li"), list = line?.parentElement;
    why.remove();
    line?.remove();
    if (list && !list.children.length) one("#sum").remove();
  };
  for (const kind of ["input", "change", "corrected"]) addEventListener(kind, clearError);
  all("[data-auto]").forEach((form) => form.requestSubmit());

  /* Scroll the selected tab into view on narrow screens. */
  const showTabs = () => all(".nav [aria-current]").forEach((tab) => { tab.parentElement.scrollLeft = tab.offsetLeft - tab.parentElement.offsetLeft - 24; });
  showTabs();

  all("[data-most]").forEach((area) => {
    const counter = document.getElementById(area.id + "-c");
    const count = () => { counter.textContent = fill(counter.dataset.words, { count: area.value.length, most: area.dataset.most }); };
    counter.hidden = false;
    area.addEventListener("input", count);
    count();
  });

  const actions = {
    print: () => window.print(),
    copy: () => navigator.clipboard.writeText(one("[data-link]").href).then(() => { const notice = one("[data-copied]"); notice.textContent = notice.dataset.copied; }),
  };
  if (!navigator.clipboard) one("[data-do=copy]")?.remove();
  all("[data-do]").forEach((button) => {
    const run = actions[button.dataset.do];
    if (run) { button.hidden = false; button.addEventListener("click", run); }
  });

  /* Submit a form once, however often the button is pressed. After going back, enable it again and reload the page unless files would
     be lost that have not been uploaded. */
  const sent = new WeakSet();
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-guard]")) return;
    event.submitter?.setAttribute("aria-busy", "true");
    if (sent.has(form)) event.preventDefault();
    sent.add(form);
    /* Going back after the last step leads to an empty form, not to a page that the browser would have to send again. */
    if (form.dataset.guard === "last" && event.submitter?.name !== "_resume") history.replaceState(null, "", form.action);
  });
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    if (!one(".unsent")) return location.reload();
    all("[data-guard]").forEach((form) => sent.delete(form));
    all("[aria-busy]").forEach((part) => part.removeAttribute("aria-busy"));
  });

  /* After going back, restore the form's idempotency key, so that sending it again is recognized. */
  all('form[data-guard=""]').forEach((form) => {
    const key = form.elements._key, place = "key " + form.action, known = history.state ?? {};
    if (known[place] && !one('[name^="held."]', form)) key.value = known[place];
    else history.replaceState({ ...known, [place]: key.value }, "");
  });
})();
