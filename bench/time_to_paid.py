"""How soon a payment is seen: from the pay page's redirect to *Paid* on the screen.

`python -m store bench time-to-paid [--purchases 50]`

A real Chromium before the three real processes on SQLite. Each purchase is a new buyer's, on
Stripe's page already when the clock is not yet running; it runs, in the browser, from the request
that leads back to the shop until the word can be read, and until the whole page of the order is
there: the server's first answer says it already, and Streamlit's page takes its place.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from bench.support.report import Report, machine_now, parser, publish, verdict
from bench.support.statistics import figure, say, spread
from store.orders import checkout
from store.web import buyer_cookie
from tests.support.browser_actions import fill_in, seconds_until_paid
from tests.support.chromium import QUIET, found_chromium
from tests.support.percentiles import percentile
from tests.support.processes import RunningShop

AT_MOST = 1.0


def purchase(running_shop: RunningShop, browser: Browser) -> tuple[float, float]:
    """One new buyer's purchase; the seconds until they read *Paid*, and until the page is drawn."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, locale="en-US")
    cookie = buyer_cookie.new_cookie()
    context.add_cookies(
        [{"name": buyer_cookie.COOKIE_NAME, "value": cookie, "url": running_shop.address}]
    )
    number = checkout.place(
        buyer_cookie.buyer_hash(cookie),
        {"red-t-shirt": 2},
        shown_amount=3998,
        store_url=running_shop.address,
    )
    page = context.new_page()
    page.goto(f"{running_shop.address}/go/{number}")
    fill_in(page)
    seconds = seconds_until_paid(page)
    page.wait_for_function("window.drawnAt")
    drawn = seconds + page.evaluate("window.drawnAt - window.paidAt") / 1000
    context.close()
    running_shop.assert_paid_once(buyer_cookie.buyer_hash(cookie))
    return seconds, drawn


def measure(purchases: int) -> list[tuple[float, float]]:
    measured = []
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        running_shop = RunningShop(folder, f"sqlite:///{(folder / 'store.db').as_posix()}")
        browser = playwright.chromium.launch(executable_path=found_chromium(), args=list(QUIET))
        try:
            running_shop.open()
            with running_shop.entered():
                purchase(running_shop, browser)  # the first one waits for what is loaded once
                for place in range(purchases):
                    measured.append(purchase(running_shop, browser))
                    if place % 10 == 9:
                        say(f"{place + 1} purchases, the last one {measured[-1][0]:.2f} s")
        finally:
            browser.close()
            running_shop.close()
    return measured


def main() -> None:
    command = parser("time-to-paid", __doc__)
    command.add_argument("--purchases", type=int, default=50)
    arguments = command.parse_args()
    here = machine_now()
    if found_chromium() is None:
        say("No Chromium found: install one, or name it in CHROMIUM.")
        sys.exit(2)
    measured = measure(arguments.purchases)
    read, drawn = ([each[place] for each in measured] for place in (0, 1))
    worst = percentile(read, 95)
    publish(
        Report(
            name="time_to_paid",
            machine=here,
            columns=("purchases", "until", "seconds", "p95"),
            rows=[
                [str(len(measured)), until, str(spread(seconds)), figure(percentile(seconds, 95))]
                for until, seconds in (("Paid can be read", read), ("the page is drawn", drawn))
            ],
            verdicts=[verdict(f"p95 {figure(worst)} s, at most {AT_MOST:.1f} s", worst <= AT_MOST)],
            figures={"read": read, "drawn": drawn},
        ),
        dry=arguments.dry,
    )


if __name__ == "__main__":
    main()
