/* What a page does without asking the server: copy, save, print, and keep open what was opened. */
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
    if (!target.dataset?.step) return;
    opened[target.open ? "add" : "delete"](target.dataset.step);
  }, true); // `toggle` does not bubble

  window.shopReopens = () => {
    for (const step of document.querySelectorAll("details[data-step]")) {
      step.open = opened.has(step.dataset.step);
    }
  };
}
