"""The receipt behind a charge's `receipt_url`."""

from datetime import UTC, datetime
from html import escape

from store.emulator.money import exponent
from store.emulator.records import StripeObject

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Referrer-Policy": "no-referrer",
}
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Receipt {number}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>:root {{ color-scheme: light dark }} body {{ font: 1rem/1.6 system-ui, sans-serif;
max-width: 32rem; margin: 3rem auto; padding: 0 1rem }} dt {{ float: left; width: 9rem }}</style>
</head><body><main><h1>Receipt</h1><p>From the emulator: no money moved.</p>
<dl>{lines}</dl></main></body></html>
"""


def shown(charge: StripeObject) -> str:
    """The page, as it is now: a refund shows on it too."""
    currency, digits = charge["currency"], exponent(charge["currency"])
    details = charge["payment_method_details"]
    card = details.get("card")
    lines = {
        "Amount paid": f"{charge['amount'] / 10**digits:.{digits}f} {currency.upper()}",
        "Date": f"{datetime.fromtimestamp(charge['created'], UTC):%Y-%m-%d %H:%M} UTC",
        "Paid with": f"{card['brand']} ···· {card['last4']}" if card else "bank debit",
        "Description": charge["description"] or "",
        "Refunded": f"{charge['amount_refunded'] / 10**digits:.{digits}f} {currency.upper()}"
        if charge["amount_refunded"]
        else "",
        "Charge": charge["id"],
    }
    rows = (f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in lines.items() if text)
    return PAGE.format(number=escape(charge["id"][-8:]), lines="".join(rows))
