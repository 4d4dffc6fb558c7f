/* The decision bar allows what the findings allow; the server refuses the rest anyway. */
"use strict";
(() => {
  const one = (what, where = document) => where.querySelector(what);
  const all = (what, where = document) => [...where.querySelectorAll(what)];

  const bar = one("[data-deck]");
  if (!bar) return;
  const form = document.getElementById(bar.dataset.deck), tally = one(".tally", bar), reason = one("[data-reason]", bar);
  const update = () => {
    const checks = all(".check", form), states = checks.map((check) => one(":checked", check)?.value);
    const unwritten = checks.some((check, place) => states[place] === "no" && !one("textarea", check).value.trim());
    const unseen = all(".note [type=checkbox]", form).some((box) => !box.checked);
    const complete = !states.includes(undefined), failed = states.includes("no");
    one(".pass", bar).disabled = !complete || failed || unseen;
    one(".back", bar).disabled = !complete || !failed || unwritten;
    reason.textContent = unwritten ? bar.dataset.note : complete && !failed && unseen ? bar.dataset.warning : "";
    all(".k", tally).forEach((dot, place) => dot.setAttribute("class", "k " + (states[place] ?? "open")));
    const count = (kind) => states.filter((state) => (state ?? "open") === kind).length;
    const parts = ["yes", "no", "open"].filter(count).map((kind) => `${count(kind)} ${tally.dataset[kind]}`);
    one("[data-counts]", tally).textContent = parts.join(", ");
  };
  tally.hidden = false;
  form.addEventListener("input", update);
  addEventListener("pageshow", update);
  update();
})();
