/* Uploads files before their form, one by one; each is retried when the connection is lost or the service is unreachable.

   A chosen file has an item in the list of its field until the server stores it or the user removes it. While there is such an item the
   form is not submitted; the item also sends the file's name, because of which the server refuses the form. `data-how` is the state of
   an item: queued, sending, later (retried after a while), failed, or ended (with its session). */
"use strict";
(() => {
  const one = (what, where = document) => where.querySelector(what);
  const all = (what, where = document) => [...where.querySelectorAll(what)];
  const fill = (words, values) => words.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const words = one("#words").dataset;
  const TRIES = 5, SILENCE_MS = 60000, LONGEST_WAIT_SECONDS = 120, TRANSIENT = [408, 429, 502, 503, 504];
  const size = (bytes) => (bytes / 1048576).toFixed(1).replace(".", ",") + " MB";
  const mark = (file) => [file.name, file.size, file.lastModified].join("/");
  const listOf = (input) => document.getElementById(input.id + "-files");
  const unsent = (form) => all(".unsent", form);
  const has = (item, ...states) => states.includes(item.dataset.how);
  const chosen = new WeakMap(), calls = new Map(), waiting = new Map();
  let count = 0;

  /* List items */
  const adopt = (input, item, file) => {
    const retry = one("[data-do=retry]", item), why = one(".err", item);
    chosen.set(item, { input, file, tries: 0 });
    all("button", item).forEach((button) => { button.type = "button"; });
    all(".vh", item).forEach((about) => { about.textContent = " " + one("b", item).textContent; });
    why.id = `unsent-${++count}`;
    retry.setAttribute("aria-describedby", why.id);
    retry.hidden = false;
    if (file) item.dataset.file = mark(file);
    else { retry.firstChild.textContent = words.choose; show(item, "failed", words.lost); }
    return item;
  };
  const lineFor = (input, name, file) => {
    const item = one("#unsent").content.firstElementChild.cloneNode(true);
    one("b", item).textContent = one("[type=hidden]", item).value = one("progress", item).ariaLabel = name;
    one("[type=hidden]", item).name = "unsent." + input.name;
    return adopt(input, item, file);
  };
  const show = (item, how, text) => {
    const moving = ["queued", "sending", "later"].includes(how), retry = one("[data-do=retry]", item);
    item.dataset.how = how;
    one(".hint", item).textContent = moving ? text : "";
    one(".err", item).textContent = moving ? "" : text;
    one("progress", item).hidden = !moving;
    const left = how === "queued" || how === "sending";
    if (left && document.activeElement === retry) one("[name=remove]", item).focus();
    retry.hidden = left;
  };
  const say = (input, text, heardOnly) => {
    Object.assign(document.getElementById(input.id + "-told"), { textContent: text, className: heardOnly ? "vh" : "hint" });
  };
  const drop = (item) => {
    const form = item.closest("form"), { timer, call } = chosen.get(item) ?? {};
    const beside = item.nextElementSibling ?? item.previousElementSibling;
    if (item.contains(document.activeElement)) ((beside && one("button:not([hidden])", beside)) ?? one("[type=file]", item.closest(".field"))).focus();
    clearTimeout(timer);
    item.remove();
    if (!call || calls.get(form) !== call) return;
    calls.delete(form);
    call.abort();
  };

  /* After a reload or going back, restore the files of the page; those not yet uploaded have to be chosen again. */
  const place = (form) => "files " + form.action;
  const remember = (form) => {
    const lines = all("[type=file]", form).flatMap((input) => [...listOf(input).children].map((item) => (
      item.matches(".unsent") ? { field: input.id, name: one("b", item).textContent } : { field: input.id, stored: item.outerHTML })));
    try {
      history.replaceState({ ...history.state, [place(form)]: { key: form.elements._key.value, lines } }, "");
    } catch { /* Browsers limit the rate of these calls; the previous state is then restored. */ }
  };
  const restore = (form) => {
    const kept = history.state?.[place(form)];
    if (kept?.key !== form.elements._key.value) return;
    all("[type=file]", form).forEach((input) => {
      const list = listOf(input);
      list.replaceChildren();
      for (const { name, stored } of kept.lines.filter((each) => each.field === input.id)) {
        if (stored) list.insertAdjacentHTML("beforeend", stored);
        else list.append(lineFor(input, name));
      }
    });
  };

  /* Uploading */
  const queue = (item) => {
    const { input, file } = chosen.get(item), limit = Number(input.dataset.limit);
    if (file.size > limit) show(item, "failed", fill(words.tooLarge, { size: size(limit) }));
    else show(item, "queued", fill(words.sending, { percent: 0 }));
  };
  const next = (form) => {
    const item = calls.has(form) ? null : one("[data-how=queued]", form);
    if (item) send(form, item);
    remember(form);
    proceed(form);
  };
  const send = (form, item) => {
    const its = chosen.get(item), { input, file } = its, body = new FormData(), call = new XMLHttpRequest();
    let silence;
    const fail = (text, how = "failed") => { its.tries = 0; show(item, how, text); };
    const later = (text, seconds, atLast) => {
      if (its.tries >= TRIES || seconds > LONGEST_WAIT_SECONDS) return fail(atLast);
      const wait = Math.max(seconds, 2 ** its.tries++);
      show(item, "later", fill(text, { seconds: wait }));
      its.timer = setTimeout(() => { queue(item); next(form); }, wait * 1000);
    };
    const over = async (then) => {
      clearTimeout(silence);
      if (calls.get(form) !== call) return;
      calls.delete(form);
      await then();
      next(form);
    };
    const cut = () => over(async () => {
      const readable = await file.slice(0, 1).arrayBuffer().catch(() => null);
      if (readable) later(words.later, 0, words.cut);
      else fail(words.unreadable);
    });
    const answered = () => over(() => {
      const answer = new DOMParser().parseFromString(call.responseText, "text/html"), detail = one("[data-detail]", answer)?.textContent;
      const lines = all("body > li", answer), stored = lines.find((line) => one("[name^='held.']", line));
      if (TRANSIENT.includes(call.status)) return later(words.busy, Number(call.getResponseHeader("Retry-After")) || 0, detail ?? words.overloaded);
      if (call.status === 401 || (call.status === 200 && !lines.length)) return fail(words.ended, "ended");
      if (call.status !== 200) return fail(detail ?? words.failed);
      if (!stored) return fail(lines.map((line) => line.textContent.replace(`${file.name}: `, "")).join(" "));
      const focused = item.contains(document.activeElement);
      if (!input.multiple) all("li:not(.unsent)", listOf(input)).forEach((old) => old.remove());
      stored.dataset.file = mark(file);
      item.replaceWith(stored);
      input.dispatchEvent(new Event("corrected", { bubbles: true }));
      say(input, fill(words.stored, { name: file.name }), true);
      if (focused) one("button", stored).focus();
    });
    const alive = () => { clearTimeout(silence); silence = setTimeout(() => { cut(); call.abort(); }, SILENCE_MS); };
    show(item, "sending", fill(words.sending, { percent: 0 }));
    for (const name of ["_csrf", "_key"]) body.append(name, form.elements[name].value);
    body.append("field", input.name);
    body.append(input.name, file);
    call.upload.onprogress = (event) => {
      alive();
      if (!event.lengthComputable || calls.get(form) !== call) return;
      const percent = Math.round((event.loaded / event.total) * 100);
      one("progress", item).value = percent;
      one(".hint", item).textContent = fill(words.sending, { percent });
    };
    call.onload = answered;
    call.onerror = cut;
    calls.set(form, (its.call = call));
    call.open("POST", form.dataset.files);
    call.send(body);
    alive();
  };

  /* Choosing: a file replaces a failed one of the same name; an uploaded one is not sent again. */
  const choose = (input) => {
    const list = listOf(input), lines = [...list.children], files = [...input.files], there = (item) => item.isConnected;
    input.value = "";
    say(input, "");
    if (!files.length) return;
    if (!input.multiple) unsent(list).forEach(drop);
    unsent(list).filter((item) => item.dataset.replaced).forEach(drop);
    for (const file of files) {
      const failed = lines.filter(there).find((item) => has(item, "failed", "ended") && one("b", item).textContent === file.name);
      const twice = !failed && lines.filter(there).some((item) => item.dataset.file === mark(file));
      if (twice) { say(input, fill(words.twice, { name: file.name })); continue; }
      const item = lineFor(input, file.name, file);
      if (failed) failed.replaceWith(item);
      else list.append(item);
      queue(item);
    }
    next(input.form);
  };
  const press = (event) => {
    const button = event.target.closest("button"), item = button?.closest("li"), its = chosen.get(item), form = button?.form;
    if (!button) return;
    event.preventDefault();
    if (button.name === "remove") {
      drop(item);
      ready(form);
    } else if (its.file) {
      clearTimeout(its.timer);
      its.tries = 0;
      queue(item);
    } else {
      unsent(form).forEach((other) => { delete other.dataset.replaced; });
      item.dataset.replaced = "1";
      return its.input.click();
    }
    next(form);
  };

  /* The form */
  const ready = (form) => {
    waiting.get(form)?.removeAttribute("aria-busy");
    waiting.delete(form);
    one("[data-wait]", form).textContent = "";
    one("[data-stop]", form).hidden = true;
  };
  const proceed = (form) => {
    const lines = unsent(form), failed = lines.find((item) => has(item, "failed")), button = waiting.get(form);
    if (!button) return;
    if (!lines.length || lines.some((item) => has(item, "ended"))) {
      ready(form);
      return form.requestSubmit(button);
    }
    if (!failed) {
      one("[data-wait]", form).textContent = fill(words.wait, { count: lines.length });
      return;
    }
    ready(form);
    one("[data-stop]", form).textContent = fill(words.stop, { names: lines.filter((item) => has(item, "failed")).map((item) => one("b", item).textContent).join(", ") });
    one("[data-stop]", form).hidden = false;
    one("[data-do=retry]", failed).focus();
  };
  const submitted = (event) => {
    const form = event.target, lines = unsent(form);
    /* If the session has ended, submit the form: the server refuses it because of the missing files and asks to sign in. */
    if (!form.matches("[data-files]") || !lines.length || lines.some((item) => has(item, "ended"))) return;
    event.preventDefault();
    event.stopPropagation();
    const visible = all("button.btn", form).filter((button) => button.type === "submit" && !button.closest(".files")).pop();
    const button = event.submitter?.hidden === false ? event.submitter : visible;
    ready(form);
    waiting.set(form, button);
    button.setAttribute("aria-busy", "true");
    proceed(form);
  };
  document.addEventListener("submit", submitted, true);
  all("form[data-files]").forEach((form) => {
    restore(form);
    all("[type=file]", form).forEach((input) => {
      unsent(listOf(input)).filter((item) => !chosen.has(item)).forEach((item) => adopt(input, item));
      input.addEventListener("change", () => choose(input));
      listOf(input).addEventListener("click", press);
      choose(input);
    });
  });
})();
