"""The shop's webhook server behind `stripe listen --forward-to`, as on a developer's machine."""

from pathlib import Path

import pytest

from store.core import settings
from tests.support.chromium import NewBrowser
from tests.support.shop import ON_SQLITE, Shop
from tests.support.stripe_cli import StripeCli

CARD = {
    "Email": "buyer@example.com",
    "Card number": "4242 4242 4242 4242",
    "Expiry": "12/34",
    "CVC": "123",
}


@ON_SQLITE
def test_an_order_is_paid_by_the_event_that_the_stripe_cli_forwards(
    shop: Shop, new_browser: NewBrowser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = StripeCli(shop.stripe.config.address, tmp_path)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", cli.secret())
    settings.current.cache_clear()
    number = shop.an_open_order()

    with cli.running(
        *("listen", "--events", "checkout.session.completed,charge.refunded"),
        *("--forward-to", f"{shop.server.url}/webhooks/stripe/"),
    ) as listening:
        page = new_browser().new_page()
        page.goto(shop.order(number).checkout_url or "")
        for label, text in CARD.items():
            page.get_by_label(label, exact=True).fill(text)
        page.get_by_role("button", name="Pay, but do not come back").click()
        listening.wait_for(r"\[200\] POST")

    order = shop.order(number)
    assert (order.status, order.refunded_amount) == ("paid", 0)
    assert ("webhook", "paid") in [(entry.source, entry.action) for entry in shop.history(number)]
