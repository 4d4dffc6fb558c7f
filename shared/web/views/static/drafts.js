/* Drafts: what was typed into a form is kept in this browser until it is sent, and offered when the form is opened again. Files and
   passwords are never kept, nor any form with a password. */
"use strict";
(() => {
  const { person, signOut, offer, use, drop } = document.currentScript.dataset;
  const PREFIX = "simpul draft ", SENT = "simpul sent", KEPT_DAYS = 14;
  const own = PREFIX + person + " ";
  let store;
  try { store = localStorage; store.getItem(PREFIX); sessionStorage.getItem(SENT); } catch { return; }

  const forms = [...document.querySelectorAll("form[data-draft]")].filter((form) => !form.querySelector("[type=password]"));
  const controls = (form) => [...form.elements].filter((one) => one.name && !one.name.startsWith("_") && one.matches("input:not([type=hidden],[type=file],[type=search],[type=submit],[type=button]), textarea, select"));
  const isChoice = (one) => one.type === "radio" || one.type === "checkbox";
  const read = (form) => controls(form).filter((one) => !isChoice(one) || one.checked).map((one) => [one.name, one.value]);
  /* Not form.action, which is the control of this name where there is one. */
  const pathOf = (form) => new URL(form.getAttribute("action") ?? "", location.href).pathname;
  const nameOf = (form) => own + pathOf(form) + " " + form.id + " " + (form.elements.round?.value ?? "");
  const load = (name) => { try { return JSON.parse(store.getItem(name)); } catch { return null; } };
  const same = (some, others) => JSON.stringify(some) === JSON.stringify(others);

  /* A form was sent: a redirect says that it was accepted, and so does an answer without the form. A sign-in page says neither. */
  const sent = JSON.parse(sessionStorage.getItem(SENT) ?? "null");
  const refused = forms.some((form) => nameOf(form) === sent?.name && form.elements._key?.value === sent.key);
  if (sent && refused) sessionStorage.removeItem(SENT);
  else if (sent && !document.querySelector("[type=password]")) {
    const redirected = performance.getEntriesByType("navigation")[0]?.redirectCount > 0;
    const answered = location.pathname === sent.path && !forms.some((form) => nameOf(form) === sent.name);
    if (redirected || answered) store.removeItem(sent.name);
    sessionStorage.removeItem(SENT);
  }

  const oldest = Date.now() - KEPT_DAYS * 86400000;
  Object.keys(store).filter((name) => name.startsWith(PREFIX) && !(load(name)?.at > oldest)).forEach((name) => store.removeItem(name));

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (pathOf(form) === signOut) Object.keys(store).filter((name) => name.startsWith(own)).forEach((name) => store.removeItem(name));
    if (forms.includes(form)) sessionStorage.setItem(SENT, JSON.stringify({ name: nameOf(form), key: form.elements._key?.value, path: pathOf(form) }));
  });

  const fillIn = (form, fields) => {
    const values = new Map();
    fields.forEach(([name, value]) => values.set(name, [...(values.get(name) ?? []), value]));
    for (const one of controls(form)) {
      const given = values.get(one.name) ?? [];
      if (isChoice(one)) one.checked = given.includes(one.value);
      else if (given.length) one.value = given.shift();
      one.dispatchEvent(new Event("input", { bubbles: true }));
      one.dispatchEvent(new Event("change", { bubbles: true }));
    }
  };
  const button = (label, kind, act) => Object.assign(document.createElement("button"), { type: "button", className: "btn " + kind, textContent: label, onclick: act });
  const offerDraft = (form, draft, forget) => {
    const note = Object.assign(document.createElement("div"), { className: "note draft" }), text = document.createElement("div");
    const time = new Date(draft.at).toLocaleString("id-ID", { dateStyle: "medium", timeStyle: "short", timeZone: "Asia/Jayapura" });
    const row = Object.assign(document.createElement("p"), { className: "row" }), words = document.createElement("p");
    note.setAttribute("role", "status");
    words.textContent = offer.replace("{time}", time + " WIT");
    row.append(button(use, "sec", () => { fillIn(form, draft.fields); note.remove(); controls(form)[0]?.focus(); }), button(drop, "quiet", () => { forget(); note.remove(); }));
    text.append(words, row);
    note.append(text);
    form.prepend(note);
    return note;
  };

  for (const form of forms) {
    if (!controls(form).length) continue;
    const name = nameOf(form), initial = read(form), draft = load(name);
    let note, timer;
    const forget = () => store.removeItem(name);
    const save = () => {
      timer = clearTimeout(timer);
      const fields = read(form);
      try { same(fields, initial) ? forget() : store.setItem(name, JSON.stringify({ at: Date.now(), fields })); } catch { }
    };
    if (draft && !same(draft.fields, initial)) note = offerDraft(form, draft, forget);
    form.addEventListener("input", (event) => {
      if (!event.isTrusted && note?.isConnected) return;
      timer ??= setTimeout(save, 400);
    });
    addEventListener("pagehide", () => timer && save());
  }
})();
