// Buttons of the demo page act without leaving it. Without this script they are plain forms.
"use strict";
(() => {
  const said = document.getElementById("said");
  function tell(text, bad) {
    said.textContent = text; said.hidden = !text;
    said.className = "message " + (bad ? "bad" : "good");
  }
  for (const form of document.querySelectorAll("form[data-act]")) form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    try {
      const answer = await fetch(form.action, { method: "POST", headers: { accept: "application/json" }, body: new URLSearchParams(new FormData(form)) });
      if (answer.redirected) { location.reload(); return; }
      const told = await answer.json();
      tell(answer.ok ? told.said.map((line) => line.replace(/^\s*[\d.]+ s\s+/, "")).join(" · ") : told.detail, !answer.ok);
    } catch { tell(document.body.dataset.stale.replace("%s", new Date().toLocaleTimeString(document.documentElement.lang)), true); }
    finally { button.disabled = false; button.focus({ preventScroll: true }); }
  });
})();
