"""Integer minor units to text and back; the only place where the two meet.

Minor units are Stripe's (https://docs.stripe.com/currencies): ISK and UGX count hundredths
there although nobody uses them, and the last digit of a three-decimal amount must be 0.
"""

import re
from decimal import Decimal, InvalidOperation

from babel.numbers import format_currency

from store import locales

ZERO_DECIMAL = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split())
THREE_DECIMAL = frozenset("bhd jod kwd omr tnd".split())
WHOLE_ONLY = frozenset(["isk", "ugx"])
# The smallest charge in minor units where the settlement currency is the same one.
MINIMUM_AMOUNT = {
    "aed": 200, "aud": 50, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50,
    "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "krw": 50, "mxn": 1000, "myr": 200,
    "nok": 300, "nzd": 50, "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000, "usd": 50,
}  # fmt: skip
MAXIMUM_AMOUNT = 99_999_999


def decimals(currency: str) -> int:
    """How many digits of an amount in minor units stand behind the decimal point."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


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
    amount = number * (100 if currency in ZERO_DECIMAL else 10 ** decimals(currency))
    if amount != amount.to_integral_value() or not fits(int(amount), currency):
        raise ValueError(f"{price!r} cannot be charged in {currency}")
    return int(amount)


def exact(price: str, currency: str) -> int:
    """Read an amount as people write it in `currency`: "19.99" of dollars, "500" of yen.

    Raises:
        ValueError: one sentence that says how to write it.
    """
    example = str(major(1999, currency))
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,3})?", price):
        raise ValueError(f"Write the amount in digits, like {example}.")
    number = Decimal(price).scaleb(decimals(currency))
    if number != number.to_integral_value():
        raise ValueError(f"{currency.upper()} has no such small change: write it like {example}.")
    if not fits(int(number), currency):
        raise ValueError(f"Stripe charges {currency.upper()} only with a 0 as the last digit.")
    return int(number)


def fits(amount: int, currency: str) -> bool:
    """True where Stripe accepts the last digits of `amount` in `currency`."""
    if currency in THREE_DECIMAL:
        return amount % 10 == 0
    return amount % 100 == 0 if currency in WHOLE_ONLY else True


def major(amount: int, currency: str) -> Decimal:
    return Decimal(amount).scaleb(-decimals(currency))


def chargeable(amount: int, currency: str) -> bool:
    """True where a total of `amount` can be paid by card at all."""
    return MINIMUM_AMOUNT.get(currency, 50) <= amount <= MAXIMUM_AMOUNT


def text(amount: int, currency: str, locale: str | None = None) -> str:
    """What people read, "$39.98", in the order and with the signs of their locale."""
    return format_currency(major(amount, currency), currency.upper(), locale=locales.find(locale))
