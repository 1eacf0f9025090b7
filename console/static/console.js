// Live pages and small helps in forms. Every page works without it; nothing here decides anything.
"use strict";
(() => {
  const body = document.body;
  const TICK_LIMIT = 12000, REFRESH_GAP = 1500, SLOW = 15000;
  const clock = (t) => new Date(t).toLocaleTimeString(document.documentElement.lang, { hour12: false });

  // --- live -------------------------------------------------------------------------------------------------------
  const stale = document.getElementById("stale");
  let heard = Date.now(), opened = true, trouble = false, source = null;

  function showStale() {
    const silent = !opened || Date.now() - heard > TICK_LIMIT;
    if (!silent && !trouble) { stale.hidden = true; return; }
    const text = (trouble && !silent ? body.dataset.trouble : body.dataset.stale).replace("%s", clock(heard));
    if (stale.textContent !== text) stale.textContent = text;
    stale.hidden = false;
  }

  function concerns(news) {
    const topics = body.dataset.topics.split(" ");
    return (!body.dataset.plant || body.dataset.plant === news.plant) && news.topics.some((t) => topics.includes(t));
  }

  let last = 0, waiting = 0;
  function refreshSoon() {
    if (waiting) return;
    waiting = setTimeout(refresh, Math.max(0, last + REFRESH_GAP - Date.now()));
  }

  async function refresh() {
    waiting = 0; last = Date.now();
    let page;
    try {
      const answer = await fetch(location.href.split("#")[0], { headers: { accept: "text/html" }, cache: "no-store" });
      if (answer.redirected) { location.reload(); return; }
      if (!answer.ok) return;
      page = new DOMParser().parseFromString(await answer.text(), "text/html");
    } catch { return; }
    const known = new Set([...document.querySelectorAll("[data-key]")].map((e) => e.dataset.key));
    for (const old of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(old.id);
      if (!fresh || fresh.innerHTML === old.innerHTML || old.contains(document.activeElement) && isTyping()) continue;
      const open = [...old.querySelectorAll("details")].map((d) => d.open);
      const at = focusIn(old);
      old.replaceChildren(...fresh.childNodes);
      old.querySelectorAll("details").forEach((d, n) => { if (open[n]) d.open = true; });
      if (at) old.querySelector(at)?.focus({ preventScroll: true });
    }
    const news = [...document.querySelectorAll("[data-key]")].filter((e) => !known.has(e.dataset.key));
    for (const one of news) one.classList.add("is-new");
    if (news.length) document.getElementById("announce").textContent =
      body.dataset.new.replace("%s", news.map((e) => e.dataset.title).join("; "));
    const mine = document.querySelector("[data-shown]"), theirs = page.querySelector("[data-shown]");
    const note = document.getElementById("changed");
    if (note && (mine?.value ?? "") !== (theirs?.value ?? "")) offerReload(note);
  }

  function isTyping() {
    return ["INPUT", "TEXTAREA", "SELECT"].includes(document.activeElement.tagName);
  }

  function focusIn(part) {
    const at = document.activeElement;
    if (!part.contains(at)) return "";
    if (at.id) return "#" + CSS.escape(at.id);
    const link = at.getAttribute("href");
    return link ? `a[href="${CSS.escape(link)}"]` : "";
  }

  // What is being filled in is never taken away; people load the page again when they are ready.
  function offerReload(note) {
    if (!note.hidden) return;
    const form = note.parentElement.querySelector("form");
    const untouched = ![...document.querySelectorAll("main input:not([type=hidden]), main textarea")].some(
      (e) => e.type === "radio" || e.type === "checkbox" ? e.checked !== e.defaultChecked : e.value !== e.defaultValue);
    if (untouched || !form) { location.replace(location.pathname); return; }
    note.textContent = body.dataset.changed + " ";
    const link = document.createElement("a");
    link.href = location.pathname; link.textContent = "↻";
    link.setAttribute("aria-label", body.dataset.changed);
    note.append(link); note.hidden = false;
  }

  function listen() {
    source = new EventSource(body.dataset.stream);
    source.addEventListener("open", () => { opened = true; heard = Date.now(); showStale(); refreshSoon(); });
    source.addEventListener("tick", () => { opened = true; heard = Date.now(); trouble = false; showStale(); });
    source.addEventListener("trouble", () => { trouble = true; showStale(); });
    source.addEventListener("change", (event) => {
      opened = true; heard = Date.now(); trouble = false; showStale();
      if (concerns(JSON.parse(event.data))) refreshSoon();
    });
    source.addEventListener("error", () => {
      opened = false; showStale();
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
    });
  }

  if (body.dataset.stream && body.dataset.topics && document.querySelector("[data-live]")) {
    listen();
    setInterval(showStale, 1000);
    setInterval(() => { if (!document.hidden && opened) refreshSoon(); }, SLOW);
    window.addEventListener("pagehide", () => source.close());
  }

  // --- timers: the server has written each; here they go on until it is asked again --------------------------------
  const born = new WeakMap(), units = (body.dataset.units || "").split("|"), pace = Number(body.dataset.pace) || 1;
  function duration(ms) {
    let rest = Math.floor(Math.abs(ms) / 1000);
    const parts = [86400, 3600, 60, 1].map((size, n) => { const a = Math.floor(rest / size); rest -= a * size; return [a, units[n]]; });
    const first = parts.findIndex(([a], n) => a || n === 3);
    return parts.slice(first, first + 2).filter(([a]) => a || first === 3).map(([a, u]) => `${a} ${u}`).join(" ");
  }
  function tick() {
    for (const one of document.querySelectorAll("[data-timer]")) {
      if (!born.has(one)) born.set(one, performance.now());
      const now = Date.parse(one.dataset.now) + (performance.now() - born.get(one)) * pace, left = Date.parse(one.dataset.at) - now;
      const up = one.dataset.timer === "up";
      const text = up ? duration(left) : (left < 0 ? body.dataset.overdue : body.dataset.due).replace("%s", duration(left));
      if (!up) one.classList.toggle("late-text", left < 0);
      if (one.textContent !== text) one.textContent = text;
    }
  }
  if (body.dataset.units) { tick(); setInterval(tick, 1000); }

  // --- forms ------------------------------------------------------------------------------------------------------
  const number = (text) => Number((text || "0").trim().replace(/\s/g, "").replace(/,(?=\d*$)/, "."));
  for (const form of document.querySelectorAll("form[data-held]")) {
    const held = Number(form.dataset.held), parts = [...form.querySelectorAll("[data-part]")];
    const shown = form.querySelector("[data-left-shown]");
    const left = () => Math.round((held - parts.reduce((sum, p) => sum + number(p.value), 0)) * 1e6) / 1e6;
    const tell = () => {
      const rest = left();
      shown.textContent = Number.isNaN(rest) ? "?" : `${rest.toLocaleString(document.documentElement.lang)} ${form.dataset.left}`;
      shown.className = "left " + (rest === 0 ? "fits" : "off");
    };
    form.addEventListener("input", tell);
    for (const button of form.querySelectorAll("[data-rest]")) {
      button.hidden = false;
      button.addEventListener("click", () => {
        const field = document.getElementById(button.dataset.rest), rest = left() + number(field.value);
        if (rest >= 0) field.value = String(rest);
        tell(); field.focus();
      });
    }
    tell();
  }
  for (const button of document.querySelectorAll("[data-login]")) button.addEventListener("click", () => {
    document.getElementById("login").value = button.dataset.login;
    document.getElementById("password").focus();
  });
  for (const button of document.querySelectorAll("[data-print]")) button.addEventListener("click", () => window.print());
  for (const form of document.querySelectorAll("form[method=post]")) form.addEventListener("submit", () => {
    setTimeout(() => form.querySelectorAll("button:not([type=button])").forEach((b) => { b.disabled = true; }), 0);
  });
  for (const link of document.querySelectorAll(".choices a")) link.addEventListener("click", () => {
    const radio = document.getElementById(link.hash.slice(1))?.querySelector("input[type=radio]");
    if (radio?.name === "action") { radio.checked = true; radio.focus(); }
  });
  document.getElementById("refused")?.focus();
})();
