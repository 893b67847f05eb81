"""Amounts of money: integer minor units to text and back, with Stripe's limits.

Digits, steps and limits come from the table in `currencies.py`. Babel places signs and separators
by locale, but does not decide how many digits are shown: it would round what Stripe charges
(RSD 19.99 to "RSD 20").
"""

import copy
import re
import unicodedata
from decimal import Decimal, InvalidOperation

from babel import Locale
from babel.numbers import NumberPattern, get_currency_symbol

from store.core import currencies, locales

MAX_DIGITS = 20  # of an amount that is entered, with its signs
SEPARATORS = str.maketrans({"٫": ".", "٬": ",", "’": "'", "،": ","})
LARGEST_STORED = 2**31 - 1  # an amount is a 32-bit column


def parse_list_price(price: str, currency: str) -> int:
    """A price such as "19.99" in minor units of `currency`.

    A price list is written with two decimals; where the currency has none, its digits count
    as whole units ("19.99" is 1999 yen). ValueError if Stripe could not charge it.
    """
    try:
        number = Decimal(price)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number <= 0:
        raise ValueError(f"{price!r} is not a price")
    row = currencies.of(currency)
    amount = number.scaleb(row.digits or 2)
    if amount != amount.to_integral_value() or int(amount) % row.step:
        raise ValueError(
            f"{price!r} cannot be charged in {currency.upper()}; write it like {example(currency)}"
        )
    return int(amount)


def parse_amount(text: str, currency: str, locale: str | None = None) -> int:
    """An entered amount in minor units: "1,234.50", "1.234,50 €", "٤٩٫٩٩", "500" of yen.

    Group separators must be those of the locale, so "1.999" is 1999 in German and 1.999 in
    English. A comma or point that can only be a decimal separator is one in any locale. A
    ValueError says how to write it.
    """
    number, row = _plain_number(text, currency, locales.find(locale)), currencies.of(currency)
    code, like = currency.upper(), f"like {example(currency, locale)}."
    if number is None:
        raise ValueError(f"Write the amount in digits, {like}")
    units = Decimal(number).scaleb(row.digits)
    if units % 1:
        raise ValueError(f"{code} has no such small change: write it {like}")
    if units % row.step:
        raise ValueError(f"Stripe does not charge such a fraction of {code}: write it {like}")
    return int(units)


def _plain_number(text: str, currency: str, locale: Locale) -> str | None:
    """The digits of an amount with a point before its decimals, or None."""
    text = _simplified(text)
    for sign in (get_currency_symbol(currency.upper(), locale), currency):
        text = text.removeprefix(_simplified(sign)).removesuffix(_simplified(sign)).strip()
    symbols = locale.number_symbols["latn"]
    point = re.escape(symbols["decimal"])
    group = re.escape(re.sub(r"\s", " ", symbols["group"]).translate(SEPARATORS))
    size = locale.decimal_formats[None].grouping[1]
    grouped = rf"[0-9]{{1,3}}({group}[0-9]{{{size}}})*{group}[0-9]{{3}}({point}[0-9]{{1,3}})?"
    if len(text) > MAX_DIGITS:
        return None
    if re.fullmatch(grouped, text):
        return re.sub(group, "", text).replace(symbols["decimal"], ".")
    if re.fullmatch(rf"[0-9]+({point}[0-9]{{1,3}})?", text):
        return text.replace(symbols["decimal"], ".")
    if re.fullmatch(r"[0-9]+[.,][0-9]{1,2}", text):
        return text.replace(",", ".")
    return None


def _simplified(text: str) -> str:
    """The text with digits and separators as ASCII, without direction marks, in upper case."""
    text = unicodedata.normalize("NFKC", text).translate(SEPARATORS)
    signs = (sign for sign in text if unicodedata.category(sign) != "Cf")
    text = "".join(str(unicodedata.decimal(sign, sign)) for sign in signs)
    return re.sub(r"\s", " ", text).strip().upper()


def example(currency: str, locale: str | None = None) -> str:
    """How a price in this currency is written: 19.99 (or 19,99), 1999, 20 or 19.990."""
    if currencies.of(currency).whole:
        return "20"
    amount = 19990 if currencies.of(currency).digits == 3 else 1999
    return input_text(amount, currency, locale)


def to_major_units(amount: int, currency: str) -> Decimal:
    """An amount of minor units in major units: 3998 cents are 39.98."""
    return Decimal(amount).scaleb(-currencies.of(currency).digits)


def input_text(amount: int, currency: str, locale: str | None = None) -> str:
    """An amount for a form field: "1234,50", without currency sign or groups."""
    digits = currencies.of(currency).shown_digits(amount)
    point = locales.find(locale).number_symbols["latn"]["decimal"]
    return f"{to_major_units(amount, currency):.{digits}f}".replace(".", point)


def maximum(currency: str) -> int:
    """The largest total that every payment method accepts and the database can store."""
    row = currencies.of(currency)
    return min(row.maximum, LARGEST_STORED - LARGEST_STORED % row.step)


def limit(amount: int, currency: str, locale: str | None = None) -> str:
    """Why a total of `amount` cannot be paid by card, as a sentence; "" if it can."""
    minimum = currencies.of(currency).minimum
    if amount < minimum:
        least = text(minimum, currency, locale)
        return f"A payment by card is at least {least}. Add something to your cart."
    if amount > maximum(currency):
        most = text(maximum(currency), currency, locale)
        return f"A payment by card is at most {most}. Take something out of your cart."
    return ""


def text(amount: int, currency: str, locale: str | None = None) -> str:
    """An amount as text, "$39.98", written as in the locale.

    It is exact: as many decimals as Stripe charges, none in currencies of whole units.
    """
    digits, babel_locale = currencies.of(currency).shown_digits(amount), locales.find(locale)
    pattern: NumberPattern = copy.copy(babel_locale.currency_formats["standard"])
    pattern.frac_prec = (digits, digits)
    units, code = to_major_units(amount, currency), currency.upper()
    amount_text = pattern.apply(units, babel_locale, currency=code, currency_digits=False)
    # Pages are in English: a right-to-left mark would show "US$" as "$US", at the other end.
    return str(amount_text).replace("\N{RIGHT-TO-LEFT MARK}", "")
