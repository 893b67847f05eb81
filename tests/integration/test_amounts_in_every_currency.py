"""The shop and the pay page of the emulator show the same amount, in every currency and locale."""

from decimal import Decimal
from pathlib import Path

import pytest
from babel import Locale
from babel.numbers import (
    get_currency_symbol,
    get_decimal_symbol,
)
from hypothesis import given
from hypothesis import strategies as st

from store.core import currencies, money
from store.core.currencies import CURRENCIES
from stripe_emulator.base import currencies as emulator_money
from stripe_emulator.web import rendering


@pytest.mark.scenario("K1")
def test_the_emulator_has_the_same_table() -> None:
    ours, theirs = Path(currencies.__file__), Path(emulator_money.__file__)

    assert ours.with_name("currencies.json").read_bytes() == (
        theirs.with_name("currencies.json").read_bytes()
    )
    assert {code: tuple(row) for code, row in CURRENCIES.items()} == emulator_money.CURRENCIES


LOCALES = (
    *("en-US", "de-DE", "de-CH", "de-AT", "fr-FR", "fr-CH", "sr-RS", "is-IS", "hu-HU", "id-ID"),
    *("ja-JP", "ar-EG", "fa-IR", "hi-IN", "en-IN", "pt-PT", "es-CO", "sv-SE", "th-TH", "he-IL"),
)


def amounts_in(code: str) -> list[int]:
    """Amounts that Stripe can charge, with and without small change."""
    step = CURRENCIES[code].step
    return [step * units for units in (1, 7, 50, 100, 199, 1000, 1050, 1999, 123_456, 9_999_999)]


def amount_read(shown: str, code: str, locale: str) -> int:
    """The minor units that a text says, read back by the signs of its locale."""
    known = Locale.parse(locale, sep="-")
    symbol = get_currency_symbol(code.upper(), known).replace("\N{RIGHT-TO-LEFT MARK}", "")
    signs = {symbol, code.upper()}
    for sign in sorted(signs, key=len, reverse=True):
        shown = shown.replace(sign, "")
    number = "".join(c for c in shown if c.isdigit() or c == get_decimal_symbol(known))
    units = Decimal(number.replace(get_decimal_symbol(known), "."))
    return int(units.scaleb(CURRENCIES[code].digits))


@pytest.mark.scenario("K1")
@pytest.mark.parametrize("code", sorted(CURRENCIES))
def test_what_is_shown_is_what_is_charged_in_every_currency_and_locale(code: str) -> None:
    for locale in LOCALES:
        for amount in amounts_in(code):
            shown = money.text(amount, code, locale)
            at_stripe = rendering.money(amount, code, locale.replace("-", "_"))

            assert amount_read(shown, code, locale) == amount, (locale, shown)
            assert "".join(at_stripe.split()) == "".join(shown.split()), locale


@pytest.mark.scenario("K1")
@given(st.sampled_from(sorted(CURRENCIES)), st.sampled_from(LOCALES), st.integers(1, 10**9))
def test_no_amount_is_ever_rounded(code: str, locale: str, amount: int) -> None:
    """Also one that Stripe would not charge, as an event or an old order may hold it."""
    assert amount_read(money.text(amount, code, locale), code, locale) == amount


@pytest.mark.scenario("K1")
@pytest.mark.parametrize("code", sorted(CURRENCIES))
def test_a_prefilled_amount_is_parsed_back_as_the_same_amount(code: str) -> None:
    for amount in amounts_in(code):
        for locale in ("en-US", "de-DE", "fr-FR", "hi-IN", "ar-EG"):
            entered = money.input_text(amount, code, locale)
            assert money.parse_amount(entered, code, locale) == amount
            assert money.parse_amount(money.text(amount, code, locale), code, locale) == amount
    assert money.parse_list_price(money.example(code).replace("1999", "19.99"), code) > 0
    assert money.parse_amount(money.example(code), code) > 0


@given(st.integers(0, 99_999_999), st.sampled_from(["usd", "jpy", "kwd", "isk"]))
def test_major_units_lose_nothing(amount: int, currency: str) -> None:
    shown = money.to_major_units(amount, currency)

    assert isinstance(shown, Decimal)
    assert int(shown.scaleb(currencies.of(currency).digits)) == amount
