"""What Stripe accepts as an amount, currency by currency. Always integer minor units.

`currencies.json` says which currencies there are, with their digits, steps and limits, and where
that stands. Minimums go by settlement currency at Stripe and by the charge's own currency here.
"""

import json
from pathlib import Path

from stripe_emulator.base.errors import InvalidRequest

TABLE = json.loads((Path(__file__).parent / "currencies.json").read_text("utf-8"))
CURRENCIES: dict[str, tuple[int, int, int, int]] = {
    code: tuple(row) for code, row in TABLE["currencies"].items()
}
"""Digits behind the point, what an amount is a multiple of, the least and the greatest total."""
MAXIMUM: int = TABLE["card_maximum"]
ESTIMATED = frozenset(TABLE["estimated_minimum"])
"""Currencies of which Stripe names no minimum: what it refuses there depends on the account."""
SIGNS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}


def exponent(currency: str) -> int:
    """How many decimals the minor unit has."""
    return CURRENCIES[currency][0]


def step(currency: str) -> int:
    """What every amount is a multiple of: 100 of a currency without any small change."""
    return CURRENCIES[currency][1]


def minimum(currency: str) -> int:
    """The least total, where Stripe names one; else every amount is taken."""
    return 1 if currency in ESTIMATED else CURRENCIES[currency][2]


def format_amount(amount: int, currency: str) -> str:
    """An amount as Stripe's error texts write it: `$0.50 usd`."""
    digits = exponent(currency)
    units = f"{amount / 10**digits:,.{digits}f}"
    return f"{SIGNS.get(currency, '')}{units} {currency}"


def currency_of(text: str, param: str) -> str:
    """A supported currency in lower case (that capitals are accepted is unverified)."""
    currency = text.lower()
    if currency not in CURRENCIES:
        raise InvalidRequest(
            f"Invalid currency: {text[:20]}. Stripe currently supports these currencies: "
            f"{', '.join(sorted(CURRENCIES))}",
            param=param,
        )
    return currency


def check_unit_amount(amount: int, currency: str, param: str) -> None:
    """Refuse what the currency cannot express. Raises InvalidRequest."""
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
    """Refuse a Checkout total under the minimum or over the maximum; nothing at all is fine."""
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
    """Refuse what cannot be charged in one payment. Raises InvalidRequest."""
    check_unit_amount(amount, currency, param)
    if amount < minimum(currency):
        raise InvalidRequest(
            f"Amount must be at least {format_amount(minimum(currency), currency)}",
            code="amount_too_small",
            param=param,
        )
