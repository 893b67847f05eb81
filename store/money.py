"""Integer minor units to text and back; the only place where the two meet.

Digits, steps and limits come from the table in `currencies.py`. Babel knows where signs and
separators stand in a locale; it does not decide how many digits are shown, because it would round
what Stripe charges (RSD 19.99 to "RSD 20").
"""

import copy
import re
from decimal import Decimal, InvalidOperation

from babel.numbers import NumberPattern

from store import currencies, locales

LARGEST_STORED = 2**31 - 1  # an amount is a 32-bit column


def decimals(currency: str) -> int:
    """How many digits of an amount in minor units stand behind the decimal point."""
    return currencies.of(currency).digits


def minor(price: str, currency: str) -> int:
    """Read a price such as "19.99" as minor units of `currency`.

    A price list is written with two decimals; where the currency has none, its digits count
    as whole units ("19.99" is 1999 yen).

    Raises:
        ValueError: not a price, or one that Stripe could not charge in this currency.
    """
    try:
        number = Decimal(price)
    except InvalidOperation:
        raise ValueError(f"{price!r} is not a price") from None
    if not number.is_finite() or number <= 0:
        raise ValueError(f"{price!r} is not a price")
    amount = number.scaleb(decimals(currency) or 2)
    if amount != amount.to_integral_value() or not fits(int(amount), currency):
        raise ValueError(
            f"{price!r} cannot be charged in {currency.upper()}; write it like {example(currency)}"
        )
    return int(amount)


def exact(price: str, currency: str) -> int:
    """Read an amount as people write it in `currency`: "19.99" of dollars, "500" of yen.

    Raises:
        ValueError: one sentence that says how to write it.
    """
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,3})?", price):
        raise ValueError(f"Write the amount in digits, like {example(currency)}.")
    number = Decimal(price).scaleb(decimals(currency))
    if number != number.to_integral_value():
        raise ValueError(
            f"{currency.upper()} has no such small change: write it like {example(currency)}."
        )
    if not fits(int(number), currency):
        raise ValueError(
            f"Stripe does not charge such a fraction of {currency.upper()}: write it like "
            f"{example(currency)}."
        )
    return int(number)


def example(currency: str) -> str:
    """How a price in this currency is written: 19.99, 1999, 20 or 19.990."""
    if currencies.of(currency).whole:
        return "20"
    return {0: "1999", 2: "19.99", 3: "19.990"}[decimals(currency)]


def fits(amount: int, currency: str) -> bool:
    """True where Stripe accepts the last digits of `amount` in `currency`."""
    return amount % currencies.of(currency).step == 0


def major(amount: int, currency: str) -> Decimal:
    return Decimal(amount).scaleb(-decimals(currency))


def minimum(currency: str) -> int:
    """The smallest total that can be paid by card."""
    return currencies.of(currency).minimum


def maximum(currency: str) -> int:
    """The largest total that every payment method takes, and that an order can hold."""
    row = currencies.of(currency)
    return min(row.maximum, LARGEST_STORED - LARGEST_STORED % row.step)


def chargeable(amount: int, currency: str) -> bool:
    """True where a total of `amount` can be paid by card at all."""
    return minimum(currency) <= amount <= maximum(currency)


def limit(amount: int, currency: str, locale: str | None = None) -> str:
    """Why a total of `amount` cannot be paid by card, as a sentence; "" where it can."""
    if amount < minimum(currency):
        least = text(minimum(currency), currency, locale)
        return f"A payment by card is at least {least}. Add something to your cart."
    if amount > maximum(currency):
        most = text(maximum(currency), currency, locale)
        return f"A payment by card is at most {most}. Take something out of your cart."
    return ""


def text(amount: int, currency: str, locale: str | None = None) -> str:
    """What people read, "$39.98", in the order and with the signs of their locale.

    Exactly the amount: as many digits as Stripe charges, none where only whole units exist.
    """
    row, known = currencies.of(currency), locales.find(locale)
    digits = 0 if row.whole and fits(amount, currency) else row.digits
    pattern: NumberPattern = copy.copy(known.currency_formats["standard"])
    pattern.frac_prec = (digits, digits)
    units = major(amount, currency)
    return str(pattern.apply(units, known, currency=currency.upper(), currency_digits=False))
