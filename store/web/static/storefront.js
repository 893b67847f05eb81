/* What a page does in the browser: copy, save, print, keep open what was opened, count quantities as
   they are typed, and scroll to the heading that the address names. */
{
  const opened = new Set();

  const copy = async (text) => {
    if (window.isSecureContext) return navigator.clipboard.writeText(text);
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy"); // the only way where the shop is not on HTTPS
    area.remove();
  };
  const save = (text, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const say = (button, word) => {
    const label = button.textContent;
    button.textContent = word;
    setTimeout(() => { button.textContent = label; }, 1500);
  };

  document.addEventListener("click", async ({ target }) => {
    const button = target.closest("button[data-copy], button[data-save], button[data-print]");
    if (!button || button.dataset.busy) return;
    if ("print" in button.dataset) return window.print();
    button.dataset.busy = "yes";
    setTimeout(() => { delete button.dataset.busy; }, 1500);
    if ("save" in button.dataset) save(button.dataset.save, button.dataset.name);
    else await copy(button.dataset.copy);
    say(button, "save" in button.dataset ? "Saved" : "Copied");
  });

  document.addEventListener("toggle", ({ target }) => {
    if (!target.dataset?.entry) return;
    opened[target.open ? "add" : "delete"](target.dataset.entry);
  }, true); // `toggle` does not bubble

  // Streamlit counts a typed number at Enter or when the field is left; this presses Enter at once.
  document.addEventListener("input", ({ target }) => {
    if (!target.matches?.('[class*="st-key-quantity-"] input') || !/^-?\d{1,9}$/.test(target.value)) return;
    setTimeout(() => target.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true })));
  });

  const closeLegend = (but) => {
    for (const legend of document.querySelectorAll(".legend[open]")) legend.open = legend.contains(but);
  };
  document.addEventListener("pointerdown", ({ target }) => closeLegend(target));
  document.addEventListener("keydown", ({ key }) => { if (key === "Escape") closeLegend(null); });

  // The heading comes after the browser has looked for it.
  if (location.hash) {
    new MutationObserver((_, watching) => {
      const heading = document.getElementById(location.hash.slice(1));
      if (!heading) return;
      watching.disconnect();
      document.fonts.ready.then(() => heading.scrollIntoView());
    }).observe(document, { childList: true, subtree: true });
  }

  window.reopenTimeline = () => {
    for (const entry of document.querySelectorAll("details[data-entry]")) {
      entry.open = opened.has(entry.dataset.entry);
    }
  };
}
