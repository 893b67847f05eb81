"""What a first visit costs on a slow line, beside `streamlit hello`.

`python -m store bench first-visit [--turns 3]`

A real Chromium that was never here, on a line of 1.6 Mbit/s whose answers take 300 ms to begin.
*Readable* is when the products' names (of the yardstick: its heading) can be read, *usable* when
Streamlit's page is there and its script has run. CLS is how much of what was shown moved.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, sync_playwright

from bench.startup import hello, ours
from bench.support.report import Report, machine_now, parser, publish, verdict
from bench.support.servers import running
from bench.support.statistics import figure, ratios, say, spread
from tests.support import sample_shop
from tests.support.chromium import QUIET, found_chromium

LINE = {"offline": False, "latency": 300, "downloadThroughput": 200_000, "uploadThroughput": 94_000}
DESKTOP, PHONE = (1280, 720), (390, 844)
MAX_BYTES, READABLE_SECONDS, USABLE_SECONDS, MAX_SHIFT = 1_200_000, 4.0, 7.0, 0.1
HAS_RUN = '#root .stApp[data-test-script-state="notRunning"]'
SHOP = {"readable": ["h3", "Sneakers"], "usable": [f'{HAS_RUN} [aria-label^="Quantity of"]', ""]}
HELLO = {"readable": ["h1", "Streamlit"], "usable": [f"{HAS_RUN} h1", "Streamlit"]}
WATCH = """
window.seen = {};
window.shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
const isShown = ([selector, text]) => [...document.querySelectorAll(selector)].some((node) =>
  node.textContent.includes(text) && node.checkVisibility({ visibilityProperty: true }));
const look = () => {
  for (const [name, wanted] of Object.entries(WANTED)) {
    if (!(name in window.seen) && isShown(wanted)) window.seen[name] = performance.now();
  }
  requestAnimationFrame(look);
};
look();
"""


@dataclass(frozen=True)
class Visit:
    bytes: float
    requests: int
    readable: float
    usable: float
    shift: float


class Traffic:
    """What comes over the line: answers with their headers, and messages of the WebSocket."""

    def __init__(self, line: CDPSession) -> None:
        self.bytes, self.requests = 0.0, 0
        line.on("Network.loadingFinished", self.finished)
        line.on("Network.webSocketFrameReceived", self.received)

    def finished(self, event: dict[str, Any]) -> None:
        self.requests += 1
        self.bytes += event["encodedDataLength"]

    def received(self, event: dict[str, Any]) -> None:
        self.bytes += len(event["response"]["payloadData"]) * 3 / 4  # it is given as base64


def visit(
    browser: Browser, port: int, wanted: dict[str, list[str]], size: tuple[int, int]
) -> Visit:
    """One visit of somebody who was never here."""
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, locale="en-US")
    page = context.new_page()
    line = context.new_cdp_session(page)
    line.send("Network.enable")
    line.send("Network.emulateNetworkConditions", LINE)
    traffic = Traffic(line)
    page.add_init_script(WATCH.replace("WANTED", json.dumps(wanted)))
    page.goto(f"http://127.0.0.1:{port}/", wait_until="commit")
    page.wait_for_function("window.seen?.usable", timeout=60_000)
    page.wait_for_load_state("networkidle")
    seen = page.evaluate("window.seen")
    shift = page.evaluate("window.shift")
    context.close()
    return Visit(
        traffic.bytes, traffic.requests, seen["readable"] / 1000, seen["usable"] / 1000, shift
    )


@contextmanager
def servers(folder: Path) -> Iterator[tuple[int, int]]:
    """The ports of the shop and of the yardstick."""
    environment = dict.fromkeys(sample_shop.UNSET, " ")
    command, port, _others = ours(folder)
    other, other_port, _none = hello()
    with (
        running(command, port, environment=environment),
        running(other, other_port, environment=environment),
    ):
        yield port, other_port


def measure(turns: int) -> dict[str, list[Visit]]:
    visits: dict[str, list[Visit]] = {}
    with (
        tempfile.TemporaryDirectory() as name,
        servers(Path(name)) as (port, other),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=found_chromium(), args=list(QUIET))
        kinds = {
            "shop": (port, SHOP, DESKTOP),
            "shop by phone": (port, SHOP, PHONE),
            "streamlit hello": (other, HELLO, DESKTOP),
        }
        for kind in ("shop", "streamlit hello"):
            visit(browser, *kinds[kind])  # what a server does once is not a visitor's wait
        for turn in range(turns):
            for kind, given in kinds.items():
                done = visit(browser, *given)
                visits.setdefault(kind, []).append(done)
                say(f"turn {turn + 1}: {kind} {done}")
        browser.close()
    return visits


def verdicts(visits: dict[str, list[Visit]]) -> Iterator[str]:
    limits = {
        "bytes": ("bytes over the line", MAX_BYTES),
        "readable": ("seconds until the products can be read", READABLE_SECONDS),
        "usable": ("seconds until the shop can be used", USABLE_SECONDS),
        "shift": ("CLS", MAX_SHIFT),
    }
    own = [each for kind, done in visits.items() if kind != "streamlit hello" for each in done]
    for name, (words, limit) in limits.items():
        worst = max(float(getattr(each, name)) for each in own)
        yield verdict(f"{words}: {figure(worst)} at worst, at most {limit:,}", worst <= limit)


def main() -> None:
    command = parser("first-visit", __doc__)
    command.add_argument("--turns", type=int, default=3)
    arguments = command.parse_args()
    here = machine_now()
    if found_chromium() is None:
        say("No Chromium found: install one, or name it in CHROMIUM.")
        sys.exit(2)
    visits = measure(arguments.turns)
    usable = {kind: [each.usable for each in done] for kind, done in visits.items()}
    publish(
        Report(
            name="first_visit",
            machine=here,
            columns=(
                *("page", "kB", "requests", "readable s", "usable s", "CLS"),
                "usable: … times the yardstick",
            ),
            rows=[
                [
                    kind,
                    str(spread(each.bytes / 1000 for each in done)),
                    str(spread(each.requests for each in done)),
                    str(spread(each.readable for each in done)),
                    str(spread(each.usable for each in done)),
                    str(spread(each.shift for each in done)),
                    str(ratios(usable[kind], usable["streamlit hello"])),
                ]
                for kind, done in visits.items()
            ],
            verdicts=list(verdicts(visits)),
            figures={kind: [asdict(each) for each in done] for kind, done in visits.items()},
        ),
        dry=arguments.dry,
    )


if __name__ == "__main__":
    main()
