// Keeps a dashboard page up to date: the same address is fetched again, and what changed is swapped.
"use strict";

const EVERY_MILLISECONDS = 2000;

const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit" };
const DAY = { month: "short", day: "2-digit" };

/** Times are sent in UTC; the visitor's own clock is shown, with UTC on hover. Today goes without saying. */
function localTimes(root) {
  for (const time of root.querySelectorAll("time:not([title])")) {
    time.title = time.textContent;
    const at = new Date(time.dateTime);
    time.textContent = at.toLocaleString([], { ...DAY, ...CLOCK });
  }
}

/** Whoever is typing, choosing or marking text in a part of the page is left alone there. */
function isInUse(part) {
  const selection = document.getSelection();
  const marked = selection && !selection.isCollapsed && part.contains(selection.anchorNode);
  return marked || (part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea"));
}

function swap(part, fresh) {
  const wasOpen = new Map();
  for (const details of part.querySelectorAll("details[data-keep]")) wasOpen.set(details.dataset.keep, details.open);
  const focused = part.contains(document.activeElement) && document.activeElement.getAttribute("href");
  part.replaceChildren(...fresh.childNodes);
  for (const details of part.querySelectorAll("details[data-keep]")) {
    details.open = wasOpen.get(details.dataset.keep) ?? details.open;
  }
  localTimes(part);
  if (focused) part.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
}

const shown = new Map(); // What the server last sent for each part, before the times were made local.
for (const part of document.querySelectorAll("[data-live]")) shown.set(part.id, part.innerHTML);
localTimes(document);

async function update() {
  if (document.hidden) return;
  const note = document.getElementById("live-note");
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live]")) {
      const news = fresh.getElementById(part.id);
      if (!news || news.innerHTML === shown.get(part.id) || isInUse(part)) continue;
      shown.set(part.id, news.innerHTML);
      swap(part, news);
    }
    note.textContent = "This page updates by itself.";
  } catch {
    note.textContent = "The emulator does not answer. This page goes on trying.";
  }
}

async function forever() {
  await update();
  setTimeout(forever, EVERY_MILLISECONDS);
}
setTimeout(forever, EVERY_MILLISECONDS);
