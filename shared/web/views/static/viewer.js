/* The document viewer and the notes of staff, which change without leaving the page. Every page works without it. */
"use strict";
(() => {
  const one = (what, where = document) => where.querySelector(what);
  const all = (what, where = document) => [...where.querySelectorAll(what)];
  const showTabs = () => all(".nav [aria-current]").forEach((tab) => { tab.parentElement.scrollLeft = tab.offsetLeft - tab.parentElement.offsetLeft - 24; });

  /* Document viewer: replace only the viewer, so that what was typed stays. If the session has ended, the form is submitted. */
  const parsed = async (answer) => !answer.ok || answer.redirected ? null : new DOMParser().parseFromString(await answer.text(), "text/html");
  const again = (way, part) => all("[data-look]", part).find((each) => each.textContent === way.textContent);
  const show = async (way) => {
    const inside = !way.isConnected || way.closest("[data-part]"), part = one("[data-part]"), turned = way.isConnected ? way : again(way, part);
    if (!turned) return;
    const looked = new URLSearchParams(turned.dataset.look || one(".tab[aria-current]", part).dataset.look), list = new URLSearchParams(location.search).get("daftar");
    if (list) looked.set("daftar", list);
    const sought = one("[name=kata]", part)?.value;
    if (sought) looked.set("kata", sought); else looked.delete("kata");
    const address = "?" + looked;
    part.setAttribute("aria-busy", "true");
    const page = await fetch(location.pathname + address).then(parsed).catch(() => undefined);
    part.removeAttribute("aria-busy");
    if (page === undefined) return;
    const other = page?.getElementById(part.id);
    if (!other) return turned.form ? turned.form.requestSubmit(turned) : location.assign(address);
    part.replaceChildren(...other.childNodes);
    part.parentElement.className = other.parentElement.className;
    history.replaceState(history.state, "", address);
    showTabs();
    if (inside) (again(way, part) ?? one(".btn[data-look]", part) ?? part).focus({ preventScroll: true });
    const said = one("[role=status]", part), words = said?.textContent;
    if (said) { said.textContent = ""; setTimeout(() => { said.textContent = words; }, 100); }
  };
  /* One after the other: what is pressed meanwhile applies to what is shown then. */
  let shown = Promise.resolve();
  addEventListener("click", (event) => {
    const way = event.target.closest?.("[data-look]");
    if (!way || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    shown = shown.then(() => show(way));
  });

  addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches("[name=kata]")) return;
    event.preventDefault();
    event.target.nextElementSibling.click();
  });

  /* Send a form without leaving the page, so that what is typed in other forms stays; if that fails, send it as usual. */
  addEventListener("submit", async (event) => {
    const form = event.target, button = event.submitter;
    if (!form.matches("[data-stay]")) return;
    event.preventDefault();
    const body = new FormData(form, button), answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(body) }).catch(() => undefined);
    const page = answer?.ok && answer.redirected ? new DOMParser().parseFromString(await answer.text(), "text/html") : undefined;
    if (!page?.getElementById(form.id)) { form.removeAttribute("data-stay"); return form.requestSubmit(button); }
    all("[data-team]").forEach((part) => { const other = page.getElementById(part.id); if (other) part.replaceChildren(...other.childNodes); });
    form.elements._key.value = page.getElementById(form.id).elements._key.value;
    const shown = one("[data-version]"), now = one("[data-version]", page);
    /* The change was this one; of any other the page announces that it is no longer up to date. */
    if (shown && now?.dataset.version - shown.dataset.version === 1) { shown.dataset.version = now.dataset.version; one(".toast").hidden = true; }
    (all(`[form=${form.id}]`).find((each) => each.value === button.value) ?? one(`[form=${form.id}]`))?.focus({ preventScroll: true });
  });
})();
