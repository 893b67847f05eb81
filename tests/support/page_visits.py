"""What browser tests do often: open a page, pay at Stripe."""

import re
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, expect

AT_STRIPE = re.compile(r"/c/pay/")


@dataclass(frozen=True)
class Servers:
    shop: str
    stripe: str
    folder: Path


def opened(buyer: BrowserContext, path: str = "/") -> Page:
    page = buyer.new_page()
    page.goto(path)
    expect(page.get_by_role("heading", name="My orders")).to_be_visible(timeout=15_000)
    return page


def pay_at_stripe(page: Page) -> None:
    page.wait_for_url(AT_STRIPE)
    page.get_by_label("Email").fill("buyer@example.com")
    page.get_by_label("Card number").fill("4242424242424242")
    page.get_by_label("Expiry").fill("12/34")
    page.get_by_label("CVC").fill("123")
    page.get_by_role("button", name=re.compile("^Pay ")).last.click()
