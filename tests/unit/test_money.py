"""Minor units and text: every currency with its own digits, every locale with its own signs."""

from decimal import Decimal
from pathlib import Path

import pytest
from babel import Locale
from babel.numbers import (
    get_currency_precision,
    get_currency_symbol,
    get_decimal_symbol,
    list_currencies,
)
from hypothesis import given
from hypothesis import strategies as st

from store.core import currencies, money
from store.core.currencies import CURRENCIES
from stripe_emulator.base import currencies as emulator_money
from stripe_emulator.web import rendering

NBSP, NARROW = "\u00a0", "\u202f"


@pytest.mark.scenario("G8")
@pytest.mark.parametrize(
    ("price", "currency", "amount"),
    [
        ("19.99", "usd", 1999),
        ("0.50", "eur", 50),
        ("1000", "gbp", 100_000),
        ("19.99", "jpy", 1999),
        ("50", "krw", 5000),
        ("19.99", "kwd", 19_990),
        ("5.00", "ugx", 500),
        ("20", "isk", 2000),
        ("175", "huf", 17_500),
    ],
)
def test_a_price_is_read_in_the_minor_units_of_its_currency(
    price: str, currency: str, amount: int
) -> None:
    assert money.minor(price, currency) == amount


@pytest.mark.scenario("G8")
@pytest.mark.parametrize(
    ("price", "currency"),
    [
        *(("19.999", "usd"), ("19.999", "jpy"), ("19.999", "kwd"), ("19.99", "isk")),
        *(("0", "usd"), ("-1", "usd"), ("NaN", "usd"), ("Infinity", "usd"), ("1e400", "jpx")),
        *(("", "usd"), ("free", "usd"), ("1,99", "eur"), ("$5", "usd")),
    ],
)
def test_a_price_that_cannot_be_charged_is_refused(price: str, currency: str) -> None:
    if price == "1e400":
        assert not money.chargeable(money.minor(price, currency), currency)
        return
    with pytest.raises(ValueError, match=r"price|charged"):
        money.minor(price, currency)


@pytest.mark.scenario("G8")
@pytest.mark.parametrize(
    ("amount", "currency", "locale", "shown"),
    [
        (1999, "usd", "en-US", "$19.99"),
        (1999, "usd", None, "$19.99"),
        (1999, "jpy", "en-US", "¥1,999"),
        (1999, "jpy", "ja-JP", "￥1,999"),
        (19_990, "kwd", "en-US", "KWD19.990"),
        (123_456, "eur", "de-DE", f"1.234,56{NBSP}€"),
        (123_456, "eur", "en-IE", "€1,234.56"),
        (123_456, "eur", "fr-FR", f"1{NARROW}234,56{NBSP}€"),
        (1999, "usd", "zz-ZZ", "$19.99"),
        (1999, "usd", "../../etc/passwd", "$19.99"),
        (0, "usd", "en-US", "$0.00"),
    ],
)
def test_an_amount_is_shown_as_its_reader_writes_money(
    amount: int, currency: str, locale: str | None, shown: str
) -> None:
    assert money.text(amount, currency, locale) == shown


@pytest.mark.scenario("G8")
def test_the_digits_of_every_currency_are_those_of_the_standard_or_stripes_exceptions() -> None:
    differ = {
        code
        for code, row in CURRENCIES.items()
        if row.digits != get_currency_precision(code.upper())
    }

    # What people write without small change, and Stripe counts in hundredths all the same; which
    # these are changes with the version of Babel.
    assert {CURRENCIES[code].digits for code in differ} <= {2}
    assert {get_currency_precision(code.upper()) for code in differ} <= {0}
    assert {"huf", "idr", "isk", "ugx"} <= differ
    assert {code.upper() for code in CURRENCIES} <= set(list_currencies())


def test_every_row_of_the_table_makes_sense() -> None:
    assert {row.digits for row in CURRENCIES.values()} == {0, 2, 3}
    for code, row in CURRENCIES.items():
        assert row.step == (10 if row.digits == 3 else 100 if code in ("isk", "ugx") else 1), code
        assert 0 < row.minimum < row.maximum, code
        assert row.minimum % row.step == row.maximum % row.step == 0, code
    for gone in ("hrk", "bgn", "sll", "ltl", "eek", "mro", "vef", "zwl", "byr", "usdc", "xau"):
        assert gone not in CURRENCIES


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
    signs = {get_currency_symbol(code.upper(), known), code.upper()}
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
@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (1999, "rsd", "RSD19.99"),
        (1999, "huf", "HUF19.99"),
        (2000, "isk", "ISK20"),
        (1999, "mga", "MGA1,999"),
        (1999, "hrk", "HRK19.99"),
    ],
)
def test_the_digits_are_stripes_and_not_babels(amount: int, currency: str, shown: str) -> None:
    assert money.text(amount, currency) == shown


@given(st.integers(0, 99_999_999), st.sampled_from(["usd", "jpy", "kwd", "isk"]))
def test_major_units_lose_nothing(amount: int, currency: str) -> None:
    shown = money.major(amount, currency)

    assert isinstance(shown, Decimal)
    assert int(shown.scaleb(money.decimals(currency))) == amount


@pytest.mark.scenario("K1")
@pytest.mark.parametrize("code", sorted(CURRENCIES))
def test_what_a_form_is_filled_with_is_read_back_as_the_same_amount(code: str) -> None:
    for amount in amounts_in(code):
        for locale in ("en-US", "de-DE", "fr-FR", "hi-IN", "ar-EG"):
            entered = money.input_text(amount, code, locale)
            assert money.parse_amount(entered, code, locale) == amount
            assert money.parse_amount(money.text(amount, code, locale), code, locale) == amount
    assert money.minor(money.example(code).replace("1999", "19.99"), code) > 0
    assert money.parse_amount(money.example(code), code) > 0


@pytest.mark.parametrize(
    ("text", "locale", "amount"),
    [
        ("49,99", "de-DE", 4999),
        ("49.99", "de-DE", 4999),  # it can only be a decimal point
        ("1.999", "de-DE", 199900),
        ("1.234,50 $", "de-DE", 123450),
        ("49,99", "en-US", 4999),
        ("$1,234.5", "en-US", 123450),
        ("USD 5", "en-US", 500),
        ("1\u202f234,50", "fr-FR", 123450),
        ("1’234.50", "de-CH", 123450),
        ("12,34,567", "hi-IN", 123456700),
        ("٤٩٫٩٩", "ar-EG", 4999),
        ("４９．９９", "ja-JP", 4999),
    ],
)
def test_an_amount_is_read_as_people_of_a_locale_write_it(
    text: str, locale: str, amount: int
) -> None:
    assert money.parse_amount(text, "usd", locale) == amount


@pytest.mark.parametrize(
    "text", ["", "abc", "-5", "1e3", "0x1", "5,", "19 99", "1,99,9", "1.2.3", "5€", "NaN", "9" * 30]
)
def test_an_amount_that_can_be_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Write the amount in digits, like 19"):
        money.parse_amount(text, "usd", "en-US")


@pytest.mark.scenario("K4")
@pytest.mark.parametrize("code", sorted(CURRENCIES))
def test_a_total_beyond_the_limits_of_its_currency_has_a_reason(code: str) -> None:
    row = CURRENCIES[code]

    assert money.limit(row.minimum, code) == money.limit(money.maximum(code), code) == ""
    assert money.text(row.minimum, code) in money.limit(row.minimum - row.step, code)
    assert "at most" in money.limit(money.maximum(code) + row.step, code)
    assert money.maximum(code) < 2**31


@pytest.mark.scenario("A10")
@pytest.mark.parametrize(
    ("amount", "currency", "fits"),
    [
        *((49, "usd", False), (50, "usd", True), (29, "gbp", False), (30, "gbp", True)),
        *((49, "jpy", False), (50, "jpy", True), (17_499, "huf", False), (17_500, "huf", True)),
        *((99_999_999, "usd", True), (100_000_000, "usd", False), (0, "usd", False)),
        *((-1999, "usd", False), (10**21, "usd", False)),
        *((15_999, "vnd", False), (16_000, "vnd", True), (1999, "idr", False)),
    ],
)
def test_a_total_is_within_what_stripe_charges(amount: int, currency: str, fits: bool) -> None:
    assert money.chargeable(amount, currency) is fits
