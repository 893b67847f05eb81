"""The amounts that Stripe accepts in each currency, always in integer minor units.

`currencies.json` lists the currencies with their digits, steps and limits, and the source of each.
At Stripe minimums depend on the settlement currency, here on the charge's own.
"""

import json
from pathlib import Path

from stripe_emulator.base.errors import InvalidRequest

TABLE = json.loads((Path(__file__).parent / "currencies.json").read_text("utf-8"))
CURRENCIES: dict[str, tuple[int, int, int, int]] = {
    code: tuple(row) for code, row in TABLE["currencies"].items()
}
"""Decimal digits, the step of every amount, the smallest and the largest total."""
MAXIMUM: int = TABLE["card_maximum"]
ESTIMATED = frozenset(TABLE["estimated_minimum"])
"""Currencies without a published minimum: what Stripe refuses there depends on the account."""
SIGNS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}


def exponent(currency: str) -> int:
    """Return the number of decimal digits of the minor unit."""
    return CURRENCIES[currency][0]


def step(currency: str) -> int:
    """Return what every amount is a multiple of: 100 in a currency without minor units."""
    return CURRENCIES[currency][1]


def minimum(currency: str) -> int:
    """Return the smallest total, 1 if Stripe publishes none."""
    return 1 if currency in ESTIMATED else CURRENCIES[currency][2]


def format_amount(amount: int, currency: str) -> str:
    """Return an amount as Stripe's error messages write it: `$0.50 usd`."""
    digits = exponent(currency)
    units = f"{amount / 10**digits:,.{digits}f}"
    return f"{SIGNS.get(currency, '')}{units} {currency}"


def currency_of(text: str, param: str) -> str:
    """Return a supported currency in lower case (that capitals are accepted is unverified)."""
    currency = text.lower()
    if currency not in CURRENCIES:
        raise InvalidRequest(
            f"Invalid currency: {text[:20]}. Stripe currently supports these currencies: "
            f"{', '.join(sorted(CURRENCIES))}",
            param=param,
        )
    return currency


def check_unit_amount(amount: int, currency: str, param: str) -> None:
    """Raise InvalidRequest for an amount that the currency cannot express."""
    if amount < 0:
        raise InvalidRequest(
            "Invalid non-negative integer", code="parameter_invalid_integer", param=param
        )
    if amount > MAXIMUM:
        raise InvalidRequest(
            f"Amount must be no more than {format_amount(MAXIMUM, currency)}",
            code="amount_too_large",
            param=param,
        )
    if amount % step(currency):
        raise InvalidRequest(
            f"Invalid amount: {amount}. Amounts in {currency} must be divisible by "
            f"{step(currency)}.",
            param=param,
        )


def check_total(amount: int, currency: str) -> None:
    """Raise InvalidRequest for a Checkout total below the minimum or above the maximum; 0 is
    valid."""
    if 0 < amount < minimum(currency):
        raise InvalidRequest(
            "The Checkout Session's total amount due must add up to at least "
            f"{format_amount(minimum(currency), currency)}",
            code="amount_too_small",
        )
    if amount > MAXIMUM:
        raise InvalidRequest(
            "The Checkout Session's total amount due must add up to at most "
            f"{format_amount(MAXIMUM, currency)}",
            code="amount_too_large",
        )


def check_charge(amount: int, currency: str, param: str = "amount") -> None:
    """Raise InvalidRequest for an amount that cannot be charged in one payment."""
    check_unit_amount(amount, currency, param)
    if amount < minimum(currency):
        raise InvalidRequest(
            f"Amount must be at least {format_amount(minimum(currency), currency)}",
            code="amount_too_small",
            param=param,
        )
