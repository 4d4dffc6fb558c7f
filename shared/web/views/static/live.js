/* Live pages: lists and requests follow the changes that the server tells of. Every page works without it. */
"use strict";
(() => {
  const one = (what, where = document) => where.querySelector(what);
  const all = (what, where = document) => [...where.querySelectorAll(what)];
  const fill = (words, values) => words.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const clock = () => new Date().toLocaleTimeString("id-ID", { timeZone: "Asia/Jayapura", hour12: false }).replace(/:/g, ".") + " WIT";
  const parsed = async (answer) => !answer.ok || answer.redirected ? null : new DOMParser().parseFromString(await answer.text(), "text/html");

  /* Live pages: update rows in place, announce new ones, and leave what is being typed untouched. */
  const live = one("[data-live]");
  if (!live) return;
  const toast = one(".toast"), subject = live.dataset.subject;
  let last = "", source, wait = 1000, timer;
  const say = (text, off) => { one("[data-words]", live).textContent = text; live.classList.toggle("off", off); };
  const on = one("[data-words]", live).textContent;
  const tick = () => { one("[data-clock]", live).textContent = clock(); };

  const announce = (text) => { one("span", toast).textContent = text; toast.hidden = false; };
  /* Reload a page with a form by submitting it for redisplay, so that what was typed is kept. */
  const reload = one("[data-fresh]");
  one("a", toast)?.addEventListener("click", (event) => { event.preventDefault(); reload ? reload.form.requestSubmit(reload) : location.reload(); });

  /* The header marks a background request, which does not extend the session. */
  const look = () => fetch(location.href, { headers: { "X-Live": "1" } });
  /* undefined: temporarily unavailable; null: gone. */
  const fresh = async () => { const answer = await look(); return answer.status >= 500 ? undefined : parsed(answer); };
  const refresh = async (changed) => {
    const page = await fresh().catch(() => undefined);
    if (!page) return page;
    const shown = new Map(all("[data-id]").map((row) => [row.dataset.id, row]));
    const now = new Map(all("[data-id]", page).map((row) => [row.dataset.id, row]));
    for (const [id, row] of shown) {
      const other = now.get(id);
      const event = changed.get(row.dataset.request ?? id);
      if (!other && event) leave(row, event);
      else if (other && other.dataset.version !== row.dataset.version) { other.classList.add("new"); row.replaceWith(other); }
    }
    all("[data-count]", page).forEach((badge) => one(`[data-count="${badge.dataset.count}"]`)?.replaceWith(badge));
    all("[data-live-part]", page).forEach((part) => one(`[data-live-part="${part.dataset.livePart}"]`)?.replaceWith(part));
    const count = [...now.keys()].filter((id) => !document.querySelector(`[data-id="${CSS.escape(id)}"]`)).length;
    if (count) announce(fill(toast.dataset.new, { count }));
    else toast.hidden = true;
    tick();
    return page;
  };
  const leave = (row, event) => {
    row.classList.add("gone");
    const state = row.dataset.request ? null : one(".st", row);
    if (!state && event.label && !row.dataset.request) one(".ln", row)?.append(Object.assign(document.createElement("span"), { className: "st " + event.status, textContent: event.label }));
    if (state && event.label) { state.className = "st " + event.status; state.textContent = event.label; }
  };
  /* One fetch at a time, because responses could arrive out of order, and not debounced, because a steady stream of changes would delay
     it forever. Failed fetches are retried after a while and after a reconnect. */
  let pending = new Map();
  const later = () => { timer ||= setTimeout(catchUp, 250); };
  const catchUp = async () => {
    const changed = pending;
    let page;
    pending = new Map();
    try { page = await refresh(changed); } finally { timer = 0; }
    if (page === undefined) { pending = new Map([...changed, ...pending]); setTimeout(later, 5000); }
    else if (pending.size) later();
  };
  const onChange = (event) => {
    if (event.lastEventId) last = event.lastEventId;
    const change = JSON.parse(event.data);
    if (subject) {
      if (change.id === subject && String(change.version) !== one("[data-version]")?.dataset.version) announce(fill(toast.dataset.changed, { label: change.label }));
      return tick();
    }
    pending.set(change.id, change);
    later();
  };
  /* Who else has this request open. */
  const here = one("[data-here]");
  const met = (event) => {
    const { names } = JSON.parse(event.data);
    here.hidden = !names.length;
    one("b", here).textContent = names.join(", ");
    one(".av", here).textContent = (names[0] ?? "").split(" ").slice(0, 2).map((word) => word[0]).join("").toUpperCase();
  };
  const leaveOff = () => {
    say(live.dataset.ended + " ", true);
    const address = "/masuk?lanjut=" + encodeURIComponent(location.pathname + location.search);
    one("[data-words]", live).append(Object.assign(document.createElement("a"), { href: address, textContent: live.dataset.signIn }));
  };
  const ended = async () => { const answer = await look(); return answer.redirected || answer.status === 401; };
  const connect = () => {
    const address = new URL(live.dataset.live, location.href);
    if (last) address.searchParams.set("last_event_id", last);
    if (here) address.searchParams.set("open", subject);
    source = new EventSource(address);
    source.onopen = () => { wait = 1000; say(on, false); tick(); if (pending.size) later(); };
    source.addEventListener("request", onChange);
    source.addEventListener("presence", met);
    source.onerror = async () => {
      say(live.dataset.off, true);
      if (source.readyState !== EventSource.CLOSED) return;
      source.close();
      if (await ended().catch(() => false)) return leaveOff();
      setTimeout(connect, wait);
      wait = Math.min(wait * 2, 15000);
    };
  };
  /* Browsers allow few connections per server: hidden pages close theirs and catch up later. */
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) source?.close();
    else if (source?.readyState === EventSource.CLOSED) connect();
  });
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => { if (event.persisted && source.readyState === EventSource.CLOSED) connect(); });
  connect();
})();
