/* What Streamlit's scripts find when they start, and what stands in for its dialogs.
   Checked with Streamlit 1.67. */
{
  // Known beforehand, so that it connects at once instead of asking for it.
  const origin = window.location.origin;
  const fonts = { bodyFont: "'Shop Sans', 'Stand-in Sans', sans-serif" };
  window.__streamlit = {
    BACKEND_BASE_URL: `${origin}/`,
    HOST_CONFIG: { allowedOrigins: [origin], useExternalAuthToken: false, blockErrorDialogs: true },
    LIGHT_THEME: fonts, // until the shop's theme has come
    DARK_THEME: fonts,
  };

  // It fetches its icons (375 kB) for every page; a browser does that where one is shown.
  const load = document.fonts.load.bind(document.fonts);
  document.fonts.load = (font, text) =>
    font.includes("Material Symbols") ? Promise.resolve([]) : load(font, text);

  // The server's first HTML stands until the page below has drawn the same: all that it names, and
  // no placeholder of something that is still being fetched. A page whose script goes on, because
  // it waits for Stripe, is shown a moment after its masthead; one that has run, a moment later at most.
  const MOMENT = 700;
  let overdue = false, timer;
  const isDrawn = (first) => {
    if (overdue || document.querySelector('[role="dialog"], #root .notice')) return true;
    const drawn = (selector) => document.querySelectorAll(`#root ${selector}`).length;
    const hasRun = drawn('.stApp[data-test-script-state="notRunning"]');
    if (!hasRun && !drawn(".masthead")) return false;
    timer ??= setTimeout(() => { overdue = true; replaceFirst(); }, MOMENT);
    if (drawn('[data-testid^="stSkeleton"]')) return false;
    return first.dataset.until.split(" | ").every((part) => {
      const [selector, count] = part.split(" × ");
      return drawn(selector) >= (count ?? 1);
    });
  };
  const replaceFirst = () => {
    const first = document.getElementById("first-page");
    if (!first || !isDrawn(first)) return;
    const scrolled = first.scrollTop;
    first.remove();
    if (scrolled) document.querySelector(".stMain")?.scrollTo(0, scrolled);
  };

  // A server that does not answer: Streamlit tries again by itself, and says so in its own words.
  const PATIENCE = 3000;
  let notice, waiting, wasConnected = false;
  const isThere = () =>
    fetch("/_stcore/health", { cache: "no-store" }).then(({ ok }) => ok, () => false);
  const button = (name, leave) => {
    const made = document.createElement("button");
    made.textContent = name;
    made.addEventListener("click", async () => {
      made.disabled = true;
      if (await isThere()) return leave();
      made.disabled = false;
      say("Still no answer. This page goes on trying by itself.");
    });
    return made;
  };
  const say = (sentence) => {
    if (!notice) {
      notice = document.createElement("div");
      notice.id = "shop-lost";
      notice.setAttribute("role", "alert");
      notice.append(document.createElement("p"), button("Try again", () => window.location.reload()));
      if (window.location.pathname !== "/") {
        notice.append(button("Back to the shop", () => window.location.assign("/")));
      }
      document.body.append(notice);
    }
    notice.firstChild.textContent = sentence;
  };
  const lost = () => say(
    "The shop does not answer at the moment. Your orders are safe. This page goes on trying by itself.",
  );
  const followConnection = () => {
    const state = document.querySelector("#root .stApp")?.dataset.testConnectionState;
    if (state === "CONNECTED") {
      wasConnected = true;
      clearTimeout(waiting);
      waiting = undefined;
      notice?.remove();
      notice = undefined;
    } else if (wasConnected && !waiting) {
      waiting = setTimeout(lost, PATIENCE);
    }
  };
  window.addEventListener("message", ({ source, data }) => {
    if (source !== window || data?.type !== "CLIENT_ERROR_DIALOG") return;
    if (data.error === "Connection error") lost();
    else say("Something went wrong on this page. Your orders are safe. Please try again.");
  });

  new MutationObserver(() => {
    replaceFirst();
    followConnection();
  }).observe(document, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ["data-test-script-state", "data-test-connection-state"],
  });
}
