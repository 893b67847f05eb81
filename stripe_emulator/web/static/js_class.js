// Runs in <head>, before the first paint: what needs JavaScript is shown only where it runs.
document.documentElement.classList.add("js");
